// Predictions and what they mean.
#include "diffusion/prediction.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "graph/builders.h"

namespace atelier {
namespace {

// The graph of pictures of one shape [N, .., C].
Graph& graph_of_pictures(std::string_view what, std::initializer_list<Expr> pictures, Where where) {
  std::span<const Expr> all(pictures.begin(), pictures.size());
  Graph& graph = builders::graph_of(what, all, where);
  if (all[0].shape().rank() < 2) graph.refuse(what, "expected [N, .., C]", all, where);
  for (Expr picture : all) {
    if (picture.shape() != all[0].shape()) {
      graph.refuse(what, "pictures have different shapes", all, where);
    }
  }
  return graph;
}

}  // namespace

PredictionType parse_prediction_type(std::string_view text) {
  return chosen(kPredictionTypes, "--prediction-type", text);
}

void require_prediction_type(const NoiseSchedule& schedule, PredictionType type) {
  if (type != PredictionType::epsilon || !schedule.zero_terminal_snr()) return;
  throw UsageError(
      "--prediction-type epsilon with --zero-terminal-snr: the last timestep is noise alone, which "
      "does "
      "not tell the picture; expected v or x0");
}

VarianceType parse_variance_type(std::string_view text) {
  return chosen(kVarianceTypes, "--variance-type", text);
}

std::vector<double> log_variances(const NoiseSchedule& schedule, VarianceType type) {
  if (type == VarianceType::fixed_small) return schedule.posterior_log_variance;
  if (type == VarianceType::learned_range) {
    throw UsageError("variance_type learned-range: the network says it, the schedule does not");
  }
  std::vector<double> logs{schedule.posterior_log_variance[0]};
  for (std::size_t i = 1; i < schedule.betas.size(); ++i)
    logs.push_back(std::log(schedule.betas[i]));
  return logs;
}

Expr per_row(Expr row, Expr x, Where where) {
  Graph& graph = builders::graph_of("per_row", {row, x}, where);
  if (row.shape().rank() != 1 || x.shape().rank() < 1 || row.shape()[0] != x.shape()[0]) {
    graph.refuse("per_row", "expected [N] and [N, ..]", std::array{row, x}, where);
  }
  Shape shape{row.shape()[0]};
  while (shape.rank() < x.shape().rank()) shape = shape.insert(shape.rank(), 1);
  return reshape(row, shape, where);
}

Expr mean_per_row(Expr x, Where where) {
  Graph& graph = builders::graph_of("mean_per_row", {x}, where);
  if (x.shape().rank() < 1) graph.refuse("mean_per_row", "expected [N, ..]", {&x, 1}, where);
  std::vector<int> axes;
  for (int axis = 1; axis < x.shape().rank(); ++axis) axes.push_back(axis);
  std::int64_t rows = x.shape()[0];
  return reshape(axes.empty() ? x : mean(x, axes, where), {rows}, where);
}

Expr add_noise(Expr x0, Expr noise, NoiseLevel level, Where where) {
  At at(graph_of_pictures("add_noise", {x0, noise}, where), where);
  return level.signal * x0 + level.sigma * noise;
}

Expr prediction_target(PredictionType type, Expr x0, Expr noise, NoiseLevel level, Where where) {
  At at(graph_of_pictures("prediction_target", {x0, noise}, where), where);
  if (type == PredictionType::x0) return x0;
  if (type == PredictionType::epsilon) return noise;
  return level.signal * noise - level.sigma * x0;
}

Expr x0_of(PredictionType type, Expr pred, Expr noised, NoiseLevel level, Where where) {
  At at(graph_of_pictures("x0_of", {pred, noised}, where), where);
  if (type == PredictionType::x0) return pred;
  if (type == PredictionType::epsilon) return (noised - level.sigma * pred) / level.signal;
  return level.signal * noised - level.sigma * pred;
}

Expr noise_of(PredictionType type, Expr pred, Expr noised, NoiseLevel level, Where where) {
  At at(graph_of_pictures("noise_of", {pred, noised}, where), where);
  if (type == PredictionType::epsilon) return pred;
  if (type == PredictionType::x0) return (noised - level.signal * pred) / level.sigma;
  return level.signal * pred + level.sigma * noised;
}

Prediction split_prediction(Expr output, Expr noised, VarianceType type, Where where) {
  Graph& graph = builders::graph_of("split_prediction", {output, noised}, where);
  bool learned = type == VarianceType::learned_range;
  std::int64_t channels = noised.shape()[-1];
  Shape expected = noised.shape().with(-1, learned ? 2 * channels : channels);
  if (output.shape() != expected) {
    graph.refuse("split_prediction",
                 fmt::format("the network gives {}, expected {}{}", to_string(output.shape()),
                             to_string(expected), learned ? " for a learned variance" : ""),
                 std::array{output, noised}, where);
  }
  if (!learned) return {output, {}};
  return {slice(output, -1, 0, channels, 1, where),
          slice(output, -1, channels, 2 * channels, 1, where)};
}

Expr learned_log_variance(Expr range, Expr log_variance_small, Expr log_beta, Where where) {
  At at(builders::graph_of("learned_log_variance", {range, log_variance_small, log_beta}, where),
        where);
  Expr fraction = 0.5 * range + 0.5;
  return log_variance_small + fraction * (log_beta - log_variance_small);
}

}  // namespace atelier
