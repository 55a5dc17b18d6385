// Losses of diffusion models.
#include "diffusion/objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "graph/builders.h"

namespace atelier {
namespace {

// What the table says of each row, broadcastable to a picture.
struct TableRows {
  NoiseLevel level;
  Expr timestep, weight;  // [N]
  Expr posterior_mean_x0, log_variance_small, log_variance;

  TableRows(Expr table, Expr index, Expr x0) {
    Expr rows = take(table, index);
    std::int64_t count = index.shape()[0];
    auto column = [&](std::int64_t c) { return reshape(slice(rows, 1, c, c + 1), {count}); };
    level = {per_row(column(0), x0), per_row(column(1), x0)};
    timestep = column(2);
    weight = column(3);
    posterior_mean_x0 = per_row(column(4), x0);
    log_variance_small = per_row(column(5), x0);
    log_variance = per_row(column(6), x0);
  }
};

// -log of the probability of an 8-bit level under N(mean, exp(logvar)), in nats an element. The
// distribution function of a normal u is close to the logistic of k (u + 0.044715 u^3); of the
// edges a of a level and b below it, logistic(a) - logistic(b) = logistic(a) logistic(-b) (1 - e^(b
// - a)), and 1 - e^-d = tanh(d / 2) (1 + e^-d): no difference of nearly equal numbers is left. The
// two outermost levels reach to infinity.
Expr discretized_nll(Expr x0, Expr mean, Expr logvar) {
  constexpr double kHalfLevel = 1.0 / 255, kCubic = 0.044715, kNearEdge = 0.999;
  const double slope = 2 * std::sqrt(2 / std::numbers::pi);
  Expr inverse = exp(-0.5 * logvar);
  Expr above = inverse * (x0 - mean + kHalfLevel), below = inverse * (x0 - mean - kHalfLevel);
  Expr a = slope * (above + kCubic * (above * square(above)));
  Expr b = slope * (below + kCubic * (below * square(below)));
  Expr squares = square(above) + above * below + square(below);
  Expr d = (2 * kHalfLevel * slope) * inverse * (1.0 + kCubic * squares);
  Expr left = softplus(-a), right = softplus(b);
  Expr inner = left + right - log(tanh(0.5 * d)) - softplus(-d);
  Expr nll = where(less(kNearEdge, x0), right, inner);
  return where(less(x0, -kNearEdge), left, nll);
}

// -log of the density, in nats an element.
Expr density_nll(Expr x0, Expr mean, Expr logvar) {
  return 0.5 * (square(x0 - mean) * exp(-logvar) + logvar + std::log(2 * std::numbers::pi));
}

// Both means hold the same multiple of x, so that only their pictures differ.
Expr posterior_kl(Expr mean_difference, Expr posterior_logvar, Expr logvar) {
  Expr ratio = posterior_logvar - logvar;
  return 0.5 * (exp(ratio) - ratio - 1.0 + square(mean_difference) * exp(-logvar));
}

void require_args(const NoiseSchedule& schedule, const DiffusionArgs& args) {
  require_prediction_type(schedule, args.prediction_type);
  if (args.loss == DiffusionLoss::hybrid && args.variance_type != VarianceType::learned_range) {
    throw UsageError(
        "--loss hybrid: expected --variance-type learned-range, which is what its bound trains");
  }
  if (!(args.min_snr_gamma >= 0)) {
    throw UsageError(fmt::format("--min-snr-gamma {}: expected 0 or more", args.min_snr_gamma));
  }
  if (args.min_snr_gamma > 0 && args.loss == DiffusionLoss::vlb) {
    throw UsageError("--min-snr-gamma with --loss vlb: the bound has weights of its own");
  }
  if (!(args.clip_x0 >= 0)) {
    throw UsageError(fmt::format("clip_x0 {}: expected 0 or more", args.clip_x0));
  }
}

Graph& require_operands(Expr table, Expr x0, Expr index, Expr noise, Where where) {
  constexpr const char* kWhat = "diffusion_losses";
  const std::array all{table, x0, index, noise};
  Graph& graph = builders::graph_of(kWhat, all, where);
  auto require = [&](bool fits, const char* reason) {
    if (!fits) graph.refuse(kWhat, reason, all, where);
  };
  require(
      table.dtype() == DType::f32 && table.shape().rank() == 2 && table.shape()[1] == kTableColumns,
      "the table is none of timestep_table()");
  require(x0.dtype() == DType::f32 && x0.shape().rank() >= 2, "expected x0 f32 [N, .., C]");
  require(index.type() == Type{DType::i32, {x0.shape()[0]}}, "expected an index i32 [N]");
  require(noise.type() == x0.type(), "the noise is not like x0");
  return graph;
}

}  // namespace

DiffusionLoss parse_diffusion_loss(std::string_view text) {
  return chosen(kDiffusionLosses, "--loss", text);
}

double min_snr_weight(PredictionType type, double snr, double gamma) {
  double least = std::min(snr, gamma);
  if (type == PredictionType::x0) return least;
  return least / (type == PredictionType::v ? snr + 1 : snr);
}

std::vector<double> timestep_table(const NoiseSchedule& s, const DiffusionArgs& args) {
  require_args(s, args);
  bool learned = args.variance_type == VarianceType::learned_range;
  std::vector<double> fixed;
  if (!learned) fixed = log_variances(s, args.variance_type);
  std::vector<double> table;
  for (std::size_t i = 0; i < s.alphas_cumprod.size(); ++i) {
    double level = s.alphas_cumprod[i], weight = 1;
    if (args.min_snr_gamma > 0) {
      weight = min_snr_weight(args.prediction_type, s.snr[i], args.min_snr_gamma);
    }
    table.insert(table.end(), {std::sqrt(level), std::sqrt(1 - level), double(s.timesteps[i]),
                               weight, s.posterior_mean_x0[i], s.posterior_log_variance[i],
                               learned ? std::log(s.betas[i]) : fixed[i]});
  }
  return table;
}

DiffusionLosses diffusion_losses(const DiffusionArgs& args, const Denoiser& network, Expr table,
                                 Expr x0, Expr index, Expr noise, Where where) {
  At at(require_operands(table, x0, index, noise, where), where);
  TableRows rows(table, index, x0);
  Expr noised = add_noise(x0, noise, rows.level);
  Prediction prediction =
      split_prediction(network(noised, rows.timestep), noised, args.variance_type);
  Expr target = prediction_target(args.prediction_type, x0, noise, rows.level);
  DiffusionLosses losses;
  losses.mse = mean_per_row(square(prediction.pred - target));
  losses.x0 = x0_of(args.prediction_type, prediction.pred, noised, rows.level);
  if (args.clip_x0 > 0) losses.x0 = clamp(losses.x0, -args.clip_x0, args.clip_x0);

  Expr mean = args.loss == DiffusionLoss::hybrid ? stop_gradient(losses.x0) : losses.x0;
  Expr logvar = broadcast(rows.log_variance, x0.shape());
  if (prediction.range) {
    logvar = learned_log_variance(prediction.range, rows.log_variance_small, rows.log_variance);
  }
  Expr kl = posterior_kl(rows.posterior_mean_x0 * (x0 - mean), rows.log_variance_small, logvar);
  Expr nll = args.discretized ? discretized_nll(x0, mean, logvar) : density_nll(x0, mean, logvar);
  Expr term = atelier::where(equal(index, 0), mean_per_row(nll), mean_per_row(kl));
  losses.vlb = term * (1 / std::numbers::ln2);

  double timesteps = double(table.shape()[0]);
  switch (args.loss) {
    case DiffusionLoss::simple:
      losses.loss = rows.weight * losses.mse;
      break;
    case DiffusionLoss::hybrid:
      losses.loss = rows.weight * losses.mse + timesteps / 1000 * losses.vlb;
      break;
    case DiffusionLoss::vlb:
      losses.loss = timesteps * losses.vlb;
      break;
  }
  return losses;
}

Expr prior_bits(const NoiseSchedule& schedule, Expr x0, Where where) {
  At at(builders::graph_of("prior_bits", {x0}, where), where);
  double level = schedule.alphas_cumprod.back();
  double spread = -std::log1p(-level) - level;  // of its variance 1 - level from 1
  return (0.5 / std::numbers::ln2) * (level * mean_per_row(square(x0)) + spread);
}

}  // namespace atelier
