// What mean and covariance alone reach: the best linear denoiser of a diffusion, and the likelihood
// of a Gaussian.
#pragma once

#include "eval/moments.h"

namespace atelier {

// Mean squared errors per number of the best linear prediction (Wiener filter), averaged over 1000
// timesteps of data 2x - 1: of the noise, and of v (Salimans and Ho 2022, arXiv:2202.00512). For
// the linear (Ho et al. 2020) and the cosine schedule (Nichol and Dhariwal 2021).
struct WienerLosses {
  double linear_epsilon = 0, linear_v = 0, cosine_epsilon = 0, cosine_v = 0;
};
WienerLosses wiener_losses(const Moments& moments);

// Bits per number of 8-bit pixels, with uniform noise of one step, under the Gaussian with the
// moments of `train` (and the noise's variance). Pixels in 0..1; what of `test` counts is its own
// moments.
double gaussian_bits(const Moments& train, const Moments& test);

}  // namespace atelier
