// The ladder of methods without learning on the user's own pictures, as figures.
#pragma once

#include <cstdint>
#include <span>

#include "data/dataset.h"
#include "eval/comparison.h"

namespace atelier {

// Numbers of principal components that figures are told for.
inline constexpr std::int64_t kBaselineComponents[] = {2, 8, 16, 32, 64};

// Fitted to rows of `train`, judged on rows of `judged`:
//   pca_2_squared_error .. pca_64_squared_error (sum of squares/image), pca_2_psnr .. (dB)
//   bernoulli_nll, mixture_nll (nats/image, pixels from 128 on as 1; a mixture needs labels)
//   histogram_bits, place_histogram_bits, context_histogram_bits, gaussian_bits (bits/dim)
//   wiener_linear_epsilon, wiener_linear_v, wiener_cosine_epsilon, wiener_cosine_v
// The Gaussian needs more rows than a picture has numbers; it is left out otherwise.
// Pictures of more than 4096 numbers have no covariance: what needs one is left out with a remark.
// Throws Error if there are fewer than two rows to fit to, if the pictures differ in shape, or for
// vectors.
Comparison baseline_figures(const Dataset& train, std::span<const std::int64_t> train_indices,
                            const Dataset& judged, std::span<const std::int64_t> judged_indices);

}  // namespace atelier
