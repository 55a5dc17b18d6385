// Pictures, vectors, latents, labels, captions and names in HDF5 files.
#include "data/hdf5_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/log.h"
#include "data/label_file.h"
#include "data/tsv.h"
#include "io/vectors.h"

namespace atelier {
namespace {

std::string absolute(const std::string& name) { return name.starts_with('/') ? name : "/" + name; }

bool is_whole(FileType type) {
  switch (type) {
    case FileType::u8:
    case FileType::i8:
    case FileType::u16:
    case FileType::i16:
    case FileType::u32:
    case FileType::i32:
    case FileType::u64:
    case FileType::i64:
      return true;
    default:
      return false;
  }
}

void expect_count(const Hdf5Reader& file, const Hdf5Images& images, const std::string& path,
                  std::size_t found) {
  if (std::int64_t(found) == images.count) return;
  throw Error(fmt::format("{}: {} has {} entries, but {} has {} {}", file.name(), path, found,
                          images.path, images.count, images.real ? "rows" : "pictures"));
}

std::vector<std::int32_t> read_labels(const Hdf5Reader& file, const Hdf5Images& images,
                                      const std::string& path) {
  DatasetInfo info = file.info(path);
  if (info.dims.size() != 1 || !is_whole(info.type)) {
    throw Error(fmt::format("{}: {}: expected labels (whole numbers, rank 1), found {} of rank {}",
                            file.name(), path, name(info.type), info.dims.size()));
  }
  expect_count(file, images, path, std::size_t(info.dims[0]));
  file.verify(path);
  std::vector<std::int32_t> labels(std::size_t(images.count), 0);
  file.read<std::int32_t>(path, labels);
  require_labels(labels, file.name() + ": " + path);
  return labels;
}

std::vector<std::string> read_texts(const Hdf5Reader& file, const char* path) {
  file.verify(path);
  return file.read_strings(path);
}

void require_sane(const Hdf5Reader& file, const Hdf5Images& images) {
  constexpr std::int64_t kMaxExtent = 1 << 20, kMaxValues = 1 << 28;
  bool sane = std::max({images.height, images.width, images.channels}) <= kMaxExtent &&
              std::min({images.height, images.width, images.channels}) >= 1 &&
              images.height * images.width <= kMaxValues / images.channels;
  if (images.count > 0 && !sane) {
    throw Error(fmt::format("{}: {}: {} of {}x{}x{} cannot be used", file.name(), images.path,
                            images.noun(), images.height, images.width, images.channels));
  }
}

// Of kind vectors or latents.
Hdf5Images as_images(const Hdf5Reader& file, const ReadOptions& options, const std::string& kind) {
  refuse_picture_options(options, file.name(), kind);
  Hdf5Images images;
  DatasetInfo info;
  images.height = images.width = 1;
  if (kind == "latents") {
    LatentsInfo latents = describe_latents(file);
    info = latents.dataset;
    images.height = latents.height;
    images.width = latents.width;
    images.latents = latents.space;
  } else {
    info = describe_vectors(file);
  }
  images.path = info.path;
  images.type = info.type;
  images.is_float = images.real = true;
  images.contiguous = info.contiguous;
  images.checksum = info.checksum;
  images.count = info.dims[0];
  images.channels = info.dims.back();
  require_sane(file, images);
  return images;
}

}  // namespace

Hdf5Images describe_images(const Hdf5Reader& file, const ReadOptions& options) {
  std::string path = options.dataset.empty() ? "/images" : absolute(options.dataset);
  std::string kind = file.kind();  // throws for a newer version
  bool real = kind == "vectors" || kind == "latents";
  if (options.real && options.dataset.empty() && real) return as_images(file, options, kind);
  if (options.dataset.empty() && !kind.empty() && kind != "samples") file.require_kind("images");
  if (!file.is_link(path) && (!file.has(path) || file.is_group(path))) {
    throw Error(fmt::format("{}: has no dataset {}{}", file.name(), path,
                            options.dataset.empty() ? "; --dataset names another" : ""));
  }
  DatasetInfo info = file.info(path);
  Hdf5Images images;
  images.path = path;
  images.type = info.type;
  images.boolean = info.boolean;
  images.is_float = info.type == FileType::f32 || info.type == FileType::f64 ||
                    info.type == FileType::f16 || info.type == FileType::bf16;
  if (!file.has("/preprocess")) images.range = parse_value_range(options.value_range);
  if (!images.is_float && !is_whole(info.type)) {
    throw Error(fmt::format("{}: {}: expected pictures of whole numbers or floats, found {}",
                            file.name(), path, name(info.type)));
  }
  if (info.dims.size() != 3 && info.dims.size() != 4) {
    throw Error(fmt::format("{}: {}: expected [N,H,W] or [N,H,W,C], found [{}]", file.name(), path,
                            fmt::join(info.dims, ",")));
  }
  images.contiguous = info.contiguous;
  images.checksum = info.checksum;
  images.count = info.dims[0];
  images.height = info.dims[1];
  images.width = info.dims[2];
  images.channels = info.dims.size() == 4 ? info.dims[3] : 1;
  require_sane(file, images);
  return images;
}

void warn_of_channels_first(const Hdf5Reader& file, const Hdf5Images& images) {
  if (images.real) return;
  if ((images.height == 1 || images.height == 3 || images.height == 4) && images.channels > 4) {
    logging::warning(
        fmt::format("{}: {} looks like channels first; [N,H,W,C] is expected, so it is read as "
                    "pictures {} high "
                    "and {} wide with {} channels",
                    file.name(), images.path, images.height, images.width, images.channels));
  }
}

bool check_pictures(const Hdf5Reader& file, const Hdf5Images& images, bool skip) {
  if (!images.is_float || images.count == 0) return true;
  bool finite = true;
  float lowest = std::numeric_limits<float>::infinity(), highest = -lowest;
  std::vector<float> values;
  for (std::int64_t first = 0; first < images.count; first += rows_at_once(images)) {
    std::int64_t count = std::min(rows_at_once(images), images.count - first);
    values.resize(std::size_t(count * images.pixels()));
    file.read_rows<float>(images.path, first, count, values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i]) && skip) {
        finite = false;
        continue;
      }
      if (!std::isfinite(values[i])) {  // found in the first update, it would be far from its cause
        throw Error(fmt::format("{}: {}: {} {} holds {}, values must be finite", file.name(),
                                images.path, images.real ? "row" : "picture",
                                first + std::int64_t(i) / images.pixels(), values[i]));
      }
      lowest = std::min(lowest, values[i]);
      highest = std::max(highest, values[i]);
    }
  }
  bool within = lowest >= float(images.range.low) && highest <= float(images.range.high);
  if (within || images.real || lowest > highest) return finite;  // the last: no number was finite
  throw Error(
      fmt::format("{}: {} holds values from {} to {}, expected {} to {}; --value-range "
                  "LOW,HIGH states another range",
                  file.name(), images.path, lowest, highest, images.range.low, images.range.high));
}

