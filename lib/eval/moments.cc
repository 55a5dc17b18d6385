// Moments of rows: tiles of the covariance, one thread a tile.
#include "eval/moments.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/matrix.h"

namespace atelier {
namespace {

constexpr std::int64_t kTile = 96;  // columns; fixes the order of sums, whatever the team

std::int64_t counted(const Table& table, std::span<const std::int32_t> times) {
  if (times.empty()) return table.rows;
  std::int64_t count = 0;
  for (std::int32_t t : times) count += t;
  return count;
}

// Tiles that cover the lower triangle.
std::vector<std::pair<std::int64_t, std::int64_t>> tiles_of(std::int64_t d) {
  std::vector<std::pair<std::int64_t, std::int64_t>> tiles;
  for (std::int64_t i = 0; i < d; i += kTile) {
    for (std::int64_t j = 0; j <= i; j += kTile) tiles.emplace_back(i, j);
  }
  return tiles;
}

}  // namespace

Moments moments_of(const Table& table, std::span<const std::int32_t> times) {
  std::int64_t d = table.columns, count = counted(table, times);
  if (count < 2) {
    throw Error(fmt::format("covariance: expected at least 2 rows, found {}", count));
  }
  auto times_of = [&](std::int64_t row) { return times.empty() ? 1 : times[std::size_t(row)]; };
  Moments result{count, std::vector<double>(std::size_t(d), 0.0), {}};
  for_each_piece(table, [&](std::int64_t first, std::int64_t rows, std::span<float> values) {
    for (std::int64_t i = 0; i < rows; ++i) {
      double t = times_of(first + i);
      if (t == 0) continue;
      const float* x = values.data() + i * d;
      for (std::int64_t j = 0; j < d; ++j) result.mu[std::size_t(j)] += t * double(x[j]);
    }
  });
  for (double& m : result.mu) m /= double(count);

  Matrix total = Matrix::Zero(d, d), piece(kTablePiece, d);
  auto tiles = tiles_of(d);
  for_each_piece(table, [&](std::int64_t first, std::int64_t rows, std::span<float> values) {
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      std::int32_t t = times_of(first + i);
      if (t == 0) continue;
      double scale = std::sqrt(double(t));
      const float* x = values.data() + i * d;
      double* into = piece.data() + kept++ * d;
      for (std::int64_t j = 0; j < d; ++j) {
        into[j] = (double(x[j]) - result.mu[std::size_t(j)]) * scale;
      }
    }
    parallel([&](int thread, int threads) {
      Range mine = split_range(long(tiles.size()), thread, threads);
      for (long t = mine.first; t < mine.last; ++t) {
        std::int64_t i = tiles[std::size_t(t)].first, j = tiles[std::size_t(t)].second;
        std::int64_t height = std::min(kTile, d - i), width = std::min(kTile, d - j);
        total.block(i, j, height, width).noalias() +=
            piece.block(0, i, kept, height).transpose() * piece.block(0, j, kept, width);
      }
    });
  });
  total /= double(count - 1);
  total.triangularView<Eigen::StrictlyUpper>() = total.transpose();
  result.sigma.assign(total.data(), total.data() + d * d);
  return result;
}

}  // namespace atelier
