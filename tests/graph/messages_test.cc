// Every refusal of an op's builder names the op, the shapes and the place.
#include "graph/messages.h"

#include <doctest/doctest.h>

#include <cmath>

#include "graph/op_table.h"

using namespace atelier;
using testing::f;
using testing::i;
using testing::Refusal;

namespace {

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
      {"cast of an absent expression",
       [](Graph&) { cast(Expr{}, DType::i32); },
       {"cast", "absent"}},
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
      {"where of two types",
       [](Graph& g) { where(less(i(g, "a", {2}), 3), f(g, "b", {2}), i(g, "c", {2})); },
       {"where", "different types", "f32[2]", "i32[2]"}},
      {"where of unequal choices",
       [](Graph& g) {
         Expr x[] = {less(i(g, "a", {2}), 3), f(g, "b", {2}), f(g, "c", {3})};
         g.put(Op::where, x, {});
       },
       {"where", "the choices differ", "u8[2]", "f32[2]", "f32[3]"}},
      {"where with a mask that does not broadcast",
       [](Graph& g) { where(less(i(g, "a", {3}), 3), f(g, "b", {2}), 0.0); },
       {"where", "do not broadcast", "u8[3]", "f32[2]"}},
      {"where of two numbers",
       [](Graph& g) { where(less(i(g, "a", {3}), 3), 1.0, 0.0); },
       {"where", "two numbers have no type", "u8[3]"}},
      {"half an integer",
       [](Graph& g) { i(g, "a", {2}) * 0.5; },
       {"mul", "0.5 is no i32: cast first", "i32[2]"}},
      {"half an integer, in front",
       [](Graph& g) { 0.5 + i(g, "a", {2}); },
       {"add", "0.5 is no i32: cast first", "i32[2]"}},
      {"an integer below two and a half",
       [](Graph& g) { less(i(g, "labels", {2}), 2.5); },
       {"less", "2.5 is no i32: cast first", "i32[2]"}},
      {"an integer beside a number that is too large",
       [](Graph& g) { max(i(g, "a", {2}), 2147483648.0); },
       {"max", "2147483648 is no i32", "i32[2]"}},
      {"an integer beside what is no number",
       [](Graph& g) { i(g, "a", {2}) - std::nan(""); },
       {"sub", "nan is no i32", "i32[2]"}},
      {"equal to a fraction",
       [](Graph& g) { equal(i(g, "a", {2}), 0.1); },
       {"equal", "0.1 is no i32", "i32[2]"}},
      {"transpose to another rank",
       [](Graph& g) {
         transpose(f(g, "a", {2, 3}), {0});
       },
       {"transpose", "another rank", "f32[2,3]"}},
      {"broadcast to fewer axes",
       [](Graph& g) {
         broadcast(f(g, "a", {2, 3}), {3});
       },
       {"broadcast", "cannot lose axes", "f32[2,3]"}},
      {"matmul of other batches",
       [](Graph& g) {
         matmul(f(g, "a", {2, 3, 4}), f(g, "b", {5, 4, 6}));
       },
       {"matmul", "batch axes differ", "f32[2,3,4]", "f32[5,4,6]"}},
      {"matmul by a vector",
       [](Graph& g) {
         matmul(f(g, "a", {2, 3}), f(g, "b", {3}));
       },
       {"matmul", "one rank of at least 2", "f32[2,3]", "f32[3]"}},
      {"matmul of vectors",
       [](Graph& g) { matmul(f(g, "a", {3}), f(g, "b", {3})); },
       {"matmul", "one rank of at least 2", "f32[3]"}},
      {"matmul of two types",
       [](Graph& g) {
         matmul(f(g, "a", {2, 3}), i(g, "b", {3, 2}));
       },
       {"matmul", "different types", "f32[2,3]", "i32[3,2]"}},
      {"matmul of integers",
       [](Graph& g) {
         matmul(i(g, "a", {2, 3}), i(g, "b", {3, 2}));
       },
       {"matmul", "f32, f64 or bf16", "i32[2,3]", "i32[3,2]"}},
      {"conv of rows",
       [](Graph& g) {
         conv(f(g, "x", {8, 32, 3}), f(g, "w", {3, 3, 3}));
       },
       {"conv", "rank 4", "f32[8,32,3]", "f32[3,3,3]"}},
      {"conv_dx of other channels",
       [](Graph& g) {
         conv_dx(f(g, "y", {1, 4, 4, 5}), f(g, "w", {3, 3, 3, 2}), 6, 6);
       },
       {"conv_dx", "output channels 5 do not match weight channels 2", "f32[1,4,4,5]"}},
      {"take of a scalar",
       [](Graph& g) { take(f(g, "a", {}), i(g, "b", {2})); },
       {"take", "at least one axis", "f32[]", "i32[2]"}},
      {"put_add of integers",
       [](Graph& g) {
         put_add(i(g, "a", {3, 2}), i(g, "b", {3}), 5);
       },
       {"put_add", "f32 or f64", "i32[3,2]", "i32[3]"}},
      {"put_add by floats",
       [](Graph& g) {
         put_add(f(g, "a", {3, 2}), f(g, "b", {3}), 5);
       },
       {"put_add", "i32", "f32[3,2]", "f32[3]"}},
      {"dyn_slice from a start of other rank",
       [](Graph& g) {
         dyn_slice(f(g, "a", {4, 5}), i(g, "s", {1}), {2, 2});
       },
       {"dyn_slice", "one number an axis", "f32[4,5]", "i32[1]"}},
      {"dyn_slice from a float",
       [](Graph& g) { dyn_slice(f(g, "a", {4}), f(g, "s", {1}), {2}); },
       {"dyn_slice", "one number an axis", "f32[4]", "f32[1]"}},
      {"dyn_slice of another rank",
       [](Graph& g) {
         dyn_slice(f(g, "a", {4, 5}), i(g, "s", {2}), {2});
       },
       {"dyn_slice", "another rank", "f32[4,5]"}},
      {"dyn_update from a start of other rank",
       [](Graph& g) { dyn_update(f(g, "a", {4}), f(g, "w", {2}), i(g, "s", {2})); },
       {"dyn_update", "one number an axis", "f32[4]", "f32[2]", "i32[2]"}},
      {"dyn_update by a window of another type",
       [](Graph& g) { dyn_update(f(g, "a", {4}), i(g, "w", {2}), i(g, "s", {1})); },
       {"dyn_update", "another type", "f32[4]", "i32[2]"}},
      {"dyn_update by a window that is too large",
       [](Graph& g) { dyn_update(f(g, "a", {4}), f(g, "w", {5}), i(g, "s", {1})); },
       {"dyn_update", "does not fit", "f32[4]", "f32[5]"}},
      {"softmax of a scalar",
       [](Graph& g) { softmax(f(g, "a", {})); },
       {"softmax", "with an axis", "f32[]"}},
      {"cross-entropy of one row",
       [](Graph& g) { cross_entropy(f(g, "x", {3}), i(g, "y", {1})); },
       {"cross_entropy", "[N,K]", "f32[3]", "i32[1]"}},
      {"random with a clock of other length",
       [](Graph& g) {
         random(i(g, "ids", {2}), i(g, "clock", {2}), {2, 4}, 1);
       },
       {"random", "clock", "i32[2]"}},
      {"attention whose keys and values differ",
       [](Graph& g) {
         attention(f(g, "q", {1, 2, 2, 4}), f(g, "k", {1, 3, 2, 4}), f(g, "v", {1, 5, 2, 4}));
       },
       {"attention", "k and v differ", "f32[1,2,2,4]", "f32[1,3,2,4]", "f32[1,5,2,4]"}},
      {"attention of matrices",
       [](Graph& g) {
         Expr q = f(g, "q", {2, 4});
         attention(q, q, q);
       },
       {"attention", "[batch, tokens, heads, head_dim]", "f32[2,4]"}},
      {"attention with a length for another batch",
       [](Graph& g) {
         Expr q = f(g, "q", {1, 2, 2, 4});
         attention(q, q, q, {.valid_length = i(g, "length", {3})});
       },
       {"attention", "valid length must be i32 [batch]", "f32[1,2,2,4]", "i32[3]"}},
      {"attention with a length in floats",
       [](Graph& g) {
         Expr q = f(g, "q", {1, 2, 2, 4});
         attention(q, q, q, {.valid_length = f(g, "length", {1})});
       },
       {"attention", "valid length must be i32 [batch]", "f32[1]"}},
      {"adam with a moment of another shape",
       [](Graph& g) {
         Expr p = f(g, "p", {3}), s = f(g, "s", {});
         adam(p, f(g, "m", {4}), p, p, s, s, s, s, {}, {}, {});
       },
       {"adam", "operand 1 must be as the parameter", "f32[3]", "f32[4]"}},
      {"adam with an average and no keep",
       [](Graph& g) {
         Expr p = f(g, "p", {3}), s = f(g, "s", {});
         adam(p, p, p, p, s, s, s, s, {&p, 1}, {}, {});
       },
       {"adam", "9 operands for 1 averages", "f32[3]"}},
  };
  return list;
}

}  // namespace

TEST_CASE("every refusal names the op, the shapes and the place") {
  testing::check_refusals(refusals(), "messages_test.cc:");
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
    bool shared = is_elementwise(Op(k)) && r.max_operands == 1 && Op(k) != Op::cast;
    if (r.max_operands == 0 || shared || Op(k) == Op::pack) continue;
    INFO(std::string(r.name));
    bool refused = false;
    for (const Refusal& refusal : refusals()) refused = refused || refusal.parts[0] == r.name;
    CHECK(refused);
  }
}
