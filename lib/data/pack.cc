// Any sources to one HDF5 file of kind images, latents to one of theirs, or a toy to one of kind
// vectors, item by item with flat memory.
#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "data/dataset.h"
#include "data/prepared_items.h"
#include "data/source.h"
#include "data/toy.h"
#include "io/latents.h"
#include "io/vector_sink.h"

namespace atelier {
namespace {

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// The columns beside the pictures. Those that have rows of any length go to spools; names stay in
// memory, because their common length is known at the end only.
class Columns {
 public:
  explicit Columns(Hdf5Writer& writer)
      : labels_(writer.rows("/labels", FileType::i32, {})),
        caption_bytes_(writer.rows("/captions/data", FileType::u8, {})),
        caption_offsets_(writer.rows("/captions/offsets", FileType::i64, {})) {
    caption_offsets_.append(bytes_of(caption_end_));
  }

  void append(const Item& item) {
    labels_.append(bytes_of(item.label));
    caption_bytes_.append(std::as_bytes(std::span(item.caption)));
    caption_end_ += std::int64_t(item.caption.size());
    caption_offsets_.append(bytes_of(caption_end_));
    names_.push_back(item.name);
  }

  void finish(Hdf5Writer& writer, const PreparedItems& items) {
    if (items.has_labels()) labels_.finish();
    if (items.has_captions()) {
      caption_bytes_.finish();
      caption_offsets_.finish();
    }
    writer.strings("/meta/ids", names_);
    if (!items.label_names().empty()) writer.strings("/meta/label_names", items.label_names());
  }

 private:
  Hdf5Writer::Rows labels_, caption_bytes_, caption_offsets_;
  std::int64_t caption_end_ = 0;
  std::vector<std::string> names_;
};

// The options that decide the pictures; paths and the form of the source are left out, so that
// equal pictures make equal files.
Attributes recorded_options(ReadOptions options) {
  Attributes kept;
  for (auto& [name, value] : to_attributes(options.fields())) {
    bool about_source = name == "data_format" || name == "labels" || name == "dataset" ||
                        name == "label_dataset" || name.starts_with("max_");
    if (!about_source) kept.emplace_back(name, value);
  }
  return kept;
}

// Those with names, or else the different numbers: these may be any that somebody uses as a key.
std::int64_t count_classes(const PreparedItems& items, const std::set<std::int32_t>& labels) {
  if (!items.has_labels()) return 0;
  return std::int64_t(items.label_names().empty() ? labels.size() : items.label_names().size());
}

// The rest of the items, and the first one; f32, which trainers map.
PackResult pack_latents(PreparedItems& items, Item& item, const ReadOptions& options,
                        const std::string& output, const Attributes& provenance, bool force) {
  PackResult result{.height = item.picture.height,
                    .width = item.picture.width,
                    .channels = item.picture.channels,
                    .real = true,
                    .latents = true};
  Latents about{.height = result.height,
                .width = result.width,
                .channels = result.channels,
                .space = *items.latents(),
                .label_names = {},
                .config = provenance,
                .preprocess = {},
                .inputs = {}};
  LatentSink sink(output, about, items.has_labels(), force);
  std::set<std::int32_t> labels;
  do {
    sink.add({.values = item.values, .id = item.name, .label = item.label});
    if (item.label >= 0) labels.insert(item.label);
    ++result.written;
  } while (items.next(item));
  about.label_names = items.label_names();
  about.config.emplace_back("limit", options.limit);
  about.preprocess = items.preprocess();
  about.inputs = {{"data", fmt::format("{:016x}", items.digest())}};
  sink.finish(about);
  result.skipped = items.skipped();
  result.classes = count_classes(items, labels);
  return result;
}

// The same of a toy.
PackResult pack_points(PreparedItems& items, Item& item, const ReadOptions& options,
                       const std::string& output, const Attributes& provenance, bool force) {
  Toy toy = make_toy(options);
  PackResult result{.height = 1, .width = 1, .channels = item.picture.channels, .real = true};
  Vectors about;
  about.dim = result.channels;
  about.metric = "l2";
  about.model = toy.name;
  VectorSink sink({.output = output, .format = "hdf5", .force = force}, about, items.has_labels());
  do {
    VectorRow row{.values = item.values, .id = item.name, .label = item.label};
    sink.add({&row, 1});
    ++result.written;
  } while (items.next(item));
  about.label_names = items.label_names();
  about.config = provenance;
  for (const auto& entry : describe_toy(toy)) about.config.push_back(entry);
  about.config.emplace_back("synthetic_count", result.written);
  sink.finish(about);
  result.skipped = items.skipped();
  result.classes = toy.modes();
  return result;
}

}  // namespace

std::string describe(const PackResult& result) {
  std::string_view noun = noun_of(result.real, result.latents);
  if (result.written == 1) noun.remove_suffix(1);
  std::string shape = noun.starts_with("vector")
                          ? fmt::format("of {}", result.channels)
                          : fmt::format("{}x{}x{}", result.height, result.width, result.channels);
  return fmt::format("{} {} {}, {} {}, {} skipped", result.written, noun, shape, result.classes,
                     result.classes == 1 ? "class" : "classes", result.skipped);
}

PackResult pack_dataset(std::span<const std::string> sources, const ReadOptions& given,
                        const std::string& output, const Attributes& provenance, bool force) {
  ReadOptions options = given;
  std::vector<Input> inputs = identify_all(sources, options);
  // Files of vectors need no packing.
  options.real = is_toy(options.synthetic) || kind_of(inputs[0]) == "latents";
  PreparedItems items(std::move(inputs), options);
  Item item;
  items.next(item);  // throws if there is none
  if (item.latent) return pack_latents(items, item, options, output, provenance, force);
  if (item.real) return pack_points(items, item, options, output, provenance, force);
  const Preparer& preparer = items.preparer();
  PackResult result{
      .height = preparer.height(), .width = preparer.width(), .channels = preparer.channels()};

  Hdf5Writer writer = Hdf5Writer::create(output, "images", force);
  const std::int64_t row[] = {result.height, result.width, result.channels};
  FileType type = preparer.dtype() == DType::f32 ? FileType::f32 : FileType::u8;
  Hdf5Writer::Rows pictures = writer.rows("/images", type, row);
  Columns columns(writer);
  std::set<std::int32_t> labels;
  do {
    pictures.append(item.bytes());
    columns.append(item);
    if (item.label >= 0) labels.insert(item.label);
    ++result.written;
  } while (items.next(item));

  pictures.finish();
  writer.attribute("/images", "color_space", std::string("sRGB"));
  columns.finish(writer, items);
  writer.group("/config");
  writer.attributes("/config", provenance);
  writer.attributes("/config", recorded_options(options));
  writer.group("/inputs");
  writer.attribute("/inputs", "data", fmt::format("{:016x}", items.digest()));
  writer.group("/preprocess");
  writer.attributes("/preprocess", items.preprocess());
  writer.commit();

  if (items.has_captions() && items.without_caption() > 0) {
    logging::warning(
        fmt::format("{} of {} pictures have no caption", items.without_caption(), result.written));
  }
  result.skipped = items.skipped();
  result.classes = count_classes(items, labels);
  return result;
}

}  // namespace atelier
