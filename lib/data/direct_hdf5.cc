// Mapping HDF5 pictures without preparation.
#include "data/direct_hdf5.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "data/hdf5_images.h"
#include "data/prepare.h"

namespace atelier {
namespace {

// What the file says of its pictures.
void annotate(Dataset& set, const Hdf5Reader& file, const Hdf5Images& images,
              const ReadOptions& options) {
  Hdf5Annotations found = read_annotations(file, images, options);
  set.labels = std::move(found.labels);
  set.label_names = std::move(found.label_names);
  set.captions = std::move(found.captions);
  set.names = std::move(found.names);
  for (std::int64_t i = std::int64_t(set.names.size()); i < images.count; ++i) {
    set.names.push_back(fmt::format("index {}", i));
  }
}

void use_label_file(Dataset& set, const std::string& path) {
  LabelFile file = read_label_file(path);
  if (file.values.size() != set.names.size()) {
    throw Error(fmt::format("{}: has {} labels, but {} has {} {}", path, file.values.size(),
                            set.source, set.names.size(), set.noun()));
  }
  set.labels = std::move(file.values);
  set.label_names = std::move(file.names);
}

void cut_to_limit(Dataset& set, std::int64_t limit) {
  if (limit <= 0 || limit >= set.size) return;
  std::size_t kept = std::size_t(limit);
  set.size = limit;
  set.pixels = set.pixels.first(kept * std::size_t(set.row_bytes()));
  set.names.resize(kept);
  if (!set.labels.empty()) set.labels.resize(kept);
  if (!set.captions.empty()) set.captions.resize(kept);
}

}  // namespace

void adopt_space(Dataset& set, const LatentSpace& space) {
  set.latents = true;
  set.scaling_factor = space.scaling_factor;
  set.vae = space.vae;
}

std::uint64_t dataset_digest(const Dataset& set, const std::string& pixel_checksum) {
  std::string text =
      fmt::format("{}[{},{},{},{}] {} {}", name(set.dtype), set.size, set.height, set.width,
                  set.channels, pixel_checksum, xxh3_hex(std::as_bytes(std::span(set.labels))));
  if (set.real) text += " real";
  if (set.latents) text += fmt::format(" latents {}", set.scaling_factor);
  return xxh3(std::as_bytes(std::span(text)));
}

std::optional<Dataset> read_direct(std::span<Input> inputs, const ReadOptions& options) {
  if (inputs.size() != 1 || inputs[0].format != SourceFormat::hdf5) return {};
  open_hdf5_files(inputs[0]);
  if (inputs[0].hdf5.size() != 1) return {};
  const Hdf5Reader& file = inputs[0].hdf5[0];
  Hdf5Images images = describe_images(file, options);
  Preparer preparer(options);
  bool as_stored = (images.type == FileType::u8 && !images.boolean) ||
                   (images.type == FileType::f32 && images.range == ValueRange{});
  if (!as_stored || !images.contiguous || images.count == 0 ||
      !preparer.keeps(images.height, images.width, images.channels)) {
    return {};
  }
  // Those with pictures to leave out cannot be mapped.
  if (!check_pictures(file, images, options.on_error == "skip")) return {};
  warn_of_channels_first(file, images);

  Dataset set;
  set.source = inputs[0].source;
  set.size = images.count;
  set.height = images.height;
  set.width = images.width;
  set.channels = images.channels;
  set.dtype = images.is_float ? DType::f32 : DType::u8;
  set.real = images.real;
  if (images.latents) adopt_space(set, *images.latents);
  annotate(set, file, images, options);
  auto mapping = std::make_shared<Mapping>(file.map(images.path));
  set.pixels = mapping->bytes();
  set.storage = std::move(mapping);
  if (!options.labels.empty()) use_label_file(set, options.labels);
  std::int64_t stored = set.size;
  cut_to_limit(set, options.limit);
  preparer.adopt(set.height, set.width, set.channels, set.dtype, set.source, set.real);
  set.preprocess = file.has("/preprocess") ? file.attributes("/preprocess") : preparer.attributes();
  bool known = set.size == stored && !images.checksum.empty();
  set.digest = dataset_digest(set, known ? images.checksum : xxh3_hex(set.pixels));
  return set;
}

}  // namespace atelier
