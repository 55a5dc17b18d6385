// Sums of adjoints: windows, overlapping windows and products over time.
#include <doctest/doctest.h>

#include <algorithm>

#include "graph/differences.h"

using namespace atelier;
using testing::Differences;

namespace {

Expr variable(Differences& d, const std::string& name, Shape shape) {
  Expr e = d.graph.input(name, DType::f64, shape);
  Dense value{{DType::f64, shape}, std::vector<double>(std::size_t(shape.count()))};
  RandomStream stream(23, stream_of(name));
  for (double& v : value.v) v = stream.normal();
  d.state.inputs[name] = value;
  d.wrt.push_back(e);
  d.names.push_back(name);
  return e;
}

Expr plus(Expr total, Expr term) { return total ? total + term : term; }

int count_since(const Graph& g, NodeId first, Op op) {
  int count = 0;
  for (NodeId id = first; id < g.size(); ++id) count += g.node(id).op == op;
  return count;
}

// All three orders, each within the bounds of the op samples.
void check_orders(Differences& d, Expr loss) {
  for (double bound : {1e-5, 1e-5, 1e-4}) {
    Expr next;
    CHECK(d.error(loss, 31, next) <= bound);
    loss = next;
  }
}

}  // namespace

TEST_CASE("sliding windows of k elements add k concats, not one addition a window") {
  Differences d;
  const int length = 24, width = 3;
  Expr x = variable(d, "x", {length, 2}), total;
  for (int t = 0; t + width <= length; ++t) {
    total = plus(total, sum(tanh(slice(x, 0, t, t + width) * (1.0 + 0.1 * t))));
  }
  Expr loss = reshape(total, {});
  NodeId before = d.graph.size();
  gradient(loss, x);
  CHECK(count_since(d.graph, before, Op::concat) == width);
  CHECK(count_since(d.graph, before, Op::add) == width - 1);
  check_orders(d, loss);
}

TEST_CASE("windows along two axes are joined along each") {
  Differences d;
  Expr x = variable(d, "x", {4, 5}), total;
  for (int i = 0; i < 4; ++i) total = plus(total, sum(tanh(slice(x, 0, i, i + 1))));
  for (int j = 1; j < 4; ++j) total = plus(total, sum(sin(slice(x, 1, j, j + 1))));
  Expr loss = reshape(total, {});
  NodeId before = d.graph.size();
  gradient(loss, x);
  CHECK(count_since(d.graph, before, Op::concat) == 2);
  check_orders(d, loss);
}

TEST_CASE("windows with steps and gaps between them keep their places") {
  Differences d;
  Expr x = variable(d, "x", {9}), total;
  total =
      sum(tanh(slice(x, 0, 6, 8))) + sum(sin(slice(x, 0, 1, 3))) + sum(exp(slice(x, 0, 0, 9, 4)));
  check_orders(d, reshape(total, {}));
}

TEST_CASE("the weight gradient of T time steps is one product") {
  for (bool transposed : {false, true}) {
    Differences d;
    const int steps = 6;
    Expr w = variable(d, "w", transposed ? Shape{7, 5} : Shape{5, 7}),
         x = variable(d, "x", {steps, 5}), total;
    for (int t = 0; t < steps; ++t) {
      total = plus(total, sum(tanh(matmul(slice(x, 0, t, t + 1), w, false, transposed))));
    }
    Expr loss = reshape(total, {});
    NodeId before = d.graph.size();
    Expr slope = gradient(loss, w);
    CHECK(d.graph.node(slope.node).op == Op::matmul);
    // The joined windows of x are x itself.
    auto operands = d.graph.operands(slope.node);
    CHECK(std::find(operands.begin(), operands.end(), x.value()) != operands.end());
    CHECK(count_since(d.graph, before, Op::add) == 0);
    check_orders(d, loss);
  }
}

TEST_CASE("products are not joined where that would move more than it saves") {
  Differences d;
  Expr w = variable(d, "w", {2, 2}), total;
  for (int t = 0; t < 4; ++t) {
    Expr x = variable(d, "x" + std::to_string(t), {50, 2});
    total = plus(total, sum(tanh(matmul(x, w))));
  }
  Expr loss = reshape(total, {});
  NodeId before = d.graph.size();
  gradient(loss, w);
  CHECK(count_since(d.graph, before, Op::concat) == 0);
  check_orders(d, loss);
}

TEST_CASE("independent and stopped variables have gradients of zero") {
  Differences d;
  Expr x = variable(d, "x", {3}), y = variable(d, "y", {2});
  Expr loss = reshape(sum(x * stop_gradient(x)), {});
  Expr wrt[] = {x, y, x};
  auto slopes = gradient(loss, wrt);
  Value values[] = {slopes[0].value(), slopes[1].value(), slopes[2].value()};
  auto found = evaluate(d.graph, values, d.state);
  CHECK(found[0].v == d.state.inputs["x"].v);
  CHECK(found[1].v == std::vector<double>{0, 0});
  CHECK(found[2].v == found[0].v);
}

TEST_CASE("a maximum that occurs twice sends its slope to the first place") {
  Differences d;
  Expr x = variable(d, "x", {2, 4});
  d.state.inputs["x"].v = {1, 3, 3, 2, 5, 5, 5, 5};
  Expr slope = gradient(reshape(sum(top(x, {1})), {}), x);
  Value values[] = {slope.value(), argtop(x, {1}).value()};
  auto found = evaluate(d.graph, values, d.state);
  CHECK(found[0].v == std::vector<double>{0, 1, 0, 0, 1, 0, 0, 0});
  CHECK(found[1].v == std::vector<double>{1, 0});
}

TEST_CASE("the slope of relu at zero is zero, in whatever order its operands were made") {
  Differences d;
  d.graph.constant(0, DType::f64);
  Expr x = variable(d, "x", {3});
  d.state.inputs["x"].v = {-1, 0, 2};
  Value slope = gradient(reshape(sum(relu(x)), {}), x).value();
  CHECK(evaluate(d.graph, {&slope, 1}, d.state)[0].v == std::vector<double>{0, 0, 1});
}
