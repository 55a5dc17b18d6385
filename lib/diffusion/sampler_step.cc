// Steps of samplers.
#include "diffusion/sampler_step.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "graph/builders.h"

namespace atelier {
namespace {

// What step_coefficients() wrote, as scalars; the order is that of its list.
struct Coefficients {
  Expr timestep, signal, sigma, next_signal, next_sigma;
  struct Mix {
    Expr x, x0, noise, memo;
  } next, memo;
  Expr noise_scale, log_variance_small, log_beta, guidance, unguided;

  explicit Coefficients(Expr list) {
    std::int64_t at = 0;
    for (Expr* one : {&timestep, &signal, &sigma, &next_signal, &next_sigma, &next.x, &next.x0,
                      &next.noise, &next.memo, &memo.x, &memo.x0, &memo.noise, &memo.memo,
                      &noise_scale, &log_variance_small, &log_beta, &guidance, &unguided}) {
      *one = reshape(slice(list, 0, at, at + 1), {});
      ++at;
    }
  }
};

Expr mixed(const Coefficients::Mix& mix, Expr x, Expr x0, Expr noise, Expr memo) {
  Expr sum = mix.x * x + mix.x0 * x0 + mix.noise * noise;
  return memo ? sum + mix.memo * memo : sum;
}

// The network on all rows of x, guided if asked for.
Prediction predicted(const StepArgs& args, const Denoiser& network, const Coefficients& c, Expr x) {
  std::int64_t rows = x.shape()[0];
  if (!args.guided) {
    Expr output = network(x, broadcast(c.timestep, {rows}));
    return split_prediction(output, x, args.variance_type);
  }
  Expr twice = concat(std::array{x, x}, 0);
  Expr output = network(twice, broadcast(c.timestep, {2 * rows}));
  Prediction both = split_prediction(output, twice, args.variance_type);
  Expr given = slice(both.pred, 0, 0, rows), free = slice(both.pred, 0, rows, 2 * rows);
  Prediction guided{c.guidance * given + c.unguided * free, {}};
  if (!both.range) return guided;
  // A mean of the two, exact at both ends: beyond them a range would leave -1..1.
  Expr share = min(max(c.guidance, 0.0), 1.0);
  guided.range =
      share * slice(both.range, 0, 0, rows) + (1.0 - share) * slice(both.range, 0, rows, 2 * rows);
  return guided;
}

Expr clipped(const StepArgs& args, Expr x0) {
  if (args.threshold_quantile == 0) return clamp(x0, -args.clip_x0, args.clip_x0);
  Expr quantile = quantile_per_row(abs(x0), args.threshold_quantile);
  Expr bound = per_row(max(quantile, args.clip_x0), x0);
  return min(max(x0, -bound), bound) * (args.clip_x0 / bound);
}

void check(const StepArgs& args) {
  if (!(args.clip_x0 >= 0)) {
    throw UsageError(fmt::format("clip_x0 {}: expected 0 or more", args.clip_x0));
  }
  if (!(args.threshold_quantile >= 0 && args.threshold_quantile <= 1)) {
    throw UsageError(
        fmt::format("threshold_quantile {}: expected 0 to 1", args.threshold_quantile));
  }
  if (args.threshold_quantile > 0 && args.clip_x0 == 0) {
    throw UsageError("threshold_quantile without clip_x0: there is no range to scale into");
  }
}

Graph& check(Expr coefficients, const SamplerState& state, Expr noise, const KnownPixels& known,
             Where where) {
  constexpr const char* kWhat = "sampler_step";
  Graph& graph = builders::graph_of(kWhat, {coefficients, state.x}, where);
  auto require = [&](bool fits, const char* reason, Expr one) {
    if (!fits) graph.refuse(kWhat, reason, std::array{state.x, one}, where);
  };
  auto like_x = [&](Expr one) { return one && one.type() == state.x.type(); };
  require(coefficients.type() == Type{DType::f32, {kStepCoefficients}},
          "the coefficients are not those of one step", coefficients);
  require(state.x.shape().rank() >= 2, "expected [N, .., C]", state.x);
  require(!state.memo || like_x(state.memo), "memo is not like x", state.memo);
  require(!noise || like_x(noise), "the noise is not like x", noise);
  if (!known.mask && !known.x0 && !known.noise) return graph;
  require(known.mask && (like_x(known.mask) ||
                         known.mask.type() == Type{DType::f32, state.x.shape().with(-1, 1)}),
          "the mask of known pixels is neither like x nor of one channel", known.mask);
  require(like_x(known.x0), "the known pixels are not like x", known.x0);
  require(like_x(known.noise), "the noise of known pixels is not like x", known.noise);
  return graph;
}

}  // namespace

SamplerState sampler_step(const StepArgs& args, const Denoiser& network, Expr coefficients,
                          const SamplerState& state, Expr noise, const KnownPixels& known,
                          Where where) {
  check(args);
  Graph& graph = check(coefficients, state, noise, known, where);
  At at(graph, where);
  Coefficients c(coefficients);
  NoiseLevel level{c.signal, c.sigma};
  Expr x = state.x;
  Prediction prediction = predicted(args, network, c, x);
  Expr x0 = x0_of(args.prediction_type, prediction.pred, x, level);
  Expr eps = noise_of(args.prediction_type, prediction.pred, x, level);
  if (args.clip_x0 > 0) {
    x0 = clipped(args, x0);
    eps = noise_of(PredictionType::x0, x0, x, level);
  }
  SamplerState after{.x = mixed(c.next, x, x0, eps, state.memo), .x0 = x0};
  if (state.memo) after.memo = mixed(c.memo, x, x0, eps, state.memo);
  if (noise) {
    Expr scaled = c.noise_scale * noise;
    if (prediction.range) {
      scaled = exp(0.5 * learned_log_variance(prediction.range, c.log_variance_small, c.log_beta)) *
               scaled;
    }
    after.x = after.x + scaled;
  }
  if (known.mask) {
    Expr kept = add_noise(known.x0, known.noise, {c.next_signal, c.next_sigma});
    after.x = atelier::where(less(0.5, known.mask), kept, after.x);
  }
  return after;
}

Expr quantile_per_row(Expr x, double q, Where where) {
  constexpr const char* kWhat = "quantile_per_row";
  Graph& graph = builders::graph_of(kWhat, {x}, where);
  if (x.shape().rank() < 1) graph.refuse(kWhat, "expected [N, ..]", {&x, 1}, where);
  if (!(q >= 0 && q <= 1)) graph.refuse(kWhat, "expected 0 <= q <= 1", {&x, 1}, where);
  At at(graph, where);
  std::int64_t rows = x.shape()[0], elements = x.shape().count() / rows;
  Expr values = reshape(x, {rows, elements});
  Expr ones = broadcast(graph.constant(1), values.shape());
  // Ranks are counted from 0: the element of rank k has at least k + 1 elements up to itself.
  double rank = q * double(elements - 1), below = std::floor(rank);
  auto count_up_to = [&](Expr bound) {
    return sum(atelier::where(less(bound, values), 0.0, ones), {1});
  };
  // The wanted element stays in (low, high], which ends as two neighbouring floats or nearly so.
  // The small number is for rows of zeros.
  Expr high = top(values, {1});
  Expr low = -high - 1e-20;
  constexpr int kHalvings = 26;
  for (int i = 0; i < kHalvings; ++i) {
    Expr middle = 0.5 * (low + high);
    Expr enough = less(below + 0.5, count_up_to(middle));
    high = atelier::where(enough, middle, high);
    low = atelier::where(enough, low, middle);
  }
  constexpr double kFar = std::numeric_limits<float>::max();
  auto least_above = [&](Expr bound) {
    return -top(atelier::where(less(bound, values), -values, -kFar), {1});
  };
  Expr lower = least_above(low);
  if (rank == below) return reshape(lower, {rows});
  Expr repeated = less(below + 1.5, count_up_to(lower));
  Expr upper = atelier::where(repeated, lower, least_above(lower));
  return reshape(lower + (rank - below) * (upper - lower), {rows});
}

}  // namespace atelier
