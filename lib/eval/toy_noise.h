// The best denoiser of a toy, in closed form: what a network that saw its points can at most learn.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "data/toy.h"

namespace atelier {

// E[noise | noised] of noised = sqrt(a) point + sqrt(1 - a) noise, 0 < a < 1, for points of the
// toy, which has modes; with `mode` from 0 on for those of one mode alone. Of equal Gaussians about
// centres c_k of variance s^2, with u = a s^2 + 1 - a and weights w_k in proportion to
// exp(-|noised - sqrt(a) c_k|^2 / 2u), it is sqrt(1 - a) (noised - sqrt(a) sum_k w_k c_k) / u.
std::array<double, 2> expected_noise(const Toy& toy, std::array<double, 2> noised,
                                     double alphas_cumprod, std::int32_t mode = -1);

// Mean square a number of `epsilon` [2], said to be the noise in `noised` [2], from that: its
// average over noised points is by how much a network's error is above the best one's.
double excess_noise_error(const Toy& toy, std::span<const float> noised,
                          std::span<const float> epsilon, double alphas_cumprod,
                          std::int32_t mode = -1);

}  // namespace atelier
