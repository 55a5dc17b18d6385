// The k nearest of each row, kept sorted while blocks pass.
#include "eval/neighbors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/distances.h"

namespace atelier {
namespace {

// Inserts into the sorted lists of one query; `distance` squared.
void insert(std::span<double> distances, std::span<std::int64_t> indices, double distance,
            std::int64_t index) {
  std::size_t place = distances.size() - 1;
  for (; place > 0 && distances[place - 1] > distance; --place) {
    distances[place] = distances[place - 1];
    indices[place] = indices[place - 1];
  }
  distances[place] = distance;
  indices[place] = index;
}

}  // namespace

Neighbors nearest(const Table& queries, const Table& base, std::int64_t k,
                  std::span<const std::int64_t> own) {
  std::int64_t fewest = k + (own.empty() ? 0 : 1);
  if (base.rows < fewest) {
    throw Error(
        fmt::format("nearest neighbours: expected at least {} rows, found {}", fewest, base.rows));
  }
  Neighbors result{
      k, std::vector<std::int64_t>(std::size_t(queries.rows * k), -1),
      std::vector<double>(std::size_t(queries.rows * k), std::numeric_limits<double>::infinity())};
  for_each_block(queries, base, [&](const DistanceBlock& block) {
    parallel([&](int thread, int threads) {
      Range mine = split_range(long(block.queries), thread, threads);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        std::size_t at = std::size_t((block.query_first + i) * k);
        std::span<double> distances(result.square.data() + at, std::size_t(k));
        std::span<std::int64_t> indices(result.index.data() + at, std::size_t(k));
        std::int64_t skipped =
            own.empty() ? -1 : own[std::size_t(block.query_first + i)] - block.base_first;
        block.for_each_near(i, distances.back(), [&](std::int64_t j) {
          if (j == skipped || block.near(i, j) - block.slack(i, j) >= distances.back()) return;
          double distance = block.exact(i, j);
          if (distance < distances.back()) {
            insert(distances, indices, distance, block.base_first + j);
          }
        });
      }
    });
  });
  return result;
}

Table unit_rows(const Table& table) {
  return {table.rows, table.columns,
          [table](std::int64_t first, std::int64_t count, std::span<float> into) {
            table.read(first, count, into);
            for (std::int64_t i = 0; i < count; ++i) {
              std::span<float> row =
                  into.subspan(std::size_t(i * table.columns), std::size_t(table.columns));
              double square = 0;
              for (float v : row) square += double(v) * double(v);
              if (square == 0) continue;
              for (float& v : row) v = float(double(v) / std::sqrt(square));
            }
          }};
}

std::vector<std::int64_t> own_rows(std::int64_t rows) {
  std::vector<std::int64_t> own(std::size_t(rows), 0);
  std::iota(own.begin(), own.end(), std::int64_t{0});
  return own;
}

}  // namespace atelier
