// Every sample of every op as a plan of its own, at every level of this host, against the oracle.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/parallel.h"
#include "run/support.h"

using namespace atelier;

namespace {

Type as_f32(const Type& t) { return {t.dtype == DType::f64 ? DType::f32 : t.dtype, t.shape}; }

Dense filled(const Sample& sample, std::size_t k, std::uint64_t seed) {
  Dense dense{as_f32(sample.operands[k]),
              std::vector<double>(std::size_t(sample.operands[k].shape.count()))};
  if (sample.fill) {
    sample.fill(int(k), dense, seed);
  } else {
    RandomStream stream(seed, stream_of("operand"), k);
    for (double& v : dense.v) v = sample.low + (sample.high - sample.low) * stream.uniform();
  }
  if (dense.type.dtype == DType::f32) {
    for (double& v : dense.v) v = double(float(v));
  }
  return dense;
}

// Largest error relative to the largest value of the output.
double worst_error(Op op, const Sample& sample, Level level, bool decompose) {
  Graph graph;
  OracleState state;
  std::vector<Expr> operands;
  for (std::size_t k = 0; k < sample.operands.size(); ++k) {
    std::string label = fmt::format("x{}", k);
    Dense value = filled(sample, k, 3);
    operands.push_back(graph.input(label, value.type.dtype, value.type.shape));
    state.inputs[label] = value;
  }
  Expr first = graph.put(op, operands, sample.attributes);
  std::vector<Type> types;
  for (std::uint16_t part = 0; part < graph.node(first.node).parts; ++part) {
    Expr y{first.graph, first.node, part};
    graph.output(fmt::format("y{}", part), y);
    types.push_back(y.type());
  }
  auto expected = run_oracle(graph, state);
  Store store;
  Plan plan(graph, store, {.level = level, .decompose_composites = decompose});
  for (const auto& [label, value] : state.inputs) testing::write_input(plan, label, value);
  plan.run();
  double worst = 0;
  for (std::size_t part = 0; part < types.size(); ++part) {
    std::string label = fmt::format("y{}", part);
    auto found = testing::read_output(plan, label, types[part]);
    double scale = 1e-3;
    for (double v : expected[label].v) scale = std::max(scale, std::abs(v));
    for (std::size_t i = 0; i < found.size(); ++i) {
      double error = std::abs(found[i] - expected[label].v[i]) / scale;
      worst = std::max(worst, std::isnan(error) ? 1e9 : error);
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("every sample of every op gives the oracle's values at every level and team size") {
  int cases = 0;
  double worst = 0;
  std::string where;
  for (int threads : {1, 3}) {
    set_threads(threads);
    for (Level level : testing::host_levels()) {
      for (int i = 0; i < kNumOps; ++i) {
        Op op = Op(i);
        if (op == Op::input || op == Op::slot || op == Op::pack) continue;
        for (const Sample& sample : row(op).samples()) {
          for (bool decompose : {false, true}) {
            if (decompose && !is_composite(op)) continue;
            // The kernel recomputes what its sample's operands contradict; see attention_test.
            if (op == Op::attention_grad && !decompose) continue;
            double error = worst_error(op, sample, level, decompose);
            INFO(std::string(name(op)), " (", sample.name, ") at ", std::string(name(level)),
                 ", decomposed ", decompose);
            CHECK(error < 2e-5);
            if (error > worst) {
              worst = error;
              where = fmt::format("{} ({})", name(op), sample.name);
            }
            ++cases;
          }
        }
      }
    }
  }
  set_threads(0);
  fmt::print(
      "summary: plans of single ops: {} cases, worst error {:.1e} of the largest value, {}\n",
      cases, worst, where);
}
