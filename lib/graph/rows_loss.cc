// Softmax, cross-entropy by index, and Gaussian noise.
//   softmax(x) over the last axis;  cross_entropy(logits [N,K], labels i32 [N]) -> loss [N], lse
//   [N] normal(ids, clock) {stream, shape...}: Box-Muller, radius from `stream`, angle from stream
//   + 1
#include <numbers>

#include "graph/builders.h"
#include "graph/rows.h"

namespace atelier {
using builders::graph_of;
using namespace rows;
namespace {
using Grads = std::vector<Expr>;

std::vector<Type> softmax_types(const NodeView& n) {
  require(real(n.operands[0]) && n.operands[0].shape.rank() >= 1, "needs floats with an axis");
  return {n.operands[0]};
}
std::vector<Expr> softmax_decompose(Graph&, Exprs x, Attrs) {
  Expr e = exp(x[0] - stop_gradient(top(x[0], {-1})));
  return {e / sum(e, {-1})};
}
Grads softmax_vjp(Graph&, Exprs, Exprs self, Exprs dy, Attrs) {
  return {self[0] * (dy[0] - sum(dy[0] * self[0], {-1}))};
}

std::vector<Type> cross_entropy_types(const NodeView& n) {
  const Type& logits = n.operands[0];
  require(real(logits) && logits.shape.rank() == 2, "logits must be floats [N,K]");
  require(n.operands[1] == Type{DType::i32, {logits.shape[0]}}, "labels must be i32 [N]");
  return {{logits.dtype, {logits.shape[0]}}, {logits.dtype, {logits.shape[0]}}};
}
// 1 where the class is the label, as a mask [N,K]; nothing of it is kept in memory by name.
Expr label_mask(Graph& g, Expr logits, Expr labels) {
  const Shape& shape = logits.shape();
  // One statement each: the nodes' order must not be the compiler's choice.
  Expr wanted = broadcast(reshape(labels, {shape[0], 1}), shape);
  return equal(iota(g, shape, {1}), wanted);
}
std::vector<Expr> cross_entropy_decompose(Graph& g, Exprs x, Attrs) {
  std::int64_t rows = x[0].shape()[0];
  Expr lse = reshape(logsumexp(x[0], 1), {rows});
  Expr chosen = reshape(sum(where(label_mask(g, x[0], x[1]), x[0], 0.0), {1}), {rows});
  return {lse - chosen, lse};
}
Grads cross_entropy_vjp(Graph& g, Exprs x, Exprs self, Exprs dy, Attrs) {
  std::int64_t rows = x[0].shape()[0];
  Expr p = exp(x[0] - reshape(self[1], {rows, 1}));
  Expr d = reshape(dy[0], {rows, 1});
  Expr soft = p * d;
  Expr wide = broadcast(d, x[0].shape());
  Expr mask = label_mask(g, x[0], x[1]);
  return {soft - where(mask, wide, 0.0), Expr{}};
}

std::vector<Type> normal_types(const NodeView& n) { return row(Op::random).types(n); }
std::vector<Expr> normal_decompose(Graph&, Exprs x, Attrs a) {
  Shape shape(a.subspan(1));
  Expr u = random(x[0], x[1], shape, std::uint64_t(a[0]));
  Expr v = random(x[0], x[1], shape, std::uint64_t(a[0]) + 1);
  return {sqrt(-2.0 * log(1.0 - u)) * cos(2 * std::numbers::pi * v)};
}

}  // namespace

Expr random(Expr ids, Expr clock, Shape shape, std::uint64_t stream, Where where) {
  Expr operands[] = {ids, clock};
  std::vector<std::int64_t> a{std::int64_t(stream)};
  a.insert(a.end(), shape.axes().begin(), shape.axes().end());
  return graph_of(Op::random, operands, where).put(Op::random, operands, a, where);
}
Expr normal(Expr ids, Expr clock, Shape shape, std::uint64_t stream, Where where) {
  Expr operands[] = {ids, clock};
  std::vector<std::int64_t> a{std::int64_t(stream)};
  a.insert(a.end(), shape.axes().begin(), shape.axes().end());
  return graph_of(Op::normal, operands, where).put(Op::normal, operands, a, where);
}
Expr softmax(Expr x, Where where) {
  return graph_of(Op::softmax, {x}, where).put(Op::softmax, {&x, 1}, {}, where);
}
Expr cross_entropy(Expr logits, Expr labels, Where where) {
  Expr operands[] = {logits, labels};
  return graph_of(Op::cross_entropy, operands, where).put(Op::cross_entropy, operands, {}, where);
}

void loss_rows(OpRow* t) {
  using S = std::vector<Sample>;
  t[int(Op::softmax)] = {.name = "softmax",
                         .min_operands = 1,
                         .max_operands = 1,
                         .differentiable = true,
                         .types = softmax_types,
                         .vjp = softmax_vjp,
                         .decompose = softmax_decompose,
                         .cost = pass_cost<5>,
                         .samples = [] {
                           return S{{"rows", {f64({3, 7})}, {}, -2, 2, {}},
                                    {"tokens", {f64({2, 3, 5})}, {}, -2, 2, {}},
                                    {"one class", {f64({3, 1})}, {}, -2, 2, {}},
                                    {"odd extents", {f64({2, 37})}, {}, -2, 2, {}}};
                         }};
  t[int(Op::cross_entropy)] = {
      .name = "cross_entropy",
      .min_operands = 2,
      .max_operands = 2,
      .differentiable = true,
      .types = cross_entropy_types,
      .vjp = cross_entropy_vjp,
      .decompose = cross_entropy_decompose,
      .cost = pass_cost<5>,
      .samples = [] {
        return S{
            {"rows", {f64({4, 5}), i32({4})}, {}, -2, 2, [](int k, Dense& d, std::uint64_t seed) {
               k == 1 ? fill_indices(d, seed, 5) : fill_distinct(d, seed, 0.1);
             }}};
      }};
  t[int(Op::normal)] = {
      .name = "normal",
      .min_operands = 2,
      .max_operands = 2,
      .types = normal_types,
      .decompose = normal_decompose,
      .cost = pass_cost<20>,
      .samples = [] {
        auto fill = [](int k, Dense& d, std::uint64_t seed) {
          fill_indices(d, seed + std::uint64_t(k), 1000);
        };
        return S{{"pictures", {i32({2}), i32({3})}, {123456789, 2, 4, 5}, 0, 1, fill}};
      }};
}

}  // namespace atelier
