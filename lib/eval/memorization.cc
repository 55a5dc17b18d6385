// Ranks of nearest distances.
#include "eval/memorization.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "eval/neighbors.h"

namespace atelier {
namespace {

constexpr std::int64_t kMostStandIns = 2048;
constexpr double kNear = 0.01;  // share of real rows that define what is near

std::vector<double> roots(std::vector<double> squares) {
  for (double& v : squares) v = std::sqrt(v);
  return squares;
}

std::vector<double> distances_of_real(const Table& training, const Table& unseen) {
  if (unseen.rows > 0) return roots(nearest(unseen, training, 1).square);
  std::int64_t count = std::min(training.rows, kMostStandIns);
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < count; ++i) chosen.push_back(i * training.rows / count);
  Table some{
      count, training.columns, [&](std::int64_t first, std::int64_t n, std::span<float> into) {
        std::size_t d = std::size_t(training.columns);
        for (std::int64_t i = 0; i < n; ++i) {
          training.read(chosen[std::size_t(first + i)], 1, into.subspan(std::size_t(i) * d, d));
        }
      }};
  return roots(nearest(some, training, 1, chosen).square);
}

double median(const std::vector<double>& sorted) {
  std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double share_within(const std::vector<double>& sorted, double distance) {
  auto end = std::upper_bound(sorted.begin(), sorted.end(), distance);
  return double(end - sorted.begin()) / double(sorted.size());
}

// Probability that one of `a` is below one of `b`, ties half, and its deviations from 1/2.
void rank(const std::vector<double>& a, const std::vector<double>& b, Memorization& result) {
  double below = 0;
  for (double v : a) {
    auto above = b.end() - std::upper_bound(b.begin(), b.end(), v);
    auto at_least = b.end() - std::lower_bound(b.begin(), b.end(), v);
    below += 0.5 * double(above + at_least);
  }
  double m = double(a.size()), n = double(b.size());
  result.nearer_prob = below / (m * n);
  result.z = (result.nearer_prob - 0.5) / std::sqrt((m + n + 1) / (12 * m * n));
}

}  // namespace

Memorization memorization(const Table& training, const Table& generated, const Table& unseen) {
  Neighbors neighbors = nearest(generated, training, 1);
  std::vector<double> real = distances_of_real(training, unseen);
  std::sort(real.begin(), real.end());
  Memorization result;
  result.order = own_rows(generated.rows);
  std::stable_sort(result.order.begin(), result.order.end(), [&](std::int64_t a, std::int64_t b) {
    return neighbors.square[std::size_t(a)] < neighbors.square[std::size_t(b)];
  });
  std::vector<double> sorted;
  for (std::int64_t row : result.order) {
    result.matches.push_back(neighbors.index[std::size_t(row)]);
    sorted.push_back(std::sqrt(neighbors.square[std::size_t(row)]));
  }
  result.nearest = median(sorted);
  result.reference = median(real);
  double near = real[std::size_t(std::ceil(kNear * double(real.size()))) - 1];
  result.copies = share_within(sorted, near);
  result.reference_copies = share_within(real, near);
  result.exact = std::int64_t(share_within(sorted, 0) * double(sorted.size()) + 0.5);
  rank(sorted, real, result);
  return result;
}

}  // namespace atelier
