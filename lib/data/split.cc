// Train and held-out parts by hash: an item's side depends on its name or caption alone.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "data/dataset.h"
#include "io/hdf5.h"

namespace atelier {
namespace {

constexpr std::uint64_t kSplitSeed = 0x73706c6974;  // "split"; never changes

// [0, 1), uniform over texts.
double place_of(const std::string& text) {
  return double(xxh3(std::as_bytes(std::span(text)), kSplitSeed) >> 11) * 0x1p-53;
}

}  // namespace

Split split_dataset(const Dataset& dataset, double fraction, const std::string& by) {
  if (!(fraction >= 0 && fraction < 1)) {
    throw UsageError(
        fmt::format("--val-split {}: expected a fraction from 0 to less than 1", fraction));
  }
  if (by != "name" && by != "caption") {
    throw UsageError(fmt::format("--split-by '{}': expected name or caption", by));
  }
  if (by == "caption" && dataset.captions.empty()) {
    throw UsageError(fmt::format("--split-by caption: {} has no captions", dataset.source));
  }
  Split split;
  for (std::int64_t index = 0; index < dataset.size; ++index) {
    std::string key = by == "caption" ? dataset.captions[std::size_t(index)] : std::string{};
    if (key.empty()) key = dataset.name_of(index);  // also of a picture that lacks its caption
    (place_of(key) < fraction ? split.held_out : split.train).push_back(index);
  }
  split.duplicates = count_duplicates(dataset, split.held_out, dataset, split.train);
  return split;
}

std::int64_t count_duplicates(const Dataset& held_out, std::span<const std::int64_t> held_indices,
                              const Dataset& train, std::span<const std::int64_t> train_indices) {
  bool alike = held_out.dtype == train.dtype && held_out.height == train.height &&
               held_out.width == train.width && held_out.channels == train.channels;
  if (!alike || held_indices.empty()) return 0;
  std::vector<std::uint64_t> seen;
  seen.reserve(train_indices.size());
  for (std::int64_t index : train_indices) seen.push_back(xxh3(train.image(index)));
  std::sort(seen.begin(), seen.end());
  return std::count_if(held_indices.begin(), held_indices.end(), [&](std::int64_t index) {
    return std::binary_search(seen.begin(), seen.end(), xxh3(held_out.image(index)));
  });
}

}  // namespace atelier
