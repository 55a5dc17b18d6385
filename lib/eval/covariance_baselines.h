// What mean and covariance alone reach: the best linear denoiser of a diffusion, and the likelihood
// of a Gaussian.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/pixels.h"
#include "eval/moments.h"
#include "eval/table.h"

namespace atelier {

// Beyond so many numbers a covariance takes too much memory, and its eigenvectors too long.
inline constexpr std::int64_t kMostCovarianceColumns = 4096;
// Why there is none of so many rows of so many numbers; empty: there is one.
std::string no_covariance(std::int64_t rows, std::int64_t numbers,
                          std::int64_t most_numbers = kMostCovarianceColumns);

// The best linear denoiser (Wiener filter) fitted to some data, by what its errors on others depend
// on.
struct WienerFilter {
  // Along the eigenvectors of the covariance fitted to, in no order: variances of the data fitted
  // to, and mean squares of the data judged about the fitted mean; these may be the mean over all
  // directions in which the data fitted to do not vary.
  std::vector<double> fitted, judged;

  // Mean square error a number of its prediction of v (Salimans and Ho 2022, arXiv:2202.00512) of
  // data at the level a = alphas_cumprod, below 1; in the noise it is off by a times that, in the
  // clean data by 1 - a times that. The variances fitted are shrunk towards their mean (Ledoit and
  // Wolf 2004) by the share, of a fixed few from 0 to 1, that suits the judged data best at this
  // level: where rows are few the data vary along directions in which those fitted to do not, and
  // the filter of their own covariance would be worse than predicting 0.
  double v_error(double alphas_cumprod) const;
  // With a given share: 0 is the covariance as it is, 1 a multiple of the identity.
  double v_error(double alphas_cumprod, double shrinkage) const;
};
// Of data `scale` times as wide as those with the moments: 2 for pixels that are noised as 2x - 1.
// Judged on what it is fitted to; or on others, of as many numbers.
WienerFilter wiener_filter(const Moments& data, double scale);
WienerFilter wiener_filter(const Moments& fitted, const Moments& judged, double scale);
// Fewer rows than numbers are fitted through their products with one another, as their covariance
// has no more directions than that: in less time. Throws Error for fewer than two rows to fit to.
WienerFilter wiener_filter(const Table& fitted, const Table& judged, double scale);
// Of rows of data sets as models see them; at least two of each, and of kMostCovarianceColumns
// numbers at most.
WienerFilter wiener_filter(const Dataset& fitted, std::span<const std::int64_t> fitted_rows,
                           const Dataset& judged, std::span<const std::int64_t> judged_rows,
                           double scale, Binarize binarize = Binarize::none);

// Mean squared errors per number of the filter averaged over 1000 timesteps: of the noise, and of
// v. For the linear (Ho et al. 2020) and the cosine schedule (Nichol and Dhariwal 2021).
struct WienerLosses {
  double linear_epsilon = 0, linear_v = 0, cosine_epsilon = 0, cosine_v = 0;
};
WienerLosses wiener_losses(const WienerFilter& filter);

// Bits per number of 8-bit pixels, with uniform noise of one step, under the Gaussian with the
// moments of `train` (and the noise's variance). Pixels in 0..1; what of `test` counts is its own
// moments.
double gaussian_bits(const Moments& train, const Moments& test);

}  // namespace atelier
