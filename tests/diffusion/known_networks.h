// Networks that know the answer.
#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include "diffusion/prediction.h"
#include "diffusion/support.h"

namespace atelier::testing {

// sqrt(a) and sqrt(1 - a) of every timestep, [T, 2].
inline std::vector<double> levels_of(const NoiseSchedule& schedule) {
  std::vector<double> levels;
  for (double a : schedule.alphas_cumprod) {
    levels.push_back(std::sqrt(a));
    levels.push_back(std::sqrt(1 - a));
  }
  return levels;
}

// Eight means on a circle of radius 1, [8, 2].
inline std::vector<double> ring_means() {
  std::vector<double> means;
  for (int k = 0; k < 8; ++k) {
    double angle = 2 * std::numbers::pi * k / 8;
    means.push_back(std::cos(angle));
    means.push_back(std::sin(angle));
  }
  return means;
}

// The best prediction of the noise for data of a mixture of equal Gaussians: means f32 [K, D], the
// variance of each coordinate around them; levels f32 [T, 2]. With s, n the level of a row,
//   eps = n (x - s E[mean | x]) / (s^2 variance + n^2).
inline Denoiser mixture_noise(Expr levels, Expr means, double variance) {
  return [=](Expr x, Expr timestep) {
    Expr level = take(levels, cast(timestep, DType::i32));
    Expr s = slice(level, 1, 0, 1), n = slice(level, 1, 1, 2);
    Expr spread = square(s) * variance + square(n);
    Expr lengths = reshape(sum(square(means), {1}), {1, means.shape()[0]});
    Expr logits = (s * matmul(x, means, false, true) - 0.5 * square(s) * lengths) / spread;
    return n * (x - s * matmul(softmax(logits), means)) / spread;
  };
}

}  // namespace atelier::testing
