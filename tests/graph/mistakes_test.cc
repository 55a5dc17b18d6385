// Mistakes that are no op's own: absent expressions, two graphs, names, outputs, updates,
// gradients.
#include <doctest/doctest.h>

#include "graph/messages.h"

using namespace atelier;
using testing::f;
using testing::i;
using testing::Refusal;

namespace {

const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> list = {
      {"gradient of a tensor",
       [](Graph& g) {
         Expr x = f(g, "x", {2});
         gradient(x * x, x);
       },
       {"gradient", "f32[2]"}},
      {"an absent operand beside a present one",
       [](Graph& g) { f(g, "a", {2}) * Expr{}; },
       {"mul", "absent", "f32[2], absent"}},
      {"an input without elements",
       [](Graph& g) {
         f(g, "a", {2, 0});
       },
       {"input", "'a'", "no elements", "f32[2,0]"}},
      {"a slot of an open axis",
       [](Graph& g) {
         g.slot("s", {DType::f32, {-1}});
       },
       {"slot", "'s'", "no elements"}},
      {"operands of two graphs",
       [](Graph& g) {
         Graph other;
         f(g, "a", {2}) + f(other, "b", {3});
       },
       {"add", "two graphs", "f32[2], f32[3]"}},
      {"gradient with respect to integers",
       [](Graph& g) {
         Expr x = f(g, "x", {2});
         gradient(reshape(sum(x * x), {}), i(g, "n", {2}));
       },
       {"gradient", "no float", "i32[2]"}},
      {"update of what is no slot",
       [](Graph& g) {
         Expr x = f(g, "x", {2});
         g.update(x, x);
       },
       {"update", "input is no slot", "f32[2], f32[2]"}},
      {"update by another type",
       [](Graph& g) {
         Expr s = g.slot("s", {DType::f32, {2}});
         g.update(s, f(g, "x", {3}));
       },
       {"update of slot 's'", "another type", "f32[2], f32[3]"}},
      {"two outputs of one name",
       [](Graph& g) {
         g.output("loss", f(g, "x", {2}));
         g.output("loss", f(g, "y", {3}));
       },
       {"output 'loss'", "twice", "f32[2], f32[3]"}},
      {"an input of two types",
       [](Graph& g) {
         f(g, "x", {2});
         i(g, "x", {2});
       },
       {"input", "'x'", "f32[2]", "i32[2]"}},
      {"two updates of one slot",
       [](Graph& g) {
         Expr s = g.slot("s", {DType::f32, {2}});
         g.update(s, s * 2.0);
         g.update(s, s * 3.0);
       },
       {"update of slot 's'", "updated already at mistakes_test.cc:", "f32[2], f32[2]"}},
      {"where of an absent choice",
       [](Graph& g) { where(less(i(g, "a", {2}), 3), f(g, "b", {2}), Expr{}); },
       {"where", "absent", "f32[2], absent"}},
      {"attention without values",
       [](Graph& g) {
         Expr q = f(g, "q", {1, 2, 2, 4});
         attention(q, q, Expr{});
       },
       {"attention", "absent", "f32[1,2,2,4], f32[1,2,2,4], absent"}},
      {"an absent operand of put",
       [](Graph& g) {
         Expr x[] = {f(g, "a", {2}), {}};
         g.put(Op::mul, x, {});
       },
       {"mul", "absent", "f32[2], absent"}},
      {"an operand of another graph in put",
       [](Graph& g) {
         Graph other;
         Expr x[] = {f(g, "a", {2}), f(other, "b", {3})};
         g.put(Op::mul, x, {});
       },
       {"mul", "another graph", "f32[2], f32[3]"}},
      {"a constant that its type does not have",
       [](Graph& g) { g.constant(0.5, DType::i32); },
       {"constant", "0.5 is no i32"}},
      {"an absent output", [](Graph& g) { g.output("loss", Expr{}); }, {"output 'loss'", "absent"}},
      {"an output of another graph",
       [](Graph& g) {
         Graph other;
         g.output("loss", f(other, "x", {2}));
       },
       {"output 'loss'", "another graph", "f32[2]"}},
      {"an update of nothing",
       [](Graph& g) { g.update(Expr{}, f(g, "x", {2})); },
       {"update", "absent, f32[2]"}},
      {"an update by nothing",
       [](Graph& g) {
         g.update(g.slot("s", {DType::f32, {2}}), Expr{});
       },
       {"update", "f32[2], absent"}},
      {"an update of another graph's slot",
       [](Graph& g) {
         Graph other;
         g.update(other.slot("s", {DType::f32, {2}}), f(g, "x", {2}));
       },
       {"update", "another graph", "f32[2], f32[2]"}},
      {"an update by another graph's value",
       [](Graph& g) {
         Graph other;
         g.update(g.slot("s", {DType::f32, {2}}), f(other, "x", {3}));
       },
       {"update", "another graph", "f32[2], f32[3]"}},
      {"a checkpoint of nothing",
       [](Graph&) { checkpoint([](std::span<const Expr>) { return std::vector<Expr>{}; }, {}); },
       {"checkpoint", "nothing given"}},
      {"a checkpoint of an absent expression",
       [](Graph& g) {
         Expr x[] = {f(g, "x", {2}), {}};
         checkpoint([](std::span<const Expr>) { return std::vector<Expr>{}; }, x);
       },
       {"checkpoint", "absent", "f32[2], absent"}},
      {"gradient of nothing",
       [](Graph& g) { gradient(Expr{}, f(g, "x", {2})); },
       {"gradient", "absent"}},
      {"gradient with respect to nothing",
       [](Graph& g) { gradient(reshape(f(g, "x", {1}), {}), Expr{}); },
       {"gradient", "f32[], absent"}},
      {"gradient with respect to another graph",
       [](Graph& g) {
         Graph other;
         gradient(reshape(f(g, "x", {1}), {}), f(other, "y", {2}));
       },
       {"gradient", "two graphs", "f32[], f32[2]"}},
  };
  return list;
}

}  // namespace

TEST_CASE("every refusal of a graph names what was built, the shapes and the place") {
  testing::check_refusals(refusals(), "mistakes_test.cc:");
}

TEST_CASE("constants of integers are the whole numbers that the type holds") {
  Graph g;
  Expr n = i(g, "n", {2});
  for (double number : {-2147483648.0, -1.0, 0.0, 2147483647.0}) {
    CHECK_NOTHROW(n - number);
    CHECK(g.constant(number, DType::i32).dtype() == DType::i32);
  }
  CHECK_THROWS_AS(g.constant(256, DType::u8), ShapeError);
  CHECK_THROWS_AS(g.constant(-1, DType::u8), ShapeError);
  CHECK_THROWS_AS(g.constant(-2147483649.0, DType::i32), ShapeError);
}
