// What diffusion models are trained on: errors of predictions and terms of the variational bound.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/choices.h"
#include "diffusion/noise_schedule.h"
#include "diffusion/prediction.h"

namespace atelier {

// simple: the squared error of the prediction (Ho et al. 2020). vlb: the variational bound itself.
// hybrid: simple, and the bound for the learned variance alone (Nichol and Dhariwal 2021).
enum class DiffusionLoss { simple, hybrid, vlb };
inline constexpr Choice<DiffusionLoss> kDiffusionLosses[] = {{"simple", DiffusionLoss::simple},
                                                             {"hybrid", DiffusionLoss::hybrid},
                                                             {"vlb", DiffusionLoss::vlb}};
DiffusionLoss parse_diffusion_loss(std::string_view text);  // UsageError naming them all

struct DiffusionArgs {
  PredictionType prediction_type = PredictionType::epsilon;
  VarianceType variance_type = VarianceType::fixed_large;
  DiffusionLoss loss = DiffusionLoss::simple;
  double min_snr_gamma = 0;  // see min_snr_weight(); 0: every timestep weighs 1
  // Data are the 256 levels of 8 bits, scaled to -1..1, and the bound is on their probability;
  // false: real numbers, and the bound is on their density.
  bool discretized = true;
  double clip_x0 = 0;  // in the bound predicted pictures are clipped to [-clip_x0, clip_x0]; 0: not
};

// Weight of a timestep's squared error (Hang et al. 2023, arXiv:2303.09556):
//   epsilon  min(snr, gamma) / snr     x0  min(snr, gamma)     v  min(snr, gamma) / (snr + 1)
// With a zero terminal SNR the last timestep weighs nothing.
double min_snr_weight(PredictionType type, double snr, double gamma);

// Numbers of each timestep, f64 [T, kTableColumns], which diffusion_losses() reads as an f32
// tensor:
//   0  signal, sqrt(a)             4  factor of x0 in the posterior's mean
//   1  sigma, sqrt(1 - a)          5  log of the posterior's variance
//   2  timestep that the network   6  log of the fixed variance; with a learned one of its upper
//      is told                        end, beta
//   3  weight of the squared error
// Throws UsageError for hybrid without a learned variance, min_snr_gamma with vlb, negative
// min_snr_gamma or clip_x0, and epsilon with a zero terminal SNR.
inline constexpr std::int64_t kTableColumns = 7;
std::vector<double> timestep_table(const NoiseSchedule& schedule, const DiffusionArgs& args);

// One value a row, f32 [N].
struct DiffusionLosses {
  Expr loss;  // what training minimises the mean of
  Expr mse;   // of the prediction, mean over elements, without a weight
  // The row's term of the variational bound in bits per dimension: the KL divergence of p(x_(i-1) |
  // x_i) from the posterior, and at index 0 -log p(x0 | x_0). Summed over all indices, with
  // prior_bits(), it bounds the bits of x0.
  Expr vlb;
  Expr x0;  // the predicted picture, f32 [N, .., C]
};

// table f32 [T, kTableColumns]; x0 and noise f32 [N, .., C]; index i32 [N] into the table. The loss
// is
//   simple  weight mse       hybrid  weight mse + T / 1000 vlb       vlb  T vlb
// where hybrid's vlb has no gradient in the predicted picture (T / 1000 and T: Nichol and
// Dhariwal's code). 8-bit data have the logistic approximation of the normal distribution function
// of that code, in a form that does not underflow. An index outside the table gives NaN. Throws
// ShapeError for operands that do not fit each other or the network's output.
DiffusionLosses diffusion_losses(const DiffusionArgs& args, const Denoiser& network, Expr table,
                                 Expr x0, Expr index, Expr noise, Where = Where::here());

// KL(q(x_T | x0) || N(0, I)), bits per dimension; x0 f32 [N, .., C] -> [N].
Expr prior_bits(const NoiseSchedule& schedule, Expr x0, Where = Where::here());

}  // namespace atelier
