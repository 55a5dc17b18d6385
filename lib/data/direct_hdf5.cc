// Mapping and reading HDF5 pictures without preparation.
#include "data/direct_hdf5.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/memory.h"
#include "data/hdf5_images.h"
#include "data/prepare.h"

namespace atelier {
namespace {

struct Part {
  const Hdf5Reader* file;
  Hdf5Images images;
};

std::vector<Part> describe_all(std::span<Input> inputs, const ReadOptions& options) {
  std::vector<Part> parts;
  for (Input& input : inputs) {
    open_hdf5_files(input);
    for (const Hdf5Reader& file : input.hdf5) {
      parts.push_back({&file, describe_images(file, options)});
    }
  }
  return parts;
}

void check_same(const Part& first, const Part& other) {
  const Hdf5Images &a = first.images, &b = other.images;
  if (a.is_float == b.is_float && a.height == b.height && a.width == b.width &&
      a.channels == b.channels) {
    return;
  }
  throw Error(fmt::format("{}: {} is {} {}x{}x{}, but {} has {} {}x{}x{}", other.file->name(),
                          b.path, name(b.type), b.height, b.width, b.channels, first.file->name(),
                          name(a.type), a.height, a.width, a.channels));
}

// Appends what the file says of its pictures; all files must say the same kind of things.
void annotate(Dataset& set, const Part& part, const ReadOptions& options) {
  Hdf5Annotations found = read_annotations(*part.file, part.images, options);
  bool first = set.names.empty();
  bool differs = found.labels.empty() != set.labels.empty() ||
                 found.captions.empty() != set.captions.empty() ||
                 found.label_names != set.label_names;
  if (!first && differs) {
    throw Error(part.file->name() + ": labels or captions differ from those of the files before");
  }
  if (first) set.label_names = std::move(found.label_names);
  for (std::int64_t i = std::int64_t(found.names.size()); i < part.images.count; ++i) {
    found.names.push_back(fmt::format("index {}", i));
  }
  set.labels.insert(set.labels.end(), found.labels.begin(), found.labels.end());
  std::move(found.captions.begin(), found.captions.end(), std::back_inserter(set.captions));
  std::move(found.names.begin(), found.names.end(), std::back_inserter(set.names));
}

void use_label_file(Dataset& set, const std::string& path) {
  LabelFile file = read_label_file(path);
  if (file.values.size() != set.names.size()) {
    throw Error(fmt::format("{}: has {} labels, but {} has {} pictures", path, file.values.size(),
                            set.source, set.names.size()));
  }
  set.labels = std::move(file.values);
  set.label_names = std::move(file.names);
}

void read_floats(Dataset& set, const std::vector<Part>& parts, std::int64_t total) {
  auto memory = std::make_shared<Buffer>(std::size_t(total * set.row_bytes()));
  std::span<float> values = memory->as<float>();
  std::size_t at = 0;
  for (const Part& part : parts) {
    std::size_t count = std::size_t(part.images.count * part.images.pixels());
    part.file->read<float>(part.images.path, values.subspan(at, count));
    at += count;
  }
  set.pixels = {memory->data(), std::size_t(total * set.row_bytes())};
  set.storage = std::move(memory);
}

void map_pixels(Dataset& set, const Part& part) {
  auto mapping = std::make_shared<Mapping>(part.file->map(part.images.path));
  set.pixels = mapping->bytes();
  set.storage = std::move(mapping);
}

// A value that is not finite would be found in the first update, far from its cause.
void require_finite(const Dataset& set, const Part& part) {
  if (set.dtype != DType::f32) return;
  auto* values = reinterpret_cast<const float*>(set.pixels.data());
  auto* end = values + set.pixels.size() / sizeof(float);
  auto* bad = std::find_if(values, end, [](float v) { return !std::isfinite(v); });
  if (bad == end) return;
  throw Error(fmt::format("{}: {}: picture {} holds {}, values must be finite", set.source,
                          part.images.path, (bad - values) / part.images.pixels(), *bad));
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

std::uint64_t dataset_digest(const Dataset& set, const std::string& pixel_checksum) {
  std::string text =
      fmt::format("{}[{},{},{},{}] {} {}", name(set.dtype), set.size, set.height, set.width,
                  set.channels, pixel_checksum, xxh3_hex(std::as_bytes(std::span(set.labels))));
  return xxh3(std::as_bytes(std::span(text)));
}

std::optional<Dataset> read_direct(std::span<Input> inputs, const ReadOptions& options) {
  for (const Input& input : inputs) {
    if (input.format != SourceFormat::hdf5) return {};
  }
  std::vector<Part> parts = describe_all(inputs, options);
  Preparer preparer(options);
  const Hdf5Images& images = parts.at(0).images;
  bool keeps = preparer.keeps(images.height, images.width, images.channels);
  bool any_float = std::any_of(parts.begin(), parts.end(),
                               [](const Part& part) { return part.images.is_float; });
  bool mappable = parts.size() == 1 && images.contiguous && images.count > 0 &&
                  (images.type == FileType::u8 || images.type == FileType::f32);
  if (!any_float && (!keeps || !mappable)) return {};
  if (!keeps) {
    throw Error(
        fmt::format("{}: {} is {} {}x{}x{}, which is used as it is: sizes and channels "
                    "can be changed of u8 only",
                    parts[0].file->name(), images.path, name(images.type), images.height,
                    images.width, images.channels));
  }

  Dataset set;
  set.source = inputs[0].source;
  set.height = images.height;
  set.width = images.width;
  set.channels = images.channels;
  set.dtype = any_float ? DType::f32 : DType::u8;
  for (const Part& part : parts) {
    check_same(parts[0], part);
    annotate(set, part, options);
    set.size += part.images.count;
  }
  if (set.size == 0) throw Error(set.source + ": no pictures found");
  if (mappable) {
    map_pixels(set, parts[0]);
  } else {
    read_floats(set, parts, set.size);
  }
  require_finite(set, parts[0]);
  if (!options.labels.empty()) use_label_file(set, options.labels);
  std::int64_t stored = set.size;
  cut_to_limit(set, options.limit);
  preparer.adopt(set.height, set.width, set.channels, set.source);
  bool ours = parts[0].file->has("/preprocess");
  set.preprocess = ours ? parts[0].file->attributes("/preprocess") : preparer.attributes();
  bool known = mappable && set.size == stored && !images.checksum.empty();
  set.digest = dataset_digest(set, known ? images.checksum : xxh3_hex(set.pixels));
  return set;
}

}  // namespace atelier
