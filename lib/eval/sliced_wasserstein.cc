// Projections, sorted, compared.
#include "eval/sliced_wasserstein.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "base/parallel.h"

namespace atelier {

double wasserstein(std::span<float> a, std::span<float> b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  // Quantile i / n of one and j / m of the other are compared as i m and j n, which are whole.
  std::uint64_t n = a.size(), m = b.size(), at = 0;
  double sum = 0;
  for (std::size_t i = 0, j = 0; i < n && j < m;) {
    std::uint64_t end_a = (i + 1) * m, end_b = (j + 1) * n, end = std::min(end_a, end_b);
    sum += double(end - at) * std::abs(double(a[i]) - double(b[j]));
    at = end;
    i += end == end_a;
    j += end == end_b;
  }
  return sum / (double(n) * double(m));
}

double sliced_wasserstein(std::span<const float> a, std::span<const float> b) {
  std::array<double, kSlices> distances{};
  // Made here, since nothing may throw in the team.
  std::vector<std::vector<float>> all_a(std::size_t(num_threads()),
                                        std::vector<float>(a.size() / 2));
  std::vector<std::vector<float>> all_b(std::size_t(num_threads()),
                                        std::vector<float>(b.size() / 2));
  parallel([&](int thread, int threads) {
    Range mine = split_range(kSlices, thread, threads);
    std::vector<float>&of_a = all_a[std::size_t(thread)], &of_b = all_b[std::size_t(thread)];
    auto project = [](std::span<const float> points, double angle, std::vector<float>& into) {
      double x = std::cos(angle), y = std::sin(angle);
      for (std::size_t i = 0; i < into.size(); ++i)
        into[i] = float(x * double(points[2 * i]) + y * double(points[2 * i + 1]));
    };
    for (long slice = mine.first; slice < mine.last; ++slice) {
      double angle = std::numbers::pi * (double(slice) + 0.5) / kSlices;
      project(a, angle, of_a);
      project(b, angle, of_b);
      distances[std::size_t(slice)] = wasserstein(of_a, of_b);
    }
  });
  double sum = 0;
  for (double distance : distances) sum += distance;
  return sum / kSlices;
}

}  // namespace atelier
