// What a network's output says of a noised picture: the noise, the clean picture or their mixture
// v, and the variance of the step towards the clean picture.
//
// Pictures are f32 [N, .., C] of any rank from 2 on, the same in all operands of a function:
// ShapeError otherwise. A level is f32 and broadcasts to the picture: [] for all rows, or one a row
// by per_row().
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/choices.h"
#include "diffusion/noise_schedule.h"
#include "graph/ops.h"

namespace atelier {

// noised f32 [N, .., C], timestep f32 [N] (of training, as NoiseSchedule::timesteps has them) ->
// f32 [N, .., C], or [N, .., 2C] with a learned variance.
using Denoiser = std::function<Expr(Expr noised, Expr timestep)>;

// epsilon: the noise (Ho et al. 2020); v: signal noise - sigma x0 (Salimans and Ho 2022,
// arXiv:2202.00512).
enum class PredictionType { epsilon, x0, v };
inline constexpr Choice<PredictionType> kPredictionTypes[] = {
    {"epsilon", PredictionType::epsilon}, {"x0", PredictionType::x0}, {"v", PredictionType::v}};
PredictionType parse_prediction_type(std::string_view text);  // UsageError naming them all

// UsageError for epsilon with a zero terminal SNR: noise alone does not tell x0 from it.
void require_prediction_type(const NoiseSchedule& schedule, PredictionType type);

// Variance of p(x_(i-1) | x_i): that of the posterior given x0, beta, or between the two as the
// network says in C channels of its own (Nichol and Dhariwal 2021, arXiv:2102.09672).
enum class VarianceType { fixed_small, fixed_large, learned_range };
inline constexpr Choice<VarianceType> kVarianceTypes[] = {
    {"fixed-small", VarianceType::fixed_small},
    {"fixed-large", VarianceType::fixed_large},
    {"learned-range", VarianceType::learned_range}};
VarianceType parse_variance_type(std::string_view text);  // UsageError naming them all

// Log of the variance at each index, of the two fixed types. fixed_large has at index 0 the
// posterior's of index 1, as Ho et al. have. UsageError for learned_range.
std::vector<double> log_variances(const NoiseSchedule& schedule, VarianceType type);

// noised = signal x0 + sigma noise, with signal = sqrt(a) and sigma = sqrt(1 - a).
struct NoiseLevel {
  Expr signal, sigma;
};

// row f32 [N] -> [N, 1, .., 1] of x's rank.
Expr per_row(Expr row, Expr x, Where = Where::here());
// x [N, ..] -> [N]: the mean over all axes but the first.
Expr mean_per_row(Expr x, Where = Where::here());

Expr add_noise(Expr x0, Expr noise, NoiseLevel level, Where = Where::here());

// What a network of this type is trained to give.
Expr prediction_target(PredictionType type, Expr x0, Expr noise, NoiseLevel level,
                       Where = Where::here());
// The clean picture and the noise that a prediction means. epsilon divides by signal, and the noise
// of x0 by sigma, which must not be 0.
Expr x0_of(PredictionType type, Expr pred, Expr noised, NoiseLevel level, Where = Where::here());
Expr noise_of(PredictionType type, Expr pred, Expr noised, NoiseLevel level, Where = Where::here());

// A network's output taken apart; `range` [N, .., C] is there with a learned variance.
struct Prediction {
  Expr pred, range;
};
// The first C channels predict, the next C are the range. ShapeError, naming what was expected, if
// the output does not fit `noised`.
Prediction split_prediction(Expr output, Expr noised, VarianceType type, Where = Where::here());

// frac log_beta + (1 - frac) log_variance_small with frac = (range + 1) / 2; the two logs
// broadcast.
Expr learned_log_variance(Expr range, Expr log_variance_small, Expr log_beta,
                          Where = Where::here());

}  // namespace atelier
