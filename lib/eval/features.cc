// Pixels and principal components as features.
#include "eval/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "data/pixels.h"

namespace atelier {
namespace {

std::string shape_text(std::int64_t height, std::int64_t width, std::int64_t channels) {
  return fmt::format("{}x{}x{}", height, width, channels);
}

std::string shape_text(const Dataset& data) {
  return shape_text(data.height, data.width, data.channels);
}

void require_shape(const Dataset& data, const std::string& shape) {
  std::string found = shape_text(data);
  if (found == shape) return;
  throw Error(
      fmt::format("{}: pictures of {}, but the reference has {}", data.source, found, shape));
}

// As /preprocess of a file of stats has it, whose components are of so many columns; or empty.
std::string recorded_shape(const Attributes& preprocess, std::int64_t columns) {
  std::int64_t sides[3], product = 1;
  const char* const names[3] = {"image_height", "image_width", "channels"};
  for (int i = 0; i < 3; ++i) {
    const Scalar* value = find(preprocess, names[i]);
    if (!value || !std::holds_alternative<std::int64_t>(*value)) return "";
    sides[i] = std::get<std::int64_t>(*value);
    if (sides[i] < 1 || sides[i] > columns) return "";
    product *= sides[i];
  }
  return product == columns ? shape_text(sides[0], sides[1], sides[2]) : "";
}

std::string hashed(const std::string& name, std::uint64_t hash) {
  return fmt::format("{}@{:016x}", name, hash);
}

// All pictures, read through a reader of its own.
Table pixels_of(const Dataset& data) {
  auto reader = std::make_shared<PixelReader>(data);
  return {data.size, reader->row(),
          [reader](std::int64_t first, std::int64_t count, std::span<float> into) {
            std::vector<std::int64_t> indices(std::size_t(count), 0);
            std::iota(indices.begin(), indices.end(), first);
            reader->read(indices, into);
          }};
}

}  // namespace

Table table_of_values(std::vector<float> values, std::int64_t columns) {
  auto kept = std::make_shared<const std::vector<float>>(std::move(values));
  Table table = table_of_rows(*kept, columns);
  table.read = [kept, read = table.read](std::int64_t first, std::int64_t count,
                                         std::span<float> into) { read(first, count, into); };
  return table;
}

FeatureSpace pixel_features(std::int64_t height, std::int64_t width, std::int64_t channels) {
  std::string shape = shape_text(height, width, channels);
  return {hashed("pixels", xxh3(std::as_bytes(std::span(shape)))), [shape](const Dataset& data) {
            require_shape(data, shape);
            return pixels_of(data);
          }};
}

FeatureSpace pca_features(Pca pca, const std::string& shape) {
  std::uint64_t hash = xxh3(std::as_bytes(std::span(pca.mean)));
  hash = xxh3(std::as_bytes(std::span(pca.components)), hash);
  auto project_all = [pca, shape](const Dataset& data) {
    if (!shape.empty()) require_shape(data, shape);
    Table pixels = pixels_of(data);
    if (pixels.columns != pca.columns) {
      throw Error(fmt::format("{}: pictures of {} numbers, but the principal components are of {}",
                              data.source, pixels.columns, pca.columns));
    }
    std::vector<float> values(std::size_t(pixels.rows * pca.count));
    project(pca, pixels, values);
    return table_of_values(std::move(values), pca.count);
  };
  return {hashed(fmt::format("pca:{}", pca.count), hash), project_all, pca};
}

FeatureSpace pca_features(const Dataset& reference, std::int64_t count) {
  Table pixels = pixels_of(reference);
  std::int64_t most = std::min(pixels.columns, pixels.rows - 1);
  if (most < 1) {
    throw Error(
        fmt::format("{}: expected at least 2 pictures, found {}", reference.source, pixels.rows));
  }
  return pca_features(fit_pca(pixels, std::min(count, most)), shape_text(reference));
}

Stats stats_of(const Moments& moments, const FeatureSpace& space, const Dataset& data) {
  Stats stats;
  stats.features = space.name;
  stats.count = moments.count;
  stats.mu = moments.mu;
  stats.sigma = moments.sigma;
  stats.components = space.pca.components;
  stats.centre = space.pca.components.empty() ? std::vector<double>{} : space.pca.mean;
  stats.preprocess = data.preprocess;
  if (data.size > 0) stats.inputs = {{"data", fmt::format("{:016x}", data.digest)}};
  return stats;
}

Moments moments_of(const Stats& stats) { return {stats.count, stats.mu, stats.sigma}; }

FeatureSpace features_of(const Stats& stats, const std::string& file) {
  if (stats.components.empty()) return {stats.features, {}};
  Pca pca;
  pca.columns = std::int64_t(stats.centre.size());
  pca.count = stats.dim();
  pca.mean = stats.centre;
  pca.components = stats.components;
  std::string shape = recorded_shape(stats.preprocess, pca.columns);
  FeatureSpace space = pca_features(std::move(pca), shape);
  if (space.name != stats.features) {
    throw Error(fmt::format("{}: /components are {}, but features says {}", file, space.name,
                            stats.features));
  }
  return space;
}

Dataset pictures_of(std::span<const float> rows, const Dataset& like, const std::string& source) {
  Dataset data;
  data.source = source;
  data.height = like.height;
  data.width = like.width;
  data.channels = like.channels;
  data.size = std::int64_t(rows.size()) / std::max<std::int64_t>(1, data.row_bytes());
  auto bytes = std::make_shared<std::vector<std::byte>>();
  for (float v : rows) bytes->push_back(std::byte(std::lround(255 * std::clamp(v, 0.0f, 1.0f))));
  data.pixels = *bytes;
  data.storage = bytes;
  return data;
}

}  // namespace atelier
