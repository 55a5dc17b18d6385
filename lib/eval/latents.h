// Statistics of latent vectors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace atelier {

// Variance over the data of each unit's posterior mean; latents [rows, units], row-major.
std::vector<double> unit_variances(std::span<const float> latents, std::int64_t units);

// Units whose posterior mean varies by more than `threshold` over the data (Burda et al. 2015,
// arXiv:1509.00519, section 5.2).
std::int64_t active_units(std::span<const float> latents, std::int64_t units,
                          double threshold = 0.01);

}  // namespace atelier
