// Central differences in f64 of expressions evaluated by the oracle.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/ops.h"
#include "graph/oracle.h"

namespace atelier::testing {

// Fills every operand of a sample: floats from its range, the rest by its filler.
inline std::vector<Dense> fill_sample(const Sample& sample, std::uint64_t seed) {
  std::vector<Dense> values;
  for (std::size_t k = 0; k < sample.operands.size(); ++k) {
    Dense dense{sample.operands[k],
                std::vector<double>(std::size_t(sample.operands[k].shape.count()))};
    if (sample.fill) {
      sample.fill(int(k), dense, seed);
    } else {
      RandomStream stream(seed, stream_of("operands"), k);
      for (double& v : dense.v) v = sample.low + (sample.high - sample.low) * stream.uniform();
    }
    values.push_back(dense);
  }
  return values;
}

// A function of named float inputs as a scalar graph; checks <gradient, v> against central
// differences along one random direction v, order after order: L(k+1) = <c(k+1), gradient(Lk)>.
struct Differences {
  Graph graph;
  std::vector<Expr> wrt;
  std::vector<std::string> names;
  OracleState state;

  Expr weighted(Expr x, std::uint64_t seed) {
    std::string name = "c" + std::to_string(state.inputs.size());
    Dense c{{DType::f64, x.shape()}, std::vector<double>(std::size_t(x.shape().count()))};
    RandomStream stream(seed, stream_of(name));
    for (double& v : c.v) v = 2 * stream.uniform() - 1;
    state.inputs[name] = c;
    return reshape(sum(graph.input(name, DType::f64, x.shape()) * x), {});
  }

  double value_of(Expr loss, OracleState& at) {
    Value v = loss.value();
    return evaluate(graph, {&v, 1}, at)[0].v[0];
  }

  // Relative error of <gradient(loss), v>; `next` becomes the following order's loss.
  double error(Expr loss, std::uint64_t seed, Expr& next, double h = 1e-5) {
    std::vector<Expr> g = gradient(loss, wrt);
    std::vector<Value> wanted;
    for (Expr e : g) wanted.push_back(e.value());
    std::vector<Dense> slopes = evaluate(graph, wanted, state);
    OracleState plus = state, minus = state;
    double expected = 0, size = 0;
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      RandomStream stream(seed, stream_of("direction"), i);
      for (std::size_t j = 0; j < slopes[i].v.size(); ++j) {
        double v = 2 * stream.uniform() - 1;
        expected += slopes[i].v[j] * v;
        size += std::abs(slopes[i].v[j] * v);
        plus.inputs[names[i]].v[j] += h * v;
        minus.inputs[names[i]].v[j] -= h * v;
      }
    }
    double measured = (value_of(loss, plus) - value_of(loss, minus)) / (2 * h);
    next = {};
    for (std::size_t i = 0; i < g.size(); ++i) {
      Expr term = weighted(g[i], seed + i);
      next = next ? next + term : term;
    }
    // Relative to the size of the terms that were added, so that cancellation is not an error.
    double scale = std::max({size, std::abs(value_of(loss, state)) * 1e-2, 1e-3});
    return std::abs(measured - expected) / scale;
  }
};

}  // namespace atelier::testing
