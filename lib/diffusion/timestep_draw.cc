// Draws of timesteps.
#include "diffusion/timestep_draw.h"

#include "graph/builders.h"

namespace atelier {
namespace {

// Of every timestep's probability this part is the same for all, so that none is forgotten.
constexpr double kUniformPart = 0.001;

// x modulo kLossHistory of whole numbers x >= 0; cast rounds to the nearest, and what it rounds is
// never halfway between two.
Expr place_of(Expr x) {
  double n = double(kLossHistory);
  Expr rounds = cast(cast((x - (n - 1) / 2) * (1 / n), DType::i32), DType::f32);
  return x - n * rounds;
}

Graph& require_history(std::string_view what, const LossHistory& history, Where where) {
  const std::array both{history.values, history.counts};
  Graph& graph = builders::graph_of(what, both, where);
  const Shape& values = history.values.shape();
  bool fits = values.rank() == 2 && values[1] == kLossHistory &&
              history.values.dtype() == DType::f32 &&
              history.counts.type() == Type{DType::f32, {values[0]}};
  if (!fits) graph.refuse(what, "expected f32 [T, kLossHistory] and f32 [T]", both, where);
  return graph;
}

}  // namespace

Expr uniform_timesteps(Expr uniform, std::int64_t num_timesteps, Where where) {
  Graph& graph = builders::graph_of("uniform_timesteps", {uniform}, where);
  if (uniform.shape().rank() != 1 || num_timesteps < 1) {
    graph.refuse("uniform_timesteps", "expected [N] and at least one timestep", {&uniform, 1},
                 where);
  }
  At at(graph, where);
  Expr nearest = cast(uniform * double(num_timesteps) - 0.5, DType::i32);
  return min(max(nearest, 0), int(num_timesteps - 1));
}

Expr timestep_probabilities(const LossHistory& history, Where where) {
  At at(require_history("timestep_probabilities", history, where), where);
  std::int64_t timesteps = history.counts.shape()[0];
  Expr size = reshape(sqrt(mean(square(history.values), {1})), {timesteps});
  Expr total = sum(size);
  Expr fewest = -top(-history.counts);
  double alike = 1 / double(timesteps);
  Expr drawn = size / total * (1 - kUniformPart) + kUniformPart * alike;
  // Losses that are all zero say nothing.
  Expr known = atelier::where(less(0.0, total), drawn, alike);
  return stop_gradient(atelier::where(less(double(kLossHistory) - 0.5, fewest), known, alike));
}

TimestepDraw draw_timesteps(Expr probabilities, Expr uniform, Where where) {
  constexpr const char* kWhat = "draw_timesteps";
  const std::array both{probabilities, uniform};
  Graph& graph = builders::graph_of(kWhat, both, where);
  const Shape& p = probabilities.shape();
  if (p.rank() != 1 || uniform.shape().rank() != 2 || uniform.shape()[1] != p[0]) {
    graph.refuse(kWhat, "expected [T] and [N, T]", both, where);
  }
  At at(graph, where);
  Expr score = log(probabilities) - log(-log(uniform));
  TimestepDraw draw;
  draw.timestep = reshape(argtop(score, {1}), {uniform.shape()[0]});
  draw.weight = stop_gradient(1.0 / (double(p[0]) * take(probabilities, draw.timestep)));
  return draw;
}

LossHistory record_losses(const LossHistory& history, Expr timestep, Expr loss, Where where) {
  constexpr const char* kWhat = "record_losses";
  Graph& graph = require_history(kWhat, history, where);
  const std::array rows{timestep, loss};
  builders::graph_of(kWhat, rows, where);
  if (timestep.dtype() != DType::i32 || timestep.shape().rank() != 1 ||
      loss.type() != Type{DType::f32, timestep.shape()}) {
    graph.refuse(kWhat, "expected timesteps i32 [N] and losses f32 [N]", rows, where);
  }
  At at(graph, where);
  std::int64_t count = timestep.shape()[0], timesteps = history.counts.shape()[0];
  Shape square{count, count};
  Expr same = equal(broadcast(reshape(timestep, {count, 1}), square),
                    broadcast(reshape(timestep, {1, count}), square));
  Expr mine = iota(graph, square, {0}), theirs = iota(graph, square, {1});
  // Rows of the same timestep before and after each row.
  auto number = [&](Expr mask) {
    Expr ones = broadcast(graph.constant(1), square);
    Expr hits = atelier::where(same, atelier::where(mask, ones, 0.0), 0.0);
    return reshape(sum(hits, {1}), {count});
  };
  Expr before = number(less(theirs, mine)), later = number(less(mine, theirs));

  // Each row has a place of its own, save those that later ones overtake: they add zeros.
  Expr stays = less(later, double(kLossHistory) - 0.5);
  Expr place = place_of(take(history.counts, timestep) + before);
  Expr flat = timestep * int(kLossHistory) + cast(place, DType::i32);
  Expr one = atelier::where(stays, broadcast(graph.constant(1), {count}), 0.0);
  std::int64_t places = timesteps * kLossHistory;
  Expr filled = put_add(one, flat, places);
  Expr values = put_add(atelier::where(stays, loss, 0.0), flat, places);
  Expr old = reshape(history.values, {places});
  Expr counts =
      history.counts + put_add(broadcast(graph.constant(1), {count}), timestep, timesteps);
  double full = double(kLossHistory);
  return {
      stop_gradient(
          reshape(atelier::where(less(0.5, filled), values, old), {timesteps, kLossHistory})),
      stop_gradient(atelier::where(less(2 * full - 0.5, counts), full + place_of(counts), counts))};
}

}  // namespace atelier
