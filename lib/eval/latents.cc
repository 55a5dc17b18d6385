// Statistics of latent vectors, in two passes in double.
#include "eval/latents.h"

#include <algorithm>

namespace atelier {

std::vector<double> unit_variances(std::span<const float> latents, std::int64_t units) {
  std::size_t d = std::size_t(units), rows = d ? latents.size() / d : 0;
  std::vector<double> mean(d, 0.0), variance(d, 0.0);
  if (rows == 0) return variance;
  for (std::size_t i = 0; i < rows * d; ++i) mean[i % d] += latents[i] / double(rows);
  for (std::size_t i = 0; i < rows * d; ++i) {
    double offset = latents[i] - mean[i % d];
    variance[i % d] += offset * offset / double(rows);
  }
  return variance;
}

std::int64_t active_units(std::span<const float> latents, std::int64_t units, double threshold) {
  std::vector<double> variances = unit_variances(latents, units);
  return std::count_if(variances.begin(), variances.end(),
                       [threshold](double v) { return v > threshold; });
}

}  // namespace atelier
