// Gaussian rows as random mixtures of training rows, piece by piece.
#include "eval/gaussian_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "graph/ops.h"
#include "run/plan.h"

namespace atelier {
namespace {

constexpr std::int64_t kDrawn = 256;  // rows at a time

// Output "mixed" [kDrawn, D]: normal weights of these rows and this piece, times input "rows".
Plan mixing_plan(std::int64_t d, Store& store) {
  Graph graph;
  Expr rows = graph.input("rows", DType::f32, {kTablePiece, d});
  Expr ids = graph.input("ids", DType::i32, {kDrawn});
  Expr clock = graph.input("clock", DType::i32, {3});
  Expr weights = normal(ids, clock, {kDrawn, kTablePiece}, stream_of("gaussian_control"));
  graph.output("mixed", matmul(weights, rows));
  return Plan(graph, store);
}

}  // namespace

void draw_gaussian(const Table& training, std::uint64_t seed, std::span<float> into) {
  if (training.rows < 2) {
    throw Error(fmt::format("Gaussian: expected at least 2 rows, found {}", training.rows));
  }
  std::int64_t d = training.columns, count = std::int64_t(into.size()) / d;
  std::vector<double> mean = mean_of(training);
  Store store;
  Plan plan = mixing_plan(d, store);
  double scale = 1 / std::sqrt(double(training.rows - 1));
  for (std::int64_t drawn = 0; drawn < count; drawn += kDrawn) {
    std::size_t numbers = std::size_t(std::min(kDrawn, count - drawn) * d);
    std::vector<double> sums(numbers, 0.0);
    for_each_piece(training, [&](std::int64_t first, std::int64_t, std::span<float> values) {
      std::span<float> rows = plan.input("rows");
      for (std::size_t i = 0; i < values.size(); ++i) {
        rows[i] = float(double(values[i]) - mean[i % mean.size()]);
      }
      std::fill(rows.begin() + std::ptrdiff_t(values.size()), rows.end(), 0.0f);
      auto ids = plan.input<std::int32_t>("ids");
      for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = std::int32_t(drawn) + std::int32_t(i);
      auto clock = plan.input<std::int32_t>("clock");
      clock[0] = std::int32_t(seed & 0xffffffff);
      clock[1] = std::int32_t(seed >> 32);
      clock[2] = std::int32_t(first / kTablePiece);
      plan.run();
      std::span<const float> mixed = plan.output("mixed");
      for (std::size_t i = 0; i < numbers; ++i) sums[i] += double(mixed[i]);
    });
    for (std::size_t i = 0; i < numbers; ++i) {
      double value = mean[i % mean.size()] + scale * sums[i];
      into[std::size_t(drawn * d) + i] = float(std::clamp(value, 0.0, 1.0));
    }
  }
}

}  // namespace atelier
