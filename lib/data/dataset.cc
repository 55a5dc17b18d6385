// Reading a whole data set: mapped as it is, or prepared picture by picture into memory.
#include "data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/available.h"
#include "base/error.h"
#include "base/log.h"
#include "base/parse.h"
#include "data/direct_hdf5.h"
#include "data/hdf5_images.h"
#include "data/prepared_items.h"
#include "data/source.h"

namespace atelier {
namespace {

// Room is made ahead for what the source promises, but not for what a damaged header invents.
constexpr std::int64_t kMostAhead = std::int64_t{1} << 30;

// Before memory is filled with what it cannot hold: the kernel would end the run, without a word.
void require_memory(const std::string& what, std::int64_t pictures, std::int64_t row_bytes,
                    std::string_view noun) {
  constexpr std::int64_t kBeside = 2 * sizeof(std::string) + sizeof(std::int32_t);
  double bytes = double(pictures) * double(row_bytes + kBeside);
  std::int64_t available = available_memory();
  if (bytes <= double(available)) return;
  throw Error(fmt::format("{}: {} {} take {} in memory, {} are available: {}", what, pictures, noun,
                          format_bytes(bytes), format_bytes(double(available)),
                          noun == "vectors" ? "one file of f32 is mapped" : "data-pack it first"));
}

// Of one file of whole pictures, before any of it is read.
void require_memory(const Input& input, const ReadOptions& options) {
  for (const Hdf5Reader& file : input.hdf5) {
    Hdf5Images images = describe_images(file, options);
    std::int64_t count = options.limit > 0 ? std::min(options.limit, images.count) : images.count;
    if (images.is_float)
      require_memory(file.name() + ": " + images.path, count, 4 * images.pixels(), images.noun());
  }
}

Dataset read_prepared(PreparedItems& items) {
  Dataset set;
  auto memory = std::make_shared<std::vector<std::byte>>();
  Item item;
  while (items.next(item)) {
    if (set.size == 0) {
      set.height = items.preparer().height();
      set.width = items.preparer().width();
      set.channels = items.preparer().channels();
      set.dtype = items.preparer().dtype();
      set.real = items.preparer().real();
      if (items.latents()) adopt_space(set, *items.latents());
      require_memory(items.source(), std::max<std::int64_t>(items.expected(), 1), set.row_bytes(),
                     set.noun());
      std::int64_t ahead = std::max<std::int64_t>(items.expected(), 0) + 1;
      memory->reserve(std::size_t(std::min(ahead, kMostAhead / set.row_bytes() + 1)) *
                      std::size_t(set.row_bytes()));
    }
    std::span<const std::byte> pixels = item.bytes();
    memory->insert(memory->end(), pixels.begin(), pixels.end());
    if (items.has_labels()) set.labels.push_back(item.label);
    set.captions.push_back(std::move(item.caption));
    set.names.push_back(std::move(item.name));
    ++set.size;
  }
  set.label_names = items.label_names();
  if (!items.has_captions()) set.captions = {};
  set.skipped = items.skipped();
  set.preprocess = items.preprocess();
  set.pixels = *memory;
  set.storage = std::move(memory);
  return set;
}

}  // namespace

void require_pictures(const Dataset& set, std::string_view what) {
  if (!set.real) return;
  throw Error(fmt::format("{}: {} are of pictures, found {}", set.source, what, set.noun()));
}

std::vector<std::uint8_t> Dataset::picture(std::int64_t index) const {
  require_pictures(*this, "8-bit views");
  std::span<const std::byte> bytes = image(index);
  std::vector<std::uint8_t> result(std::size_t(height * width * channels));
  auto* values = reinterpret_cast<const float*>(bytes.data());
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = dtype == DType::u8
                    ? std::to_integer<std::uint8_t>(bytes[i])
                    : std::uint8_t(std::clamp(values[i], 0.0f, 1.0f) * 255.0f + 0.5f);
  }
  return result;
}

std::int64_t Dataset::num_classes() const {
  if (!label_names.empty()) return std::int64_t(label_names.size());
  if (labels.empty()) return 0;
  return std::int64_t(*std::max_element(labels.begin(), labels.end())) + 1;
}

std::string Dataset::name_of(std::int64_t index) const {
  if (index < 0 || std::size_t(index) >= names.size()) return fmt::format("index {}", index);
  return names[std::size_t(index)];
}

Dataset read_dataset(std::span<const std::string> sources, const ReadOptions& options) {
  return read_dataset(identify_all(sources, options), options);
}

Dataset read_dataset(std::vector<Input> inputs, const ReadOptions& options) {
  std::size_t count = inputs.size();
  std::string source = inputs[0].source;
  std::optional<Dataset> direct = read_direct(inputs, options);
  Dataset set;
  if (direct) {
    set = std::move(*direct);
  } else {
    require_memory(inputs[0], options);
    PreparedItems items(std::move(inputs), options);
    set = read_prepared(items);
    set.digest = dataset_digest(set, xxh3_hex(set.pixels));
  }
  set.source = count > 1 ? fmt::format("{} and {} more", source, count - 1) : source;
  return set;
}

}  // namespace atelier
