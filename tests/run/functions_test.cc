// Every function of one float over the range of its samples: the kernel at every level against the
// row's oracle, within the bound that its line in kernels/tile.cc states.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/kernels.h"
#include "run/support.h"

using namespace atelier;

namespace {

constexpr std::int64_t kPoints = 100000;

// Floats that cover [low, high]: evenly, and ever closer to zero where it lies inside.
Dense points(double low, double high) {
  Dense x{{DType::f64, {kPoints}}, {}};
  for (double sign : {-1.0, 1.0}) {
    for (double v = sign * std::max(-low, high); std::abs(v) > 1e-30; v *= 0.97) {
      if (v >= low && v <= high) x.v.push_back(double(float(v)));
    }
  }
  RandomStream stream(5, stream_of("points"));
  while (std::int64_t(x.v.size()) < kPoints)
    x.v.push_back(double(float(low + (high - low) * stream.uniform())));
  return x;
}

double unit_of(double value) {
  float near = float(std::abs(value));
  return double(std::nextafter(near, std::numeric_limits<float>::infinity())) - double(near);
}

}  // namespace

TEST_CASE("every function of one float keeps its bound over the range of its samples") {
  std::string line;
  for (Op op : testing::functions_of_one_float()) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const Sample& sample : row(op).samples()) {
      low = std::min(low, sample.low);
      high = std::max(high, sample.high);
    }
    Dense x = points(low, high), y{x.type, std::vector<double>(std::size_t(kPoints))};
    row(op).oracle({op, {&x.type, 1}, {}, {&x.type, 1}}, {&x, 1}, {&y, 1});
    TileFacts promise = facts(*tile_op(name(op)));
    Graph graph;
    graph.output("y", unary(op, graph.input("x", DType::f32, {kPoints}), Where::here()));
    double worst = 0;
    std::vector<double> reference;
    for (Level level : testing::host_levels()) {
      INFO(std::string(name(op)), " at ", std::string(name(level)));
      Store store;
      Plan plan(graph, store, {.level = level});
      testing::write_input(plan, "x", x);
      plan.run();
      auto found = testing::read_output(plan, "y", {DType::f32, {kPoints}});
      double here = 0, at = 0;
      for (std::size_t i = 0; i < found.size(); ++i) {
        double unit = unit_of(std::max(std::abs(y.v[i]), promise.least));
        double ulp = std::abs(found[i] - y.v[i]) / unit;
        if (ulp <= here) continue;
        here = std::isnan(ulp) ? 1e9 : ulp;
        at = x.v[i];
      }
      INFO("worst at ", at);
      CHECK(here <= promise.ulp);
      worst = std::max(worst, here);
      if (reference.empty()) reference = found;
      CHECK(found == reference);
    }
    line += fmt::format(" {} {:.2f} of {}", name(op), worst, promise.ulp);
  }
  fmt::print("summary: functions over the ranges of their samples, worst error in ulp:{}\n", line);
}

TEST_CASE("an opcode of one operand is a function tested here or a conversion") {
  for (int i = 0; i < num_tile_ops(); ++i) {
    std::string_view opcode = name(TileOp(i));
    if (facts(TileOp(i)).operands != 1 || opcode == "store") continue;
    bool conversion =
        opcode == "i32_to_f32" || opcode == "round_bf16" || opcode == "to_i32" || opcode == "to_u8";
    auto functions = testing::functions_of_one_float();
    bool function =
        std::any_of(functions.begin(), functions.end(), [&](Op op) { return name(op) == opcode; });
    INFO(std::string(opcode));
    CHECK(conversion != function);
  }
}
