// Frechet distances through symmetric eigenvalues.
#include "eval/frechet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>

#include "base/error.h"
#include "base/random.h"
#include "eval/matrix.h"

namespace atelier {
namespace {

constexpr double kSingular = 1e-7;  // ratio of pivots below which eigenvectors are used
constexpr double kTail = 0.025;
constexpr std::int64_t kMostParts = 4, kRowsPerColumn = 2;

// Square roots of eigenvalues; those that are lost in the rounding of the largest are 0.
Eigen::VectorXd roots_of(const Eigen::VectorXd& values) {
  double least = double(values.size()) * std::numeric_limits<double>::epsilon() * values.maxCoeff();
  return values.unaryExpr([least](double v) { return v > least ? std::sqrt(v) : 0.0; });
}

double sum_of_roots(const Matrix& symmetric) {
  Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric, Eigen::EigenvaluesOnly);
  return roots_of(solver.eigenvalues()).sum();
}

std::optional<Matrix> cholesky_factor(const Matrix& sigma) {
  Eigen::LLT<Matrix> llt(sigma);
  if (llt.info() != Eigen::Success) return std::nullopt;
  Matrix factor = llt.matrixL();
  if (factor.diagonal().minCoeff() < kSingular * factor.diagonal().maxCoeff()) return std::nullopt;
  return factor;
}

Matrix square_root(const Matrix& sigma) {
  Eigen::SelfAdjointEigenSolver<Matrix> solver(sigma);
  return solver.eigenvectors() * roots_of(solver.eigenvalues()).asDiagonal() *
         solver.eigenvectors().transpose();
}

double trace_of_root(const Moments& a, const Moments& b, FrechetRoute route) {
  Matrix sigma_a = square_of(a.sigma, a.dim());
  Eigen::Map<const Matrix> sigma_b = square_of(b.sigma, b.dim());
  if (route != FrechetRoute::eigen) {
    std::optional<Matrix> factor = cholesky_factor(sigma_a);
    if (factor) return sum_of_roots(factor->transpose() * sigma_b * *factor);
    if (route == FrechetRoute::cholesky) {
      throw Error("Frechet distance: the covariance is singular, it has no Cholesky factor");
    }
  }
  Matrix root = square_root(sigma_a);
  return sum_of_roots(root * sigma_b * root);
}

// How often each of `rows` rows is drawn in `rows` draws.
std::vector<std::int32_t> resample(std::int64_t rows, RandomStream& random) {
  std::vector<std::int32_t> times(std::size_t(rows), 0);
  for (std::int64_t i = 0; i < rows; ++i) ++times[random.below(std::uint64_t(rows))];
  return times;
}

// A random order of rows, to be cut into shares.
std::vector<std::int64_t> permutation(std::int64_t rows, std::string_view stream,
                                      std::uint64_t seed) {
  std::vector<std::int64_t> order(std::size_t(rows), 0);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  RandomStream random(seed, stream_of(stream));
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

// Part `part` of `parts` of the rows in that order, as counts.
std::vector<std::int32_t> share_of(const std::vector<std::int64_t>& order, std::size_t part,
                                   std::size_t parts) {
  std::vector<std::int32_t> times(order.size(), 0);
  for (std::size_t i = order.size() * part / parts; i < order.size() * (part + 1) / parts; ++i) {
    times[std::size_t(order[i])] = 1;
  }
  return times;
}

double quantile(const std::vector<double>& sorted, double share) {
  double place = share * double(sorted.size() - 1);
  std::size_t below = std::size_t(place), above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - double(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

double frechet_distance(const Moments& a, const Moments& b, FrechetRoute route) {
  if (a.dim() != b.dim()) {
    throw Error(fmt::format("Frechet distance: features of {} and {} numbers", a.dim(), b.dim()));
  }
  double apart = (vector_of(a.mu) - vector_of(b.mu)).squaredNorm();
  double traces = square_of(a.sigma, a.dim()).trace() + square_of(b.sigma, b.dim()).trace();
  return std::max(0.0, apart + traces - 2 * trace_of_root(a, b, route));
}

Interval frechet_interval(double estimate, const FrechetReference& real, const Table& generated,
                          std::int64_t resamples, std::uint64_t seed) {
  std::vector<double> values;
  for (std::int64_t r = 0; r < resamples; ++r) {
    RandomStream random(seed, stream_of("frechet.resample"), std::uint64_t(r));
    Moments a =
        real.rows ? moments_of(*real.rows, resample(real.rows->rows, random)) : real.moments;
    values.push_back(frechet_distance(a, moments_of(generated, resample(generated.rows, random))));
  }
  if (values.empty()) return {estimate, estimate};
  std::sort(values.begin(), values.end());
  double centre = std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
  return {std::max(0.0, estimate + quantile(values, kTail) - centre),
          estimate + quantile(values, 1 - kTail) - centre};
}

std::optional<double> frechet_limit(const FrechetReference& real, const Table& generated,
                                    std::uint64_t seed) {
  std::int64_t fewest = generated.rows;
  if (real.rows) fewest = std::min(fewest, real.rows->rows);
  std::int64_t most = std::min(kMostParts, fewest / (kRowsPerColumn * generated.columns));
  if (most < 2) return std::nullopt;
  std::vector<std::int64_t> real_order, order = permutation(generated.rows, "frechet.share", seed);
  if (real.rows) real_order = permutation(real.rows->rows, "frechet.real_share", seed);
  double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
  for (std::int64_t parts = 1; parts <= most; ++parts) {
    double y = 0, x = double(parts);
    for (std::int64_t part = 0; part < parts; ++part) {
      auto times = [&](const std::vector<std::int64_t>& of) {
        return share_of(of, std::size_t(part), std::size_t(parts));
      };
      Moments a = real.rows ? moments_of(*real.rows, times(real_order)) : real.moments;
      y += frechet_distance(a, moments_of(generated, times(order))) / x;
    }
    sum_x += x;
    sum_y += y;
    sum_xx += x * x;
    sum_xy += x * y;
  }
  double n = double(most), slope = (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
  return (sum_y - slope * sum_x) / n;
}

}  // namespace atelier
