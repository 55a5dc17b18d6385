// A composite node and its decomposition: same values, same slopes, same slopes of slopes.
#include <doctest/doctest.h>

#include "graph/differences.h"
#include "support/near.h"

using namespace atelier;

namespace {

// A sample's operands as inputs, and a fixed random weight for every tensor that enters a loss.
struct Case {
  Graph graph;
  OracleState state;
  std::vector<Expr> operands, floats;

  explicit Case(const Sample& sample) {
    std::vector<Dense> values = testing::fill_sample(sample, 5);
    for (std::size_t k = 0; k < values.size(); ++k) {
      std::string name = "x" + std::to_string(k);
      operands.push_back(graph.input(name, values[k].type.dtype, values[k].type.shape));
      state.inputs[name] = values[k];
      if (is_float(values[k].type.dtype)) floats.push_back(operands.back());
    }
  }
  Expr weighted_sum(const std::string& label, std::span<const Expr> values) {
    Expr total;
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::string name = label + std::to_string(i);
      const Shape shape = values[i].shape();
      Dense weight{{DType::f64, shape}, std::vector<double>(std::size_t(shape.count()))};
      RandomStream stream(3, stream_of(name));
      for (double& v : weight.v) v = 2 * stream.uniform() - 1;
      state.inputs[name] = weight;
      Expr term = sum(graph.input(name, DType::f64, shape) * values[i]);
      total = total ? reshape(total, {}) + reshape(term, {}) : term;
    }
    return reshape(total, {});
  }
  void check_equal(std::span<const Expr> a, std::span<const Expr> b) {
    REQUIRE(a.size() == b.size());
    std::vector<Value> values;
    for (Expr e : a) values.push_back(e.value());
    for (Expr e : b) values.push_back(e.value());
    auto found = evaluate(graph, values, state);
    for (std::size_t k = 0; k < a.size(); ++k) {
      INFO("tensor ", k);
      const std::vector<double>&left = found[k].v, &right = found[a.size() + k].v;
      REQUIRE(left.size() == right.size());
      for (std::size_t j = 0; j < left.size(); ++j) {
        CHECK(left[j] == testing::near(right[j], 1e-8));
      }
    }
  }
};

std::vector<Expr> outputs_of(Expr first) {
  std::vector<Expr> parts;
  for (std::uint32_t part = 0; part < first.graph->node(first.node).parts; ++part) {
    parts.push_back({first.graph, first.node, part});
  }
  return parts;
}

}  // namespace

TEST_CASE("a composite and its decomposition have the same values and slopes, to two orders") {
  int cases = 0;
  for (int i = int(Op::normal); i <= int(Op::adam); ++i) {
    for (const Sample& sample : row(Op(i)).samples()) {
      INFO(std::string(name(Op(i))), ", ", sample.name);
      Case c(sample);
      std::vector<Expr> fused = outputs_of(c.graph.put(Op(i), c.operands, sample.attributes));
      std::vector<Expr> plain = decompose(c.graph, fused[0].node);
      c.check_equal(fused, plain);
      ++cases;
      if (!row(Op(i)).differentiable) continue;
      // The first output alone takes the fused adjoint; all of them the decomposition.
      for (std::size_t parts : {std::size_t(1), fused.size()}) {
        std::span<const Expr> f(fused.data(), parts), p(plain.data(), parts);
        auto a = gradient(c.weighted_sum("c", f), c.floats);
        auto b = gradient(c.weighted_sum("c", p), c.floats);
        c.check_equal(a, b);
        auto aa = gradient(c.weighted_sum("d", a), c.floats);
        auto bb = gradient(c.weighted_sum("d", b), c.floats);
        c.check_equal(aa, bb);
      }
    }
  }
  CHECK(cases > int(Op::adam) - int(Op::normal));
}

TEST_CASE("statistics of a normalisation that enter the loss have their slopes") {
  // Feature matching uses the batch's mean and variance; the fused adjoint does not cover them.
  testing::Differences d;
  Dense value{{DType::f64, {5, 3}}, std::vector<double>(15)};
  RandomStream stream(9, stream_of("x"));
  for (double& v : value.v) v = stream.normal();
  Expr x = d.graph.input("x", DType::f64, {5, 3});
  d.state.inputs["x"] = value;
  d.wrt = {x};
  d.names = {"x"};
  Expr one = broadcast(d.graph.constant(1, DType::f64), {3});
  Normed n = batch_norm(x, one, one, 1e-3);
  Expr loss = reshape(
      sum(tanh(n.y)) + reshape(sum(square(n.mean)) + sum(exp(n.variance_or_rstd)), {1, 1}), {});
  for (double bound : {1e-5, 1e-5, 1e-4}) {
    Expr next;
    CHECK(d.error(loss, 3, next) <= bound);
    loss = next;
  }
}