std::int64_t rows_at_once(const Hdf5Images& images) {
  constexpr std::int64_t kBlockBytes = 2 << 20;
  std::int64_t row = images.pixels() * std::int64_t(images.is_float ? sizeof(float) : 1);
  return std::max<std::int64_t>(1, kBlockBytes / row);
}

void read_f32_rows(const Hdf5Reader& file, const Hdf5Images& images, std::int64_t first,
                   std::int64_t count, std::span<float> into) {
  file.read_rows<float>(images.path, first, count, into);
  if (images.range == ValueRange{}) return;
  double low = images.range.low, width = images.range.high - low;
  for (float& v : into) {
    if (std::isfinite(v)) v = std::clamp(float((double(v) - low) / width), 0.0f, 1.0f);
  }
}

void read_u8_rows(const Hdf5Reader& file, const Hdf5Images& images, std::int64_t first,
                  std::int64_t count, std::span<std::uint8_t> into) {
  if (images.type == FileType::u8 || images.boolean) {
    file.read_rows<std::uint8_t>(images.path, first, count, into);
    if (!images.boolean) return;
    for (std::uint8_t& v : into) v = v != 0 ? 255 : 0;
    return;
  }
  std::vector<std::int64_t> wide(into.size());
  file.read_rows<std::int64_t>(images.path, first, count, wide);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    if (wide[i] < 0 || wide[i] > 255) {
      throw Error(fmt::format("{}: {} is {} and holds {}: pictures are 0 to 255", file.name(),
                              images.path, name(images.type), wide[i]));
    }
    into[i] = std::uint8_t(wide[i]);
  }
}

Hdf5Annotations read_annotations(const Hdf5Reader& file, const Hdf5Images& images,
                                 const ReadOptions& options) {
  Hdf5Annotations found;
  file.verify(images.path);
  if (!options.label_dataset.empty()) {
    std::string path = absolute(options.label_dataset);
    if (!file.has(path)) throw Error(fmt::format("{}: has no dataset {}", file.name(), path));
    found.labels = read_labels(file, images, path);
  }
  // Datasets of other names are a stranger's; ours belong to /images, /vectors or /latents.
  if (images.path != "/images" && !images.real) return found;
  if (found.labels.empty() && options.label_dataset.empty() && file.has("/labels")) {
    found.labels = read_labels(file, images, "/labels");
    if (file.has("/meta/label_names")) found.label_names = read_texts(file, "/meta/label_names");
  }
  if (file.has("/captions") && file.is_group("/captions")) {
    for (const char* part : {"/captions/data", "/captions/offsets"}) file.verify(part);
    found.captions = file.read_ragged_strings("/captions");
    expect_count(file, images, "/captions", found.captions.size());
    for (std::size_t i = 0; i < found.captions.size(); ++i) {
      if (is_utf8(found.captions[i])) continue;
      throw Error(fmt::format("{}: /captions: {}: expected UTF-8", file.name(), i));
    }
  }
  if (file.has("/meta/ids")) {
    found.names = read_texts(file, "/meta/ids");
    expect_count(file, images, "/meta/ids", found.names.size());
  }
  std::int32_t classes = std::int32_t(found.label_names.size());
  for (std::int32_t label : found.labels) {
    if (classes > 0 && label >= classes) {
      throw Error(fmt::format("{}: /labels has {}, but /meta/label_names names {} classes",
                              file.name(), label, classes));
    }
  }
  return found;
}

}  // namespace atelier
