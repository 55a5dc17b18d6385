// Every refusal of a builder names the op, the shapes and the place.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "graph/ops.h"

using namespace atelier;

namespace {

struct Refusal {
  const char* name;
  std::function<void(Graph&)> build;
  std::vector<std::string> parts;
};

Expr f(Graph& g, const char* name, Shape shape) { return g.input(name, DType::f32, shape); }
Expr i(Graph& g, const char* name, Shape shape) { return g.input(name, DType::i32, shape); }

const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> list = {
      {"add of shapes that do not broadcast",
       [](Graph& g) {
         f(g, "a", {2, 3}) + f(g, "b", {2, 4});
       },
       {"add", "f32[2,3]", "f32[2,4]"}},
      {"add of different types",
       [](Graph& g) { f(g, "a", {2}) + i(g, "b", {2}); },
       {"add", "f32[2]", "i32[2]"}},
      {"equal of floats",
       [](Graph& g) { equal(f(g, "a", {2}), f(g, "b", {2})); },
       {"equal", "integers only", "f32[2]"}},
      {"exp of integers", [](Graph& g) { exp(i(g, "a", {2})); }, {"exp", "i32[2]"}},
      {"where with a float mask",
       [](Graph& g) { where(f(g, "m", {2}), f(g, "a", {2}), 0.0); },
       {"where", "mask", "f32[2]"}},
      {"reshape to another count",
       [](Graph& g) {
         reshape(f(g, "a", {2, 3}), {4});
       },
       {"reshape", "[4]", "f32[2,3]"}},
      {"transpose with a repeated axis",
       [](Graph& g) {
         transpose(f(g, "a", {2, 3}), {0, 0});
       },
       {"transpose", "permutation", "f32[2,3]"}},
      {"broadcast that does not stretch",
       [](Graph& g) { broadcast(f(g, "a", {2}), {3}); },
       {"broadcast", "[3]", "f32[2]"}},
      {"slice beyond the end",
       [](Graph& g) { slice(f(g, "a", {4}), 0, 2, 9); },
       {"slice", "2:9:1", "f32[4]"}},
      {"slice of an axis that is not there",
       [](Graph& g) { slice(f(g, "a", {4}), 3, 0, 1); },
       {"slice", "no axis 3", "f32[4]"}},
      {"pad by less than nothing",
       [](Graph& g) { pad(f(g, "a", {4}), 0, -1, 0); },
       {"pad", "negative", "f32[4]"}},
      {"concat of unequal pieces",
       [](Graph& g) {
         Expr pieces[] = {f(g, "a", {2, 3}), f(g, "b", {4, 5})};
         concat(pieces, 0);
       },
       {"concat", "f32[2,3]", "f32[4,5]"}},
      {"take by floats",
       [](Graph& g) { take(f(g, "a", {4}), f(g, "b", {2})); },
       {"take", "i32", "f32[2]"}},
      {"put_add of mismatched index",
       [](Graph& g) {
         put_add(f(g, "a", {4, 2}), i(g, "b", {3}), 5);
       },
       {"put_add", "f32[4,2]", "i32[3]"}},
      {"dyn_slice larger than its operand",
       [](Graph& g) { dyn_slice(f(g, "a", {4}), i(g, "s", {1}), {5}); },
       {"dyn_slice", "does not fit", "f32[4]"}},
      {"matmul of unequal inner axes",
       [](Graph& g) {
         matmul(f(g, "a", {2, 3}), f(g, "b", {4, 5}));
       },
       {"matmul", "3 and 4", "f32[2,3]", "f32[4,5]"}},
      {"conv of other channels",
       [](Graph& g) {
         conv(f(g, "x", {8, 32, 32, 3}), f(g, "w", {3, 3, 4, 64}));
       },
       {"conv", "input channels 3 do not match weight channels 4", "f32[8,32,32,3]",
        "f32[3,3,4,64]"}},
      {"conv with a kernel larger than the picture",
       [](Graph& g) {
         conv(f(g, "x", {1, 2, 2, 1}), f(g, "w", {3, 3, 1, 1}));
       },
       {"conv", "larger", "f32[1,2,2,1]"}},
      {"layer norm with a scale of another width",
       [](Graph& g) {
         layer_norm(f(g, "x", {2, 3}), f(g, "s", {4}), f(g, "b", {3}), 1e-5);
       },
       {"layer_norm", "[3]", "f32[2,3]", "f32[4]"}},
      {"group norm whose groups do not divide",
       [](Graph& g) {
         group_norm(f(g, "x", {2, 4, 6}), f(g, "s", {6}), f(g, "b", {6}), 4, 1e-5);
       },
       {"group_norm", "4 groups do not divide 6", "f32[2,4,6]"}},
      {"cross-entropy with float labels",
       [](Graph& g) {
         cross_entropy(f(g, "x", {2, 3}), f(g, "y", {2}));
       },
       {"cross_entropy", "labels", "f32[2,3]"}},
      {"attention of other head sizes",
       [](Graph& g) {
         attention(f(g, "q", {1, 2, 2, 4}), f(g, "k", {1, 2, 2, 3}), f(g, "v", {1, 2, 2, 3}));
       },
       {"attention", "f32[1,2,2,4]", "f32[1,2,2,3]"}},
      {"random with float ids",
       [](Graph& g) {
         random(f(g, "ids", {2}), i(g, "clock", {3}), {2, 4}, 1);
       },
       {"random", "ids", "f32[2]"}},
      {"gradient of a tensor",
       [](Graph& g) {
         Expr x = f(g, "x", {2});
         gradient(x * x, x);
       },
       {"gradient", "f32[2]"}},
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
       {"slot 's' is updated twice"}},
  };
  return list;
}

}  // namespace

TEST_CASE("every refusal names the op, the shapes and the place") {
  for (const Refusal& r : refusals()) {
    Graph g;
    INFO(std::string(r.name));
    std::string message;
    try {
      r.build(g);
    } catch (const ShapeError& error) {
      message = error.what();
    }
    INFO(message);
    CHECK_FALSE(message.empty());
    CHECK(message.find("messages_test.cc:") != message.npos);
    for (const std::string& part : r.parts) CHECK(message.find(part) != message.npos);
  }
}

TEST_CASE("the scope of a node is part of the message") {
  Graph g;
  g.set_scope("encoder.down0");
  std::string message;
  try {
    conv(g.input("x", DType::f32, {1, 8, 8, 3}), g.input("w", DType::f32, {3, 3, 4, 2}));
  } catch (const ShapeError& error) {
    message = error.what();
  }
  CHECK(message.find("conv encoder.down0: ") == 0);
}
