// Every refusal of a builder names the op, the shapes and the place.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "graph/op_table.h"
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
      {"cast of an absent expression",
       [](Graph&) { cast(Expr{}, DType::i32); },
       {"cast", "absent"}},
      {"an absent operand beside a present one",
       [](Graph& g) { f(g, "a", {2}) * Expr{}; },
       {"mul", "absent"}},
      {"sub of different types",
       [](Graph& g) { f(g, "a", {2}) - i(g, "b", {2}); },
       {"sub", "f32[2]", "i32[2]"}},
      {"div of integers",
       [](Graph& g) { i(g, "a", {2}) / i(g, "b", {2}); },
       {"div", "f32 or f64", "i32[2]"}},
      {"max of shapes that do not broadcast",
       [](Graph& g) { max(f(g, "a", {2}), f(g, "b", {3})); },
       {"max", "f32[2]", "f32[3]"}},
      {"less of different types",
       [](Graph& g) { less(f(g, "a", {2}), i(g, "b", {2})); },
       {"less", "f32[2]", "i32[2]"}},
      {"iota over an axis that is not there",
       [](Graph& g) {
         iota(g, {2, 3}, {2});
       },
       {"iota", "no axis 2", "[2,3]"}},
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
      {"split into unequal pieces",
       [](Graph& g) { split(f(g, "a", {5}), 2, 0); },
       {"slice", "does not split into 2", "f32[5]"}},
      {"concat of nothing", [](Graph&) { concat({}, 0); }, {"concat", "nothing"}},
      {"reverse of an axis that is not there",
       [](Graph& g) { reverse(f(g, "a", {5}), {1}); },
       {"reverse", "no axis 1", "f32[5]"}},
      {"dyn_update by a window of another rank",
       [](Graph& g) {
         dyn_update(f(g, "a", {4, 2}), f(g, "w", {2}), i(g, "s", {2}));
       },
       {"dyn_update", "rank", "f32[4,2]", "f32[2]"}},
      {"sum of integers", [](Graph& g) { sum(i(g, "a", {2})); }, {"sum", "i32[2]"}},
      {"top of integers", [](Graph& g) { top(i(g, "a", {2})); }, {"top", "i32[2]"}},
      {"argtop of integers", [](Graph& g) { argtop(i(g, "a", {2})); }, {"argtop", "i32[2]"}},
      {"conv whose groups do not divide",
       [](Graph& g) {
         conv(f(g, "x", {1, 4, 4, 3}), f(g, "w", {3, 3, 1, 4}), {.groups = 2});
       },
       {"conv", "2 groups", "f32[1,4,4,3]", "f32[3,3,1,4]"}},
      {"conv with a stride of nothing",
       [](Graph& g) {
         conv(f(g, "x", {1, 4, 4, 3}), f(g, "w", {3, 3, 3, 4}), {.stride = {0, 1}});
       },
       {"conv", "at least 1", "f32[1,4,4,3]"}},
      {"conv with a margin below nothing",
       [](Graph& g) {
         conv(f(g, "x", {1, 4, 4, 3}), f(g, "w", {3, 3, 3, 4}), {.pad = {-1, 0, 0, 0}});
       },
       {"conv", "negative", "f32[1,4,4,3]"}},
      {"conv_dx to a picture that does not give this one",
       [](Graph& g) {
         conv_dx(f(g, "y", {1, 4, 4, 2}), f(g, "w", {3, 3, 3, 2}), 9, 6);
       },
       {"conv_dx", "7 rows expected, found 4", "f32[1,4,4,2]", "f32[3,3,3,2]"}},
      {"conv_dw of other batches",
       [](Graph& g) {
         conv_dw(f(g, "x", {2, 4, 4, 3}), f(g, "y", {1, 2, 2, 5}), 3, 3);
       },
       {"conv_dw", "batch", "f32[2,4,4,3]", "f32[1,2,2,5]"}},
      {"stop_gradient of nothing", [](Graph&) { stop_gradient(Expr{}); }, {"stop_gradient"}},
      {"after nothing", [](Graph& g) { after(f(g, "a", {2}), Expr{}); }, {"after", "absent"}},
      {"all_reduce of nothing", [](Graph&) { all_reduce(Expr{}); }, {"all_reduce"}},
      {"normal of other rows than ids",
       [](Graph& g) {
         normal(i(g, "ids", {2}), i(g, "clock", {3}), {4, 4}, 1);
       },
       {"normal", "ids", "i32[2]"}},
      {"softmax of integers", [](Graph& g) { softmax(i(g, "a", {2})); }, {"softmax", "i32[2]"}},
      {"batch norm of a vector",
       [](Graph& g) { batch_norm(f(g, "x", {4}), f(g, "s", {4}), f(g, "b", {4}), 1e-5); },
       {"batch_norm", "two axes", "f32[4]"}},
      {"attention with a bias of another length",
       [](Graph& g) {
         Expr q = f(g, "q", {1, 2, 2, 4});
         attention(q, q, q, {.bias = f(g, "bias", {2, 2, 3})});
       },
       {"attention", "bias", "f32[2,2,3]"}},
      {"attention of an absent key",
       [](Graph& g) {
         Expr q = f(g, "q", {1, 2, 2, 4});
         attention(q, Expr{}, q);
       },
       {"attention", "absent"}},
      {"adam with a rate that is no scalar",
       [](Graph& g) {
         Expr p = f(g, "p", {3}), s = f(g, "s", {});
         adam(p, p, p, p, p, s, s, s, {}, {}, {});
       },
       {"adam", "operand 4 must be a scalar", "f32[3]"}},
      {"adjoint nodes of other shapes",
       [](Graph& g) {
         Expr x[] = {f(g, "x", {2, 3}), f(g, "s", {3}), f(g, "m", {2, 1}), f(g, "r", {2, 1}),
                     f(g, "dy", {2, 4})};
         g.put(Op::layer_norm_grad, x, {});
       },
       {"layer_norm_grad", "adjoint", "f32[2,3]", "f32[2,4]"}},
      {"group statistics of other shapes",
       [](Graph& g) {
         Expr x[] = {f(g, "x", {2, 4}), f(g, "s", {4}), f(g, "m", {2, 1}), f(g, "r", {2, 2}),
                     f(g, "dy", {2, 4})};
         g.put(Op::group_norm_grad, x, std::vector<std::int64_t>{2});
       },
       {"group_norm_grad", "one a group", "f32[2,1]"}},
      {"batch statistics of other shapes",
       [](Graph& g) {
         Expr x[] = {f(g, "x", {2, 4}), f(g, "s", {4}), f(g, "m", {3}), f(g, "v", {4}),
                     f(g, "dy", {2, 4})};
         g.put(Op::batch_norm_grad, x, std::vector<std::int64_t>{0});
       },
       {"batch_norm_grad", "operand 2 must be [4]", "f32[3]"}},
      {"attention's adjoint of another shape",
       [](Graph& g) {
         Expr q = f(g, "q", {1, 2, 2, 4});
         Expr x[] = {q, q, q, q, f(g, "lse", {1, 2, 2}), f(g, "dout", {1, 2, 2, 3})};
         g.put(Op::attention_grad, x, std::vector<std::int64_t>{0, 0, 0, 0});
       },
       {"attention_grad", "dout", "f32[1,2,2,3]"}},
      {"fma of unequal tensors",
       [](Graph& g) {
         Expr x[] = {f(g, "a", {2}), f(g, "b", {2}), f(g, "c", {3})};
         g.put(Op::fma, x, {});
       },
       {"fma", "f32[2]", "f32[3]"}},
      {"too few operands",
       [](Graph& g) {
         Expr x[] = {f(g, "a", {2})};
         g.put(Op::mul, x, {});
       },
       {"mul", "1 operands given", "f32[2]"}},
      {"operands of two graphs",
       [](Graph& g) {
         Graph other;
         f(g, "a", {2}) + f(other, "b", {2});
       },
       {"add", "two graphs", "f32[2]"}},
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
       {"update", "input is no slot"}},
      {"update by another type",
       [](Graph& g) {
         Expr s = g.slot("s", {DType::f32, {2}});
         g.update(s, f(g, "x", {3}));
       },
       {"update of slot 's'", "f32[3]", "f32[2]"}},
      {"two outputs of one name",
       [](Graph& g) {
         g.output("loss", f(g, "x", {2}));
         g.output("loss", f(g, "y", {2}));
       },
       {"output 'loss'", "twice"}},
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

