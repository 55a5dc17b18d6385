// The precision pass: where casts go, and where not.
#include "compile/precision.h"

#include <doctest/doctest.h>

#include "compile/program.h"
#include "graph/ops.h"

using namespace atelier;

namespace {

Graph layers() {
  Graph g;
  Expr x = g.input("x", DType::f32, {8, 6});
  Expr w = g.slot("w", {DType::f32, {6, 4}});
  Expr loss = reshape(mean(square(tanh(matmul(x, w)))), {});
  g.update(w, w - 0.1 * gradient(loss, w));
  g.output("loss", loss);
  return g;
}

int count(const Graph& g, Op op) {
  int n = 0;
  for (NodeId id = 0; id < g.size(); ++id) n += g.node(id).op == op;
  return n;
}

}  // namespace

TEST_CASE("f32 leaves a graph as it is") {
  Graph g = layers();
  CHECK(narrow_products(g, Precision::f32).text() == g.text());
}

TEST_CASE("every operand of a product is cast once, and nothing else is") {
  Graph g = layers(), narrowed = narrow_products(g, Precision::bf16);
  // x is read by both products: x, w and the slope of y.
  CHECK(count(narrowed, Op::cast) == 3);
  CHECK(narrowed.size() == g.size() + 3);
  for (NodeId id = 0; id < narrowed.size(); ++id) {
    for (Value v : narrowed.operands(id)) {
      bool narrow = narrowed.type(v).dtype == DType::bf16;
      CHECK(narrow == is_product(narrowed.node(id).op));
    }
  }
  CHECK(narrow_products(narrowed, Precision::bf16).text() == narrowed.text());
}

TEST_CASE("convolutions and their gradients are products; f64 and bf16 operands stay") {
  Graph g;
  Expr x = g.input("x", DType::f32, {1, 4, 4, 2}), w = g.input("w", DType::f32, {3, 3, 2, 3});
  std::vector<Expr> wrt{x, w};
  std::vector<Expr> grads = gradient(reshape(sum(square(conv(x, w, {}))), {}), wrt);
  g.output("dx", grads[0]);
  g.output("dw", grads[1]);
  Expr exact = g.input("exact", DType::f64, {2, 2});
  g.output("square", matmul(exact, exact));
  CHECK(count(narrow_products(g, Precision::bf16), Op::cast) == 3);
}

TEST_CASE("lowering narrows what the options ask, and a prepared graph stays as it is") {
  LowerOptions options{.precision = Precision::bf16, .decompose_composites = true};
  Graph made = prepared(layers(), options);
  CHECK(count(made, Op::cast) == 3);
  options.precision = Precision::f32;
  CHECK(prepared(made, options).text() == made.text());
  CHECK(explain(lower(layers(), {.precision = Precision::bf16})).find("round_bf16") !=
        std::string::npos);
  CHECK(explain(lower(layers(), {})).find("round_bf16") == std::string::npos);
}
