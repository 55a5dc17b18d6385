// Kernel distance over disjoint subsets.
#include "eval/kernel_distance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "eval/matrix.h"

namespace atelier {
namespace {

constexpr std::int64_t kFewestSubsets = 10;

std::vector<std::int64_t> shuffled(std::int64_t rows, std::uint64_t seed, const char* stream) {
  std::vector<std::int64_t> order(std::size_t(rows), 0);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  RandomStream random(seed, stream_of(stream));
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

Matrix rows_at(const Table& table, std::span<const std::int64_t> indices) {
  Matrix rows(std::int64_t(indices.size()), table.columns);
  std::vector<float> row(std::size_t(table.columns));
  for (std::size_t i = 0; i < indices.size(); ++i) {
    table.read(indices[i], 1, row);
    std::copy(row.begin(), row.end(), rows.row(std::int64_t(i)).data());
  }
  return rows;
}

double sum_of_kernel(const Matrix& x, const Matrix& y) {
  return ((x * y.transpose()).array() / double(x.cols()) + 1).cube().sum();
}

double sum_of_diagonal(const Matrix& x) {
  return (x.rowwise().squaredNorm().array() / double(x.cols()) + 1).cube().sum();
}

// Unbiased: pairs of a row with itself are left out within a set.
double discrepancy(const Matrix& x, const Matrix& y) {
  double m = double(x.rows());
  double within =
      sum_of_kernel(x, x) - sum_of_diagonal(x) + sum_of_kernel(y, y) - sum_of_diagonal(y);
  return within / (m * (m - 1)) - 2 * sum_of_kernel(x, y) / (m * m);
}

}  // namespace

KernelDistance kernel_distance(const Table& real, const Table& generated,
                               const KernelDistanceArgs& args) {
  if (real.columns != generated.columns) {
    throw Error(fmt::format("kernel distance: features of {} and {} numbers", real.columns,
                            generated.columns));
  }
  std::int64_t fewest = std::min(real.rows, generated.rows);
  if (fewest < 4) {
    throw Error(fmt::format("kernel distance: expected at least 4 rows, found {}", fewest));
  }
  std::int64_t rows = std::clamp<std::int64_t>(fewest / kFewestSubsets, 2,
                                               std::max<std::int64_t>(2, args.most_rows));
  KernelDistance result{.subsets = fewest / rows, .rows = rows};
  auto real_order = shuffled(real.rows, args.seed, "kernel_distance.real");
  auto order = shuffled(generated.rows, args.seed, "kernel_distance.generated");
  std::vector<double> values;
  for (std::int64_t s = 0; s < result.subsets; ++s) {
    auto part = [&](const std::vector<std::int64_t>& of) {
      return std::span(of).subspan(std::size_t(s * rows), std::size_t(rows));
    };
    values.push_back(discrepancy(rows_at(real, part(real_order)), rows_at(generated, part(order))));
  }
  double n = double(values.size()), squares = 0;
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  for (double v : values) squares += (v - result.mean) * (v - result.mean);
  result.standard_error = std::sqrt(squares / (n * (n - 1)));
  return result;
}

}  // namespace atelier