TEST_CASE("builders that look at shapes themselves name the scope too") {
  Graph g;
  g.set_scope("decoder.up1");
  for (const std::function<void()>& build : std::vector<std::function<void()>>{
           [&] { f(g, "a", {2}) + f(g, "b", {3}); }, [&] { reshape(f(g, "a", {2}), {3}); },
           [&] { slice(f(g, "a", {2}), 4, 0, 1); },
           [&] { softmax(Expr{g.constant(1)} * f(g, "a", {2}) * Expr{}); },
           [&] { gradient(f(g, "a", {2}), f(g, "b", {3})); }}) {
    std::string message;
    try {
      build();
    } catch (const ShapeError& error) {
      message = error.what();
    }
    INFO(message);
    CHECK(message.find(" decoder.up1: ") != message.npos);
  }
}

TEST_CASE("every op that has operands refuses something in these tests") {
  for (int k = 0; k < kNumOps; ++k) {
    const OpRow& r = row(Op(k));
    // Functions of one float share a rule; only passes make packed weights.
    bool shared = Op(k) >= Op::exp && Op(k) < Op::cast;
    if (r.max_operands == 0 || shared || Op(k) == Op::pack) continue;
    INFO(std::string(r.name));
    bool refused = false;
    for (const Refusal& refusal : refusals()) refused = refused || refusal.parts[0] == r.name;
    CHECK(refused);
  }
}
