// Recomputation: values and slopes stay, inner values are computed again.
#include <doctest/doctest.h>

#include "graph/differences.h"
#include "support/near.h"

using namespace atelier;
using testing::Differences;

namespace {

using Function = std::function<std::vector<Expr>(std::span<const Expr>)>;

// x and the weights "w0".. as slots, so that a function may mention them for the first time.
struct Case {
  Graph graph;
  OracleState state;

  Case() {
    fill(state.inputs["x"], "x", {3, 4});
    for (const char* name : {"w0", "w1", "w2"}) fill(state.slots[name], name, {4, 4});
  }
  static void fill(Dense& value, const char* name, Shape shape) {
    value = {{DType::f64, shape}, std::vector<double>(std::size_t(shape.count()))};
    RandomStream stream(29, stream_of(name));
    for (double& v : value.v) v = 0.6 * stream.normal();
  }
  Expr x() { return graph.input("x", DType::f64, {3, 4}); }
  Expr slot(const char* name) { return graph.slot(name, {DType::f64, {4, 4}}); }
};

// Loss of three blocks; `wrap` makes each a checkpoint. Order 1 or 2 (the loss is then the square
// of the first slopes).
std::vector<Dense> slopes_of(bool wrap, int order, int& recomputed) {
  Case c;
  auto run = [&](const Function& f, Expr in) {
    return wrap ? checkpoint(f, {&in, 1})[0] : f({&in, 1})[0];
  };
  Expr h = c.x();
  for (const char* name : {"w0", "w1", "w2"}) {
    h = run(
        [&](std::span<const Expr> in) {
          Expr w = c.slot(name);
          return std::vector<Expr>{in[0] + tanh(matmul(silu(matmul(in[0], w)), w))};
        },
        h);
  }
  Expr loss = reshape(sum(square(h)), {});
  std::vector<Expr> wrt{c.x(), c.slot("w0"), c.slot("w1"), c.slot("w2")};
  std::vector<Expr> slopes = gradient(loss, wrt);
  if (order == 2) {
    Expr next;
    for (Expr s : slopes) next = next ? next + sum(square(s)) : sum(square(s));
    slopes = gradient(reshape(next, {}), wrt);
  }
  recomputed = 0;
  for (NodeId id = 0; id < c.graph.size(); ++id) {
    recomputed += c.graph.node(id).op == Op::after;
    if (c.graph.node(id).op == Op::after) {
      CHECK(c.graph.node(c.graph.operands(id)[0].node).op != Op::slot);
    }
  }
  std::vector<Value> values{loss.value()};
  for (Expr s : slopes) values.push_back(s.value());
  return evaluate(c.graph, values, c.state);
}

void check_equal(const std::vector<Dense>& a, const std::vector<Dense>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[i].v.size(); ++j) {
      CHECK(a[i].v[j] == testing::near(b[i].v[j], 1e-11));
    }
  }
}

}  // namespace

TEST_CASE("blocks that create their parameters inside are recomputed, to two orders") {
  for (int order : {1, 2}) {
    int none = 0, some = 0;
    auto plain = slopes_of(false, order, none);
    auto wrapped = slopes_of(true, order, some);
    CHECK(none == 0);
    CHECK(some >= 3);
    check_equal(plain, wrapped);
  }
}

TEST_CASE("a checkpoint inside a checkpoint gives the same slopes") {
  auto slopes = [](bool wrap) {
    Case c;
    Function inner = [&](std::span<const Expr> in) {
      return std::vector<Expr>{tanh(matmul(in[0], c.slot("w1")))};
    };
    Function outer = [&](std::span<const Expr> in) {
      Expr h = silu(matmul(in[0], c.slot("w0")));
      Expr y = wrap ? checkpoint(inner, {&h, 1})[0] : inner({&h, 1})[0];
      return std::vector<Expr>{y, exp(y)};
    };
    Expr x = c.x();
    std::vector<Expr> y = wrap ? checkpoint(outer, {&x, 1}) : outer({&x, 1});
    Expr wrt[] = {x, c.slot("w0"), c.slot("w1")};
    std::vector<Value> values;
    for (Expr s : gradient(reshape(sum(y[0] * y[1]), {}), wrt)) values.push_back(s.value());
    return evaluate(c.graph, values, c.state);
  };
  check_equal(slopes(false), slopes(true));
}

TEST_CASE("slopes of values inside a checkpoint are those of the originals") {
  Case c;
  Expr x = c.x(), inside;
  Function f = [&](std::span<const Expr> in) {
    inside = tanh(in[0]);
    return std::vector<Expr>{exp(inside)};
  };
  Expr loss = reshape(sum(checkpoint(f, {&x, 1})[0]), {});
  Value values[] = {gradient(loss, inside).value(), exp(inside).value()};
  auto found = evaluate(c.graph, values, c.state);
  CHECK(found[0].v == found[1].v);
}
