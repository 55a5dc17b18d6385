// Posterior means of a mixture of Gaussians.
#include "eval/toy_noise.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace atelier {

std::array<double, 2> expected_noise(const Toy& toy, std::array<double, 2> noised, double a,
                                     std::int32_t mode) {
  double signal = std::sqrt(a), spread = a * toy.std * toy.std + 1 - a;
  std::vector<double> logits(toy.centres.size(), -std::numeric_limits<double>::infinity());
  for (std::size_t k = 0; k < logits.size(); ++k) {
    if (mode >= 0 && k != std::size_t(mode)) continue;
    double x = noised[0] - signal * toy.centres[k][0], y = noised[1] - signal * toy.centres[k][1];
    logits[k] = -(x * x + y * y) / (2 * spread);
  }
  double top = *std::ranges::max_element(logits), sum = 0, x = 0, y = 0;
  for (std::size_t k = 0; k < logits.size(); ++k) {
    double weight = std::exp(logits[k] - top);
    sum += weight;
    x += weight * toy.centres[k][0];
    y += weight * toy.centres[k][1];
  }
  double factor = std::sqrt(1 - a) / spread;
  return {factor * (noised[0] - signal * x / sum), factor * (noised[1] - signal * y / sum)};
}

double excess_noise_error(const Toy& toy, std::span<const float> noised,
                          std::span<const float> epsilon, double a, std::int32_t mode) {
  auto best = expected_noise(toy, {double(noised[0]), double(noised[1])}, a, mode);
  double x = double(epsilon[0]) - best[0], y = double(epsilon[1]) - best[1];
  return (x * x + y * y) / 2;
}

}  // namespace atelier
