// What the tests of estimators share: Fashion-MNIST if it is there, Gaussian rows.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/dataset.h"
#include "eval/baselines.h"

namespace atelier {

inline constexpr const char* kFashion = "/usr/share/datasets/fashion-mnist";

inline bool has_fashion(const char* what) {
  if (std::filesystem::exists(kFashion)) return true;
  fmt::print("skipped: {}: package dataset-fashion-mnist is absent\n", what);
  return false;
}

// part: "train" or "t10k"; limit 0: all.
inline Dataset read_fashion(const char* part, std::int64_t limit = 0) {
  std::string images = fmt::format("{}/{}-images-idx3-ubyte.gz", kFashion, part);
  ReadOptions options;
  options.labels = fmt::format("{}/{}-labels-idx1-ubyte.gz", kFashion, part);
  options.limit = limit;
  return read_dataset({&images, 1}, options);
}

inline std::vector<std::int64_t> all_of(const Dataset& data) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(data.size));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return indices;
}

// All pixels, f32 [size, H*W*C].
inline std::vector<float> rows_of(const Dataset& data) {
  PixelReader reader(data);
  std::vector<float> rows(std::size_t(data.size * reader.row()));
  reader.read(all_of(data), rows);
  return rows;
}

// Standard normal rows, times `scale`, plus `shift`.
inline std::vector<float> normal_rows(std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                                      double scale = 1, double shift = 0) {
  RandomStream random(seed, stream_of("normal_rows"));
  std::vector<float> values(std::size_t(rows * columns));
  for (float& v : values) v = float(shift + scale * random.normal());
  return values;
}

}  // namespace atelier
