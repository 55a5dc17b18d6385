// Scaled dot-product attention (Vaswani et al. 2017), q [B,T,heads,D], k and v [B,S,heads,D].
//   attention(q, k, v [, bias [heads,T,S]] [, valid i32 [B]]) -> out [B,T,heads,D], lse [B,heads,T]
//   attention_grad(q, k, v, out, lse, dout [, bias] [, valid]) -> dq, dk, dv
// {causal, bits of scale, has_bias, has_length}. A bias has no fused adjoint: with one, attention
// is differentiated through its decomposition.
#include <cmath>

#include "graph/builders.h"
#include "graph/rows.h"

namespace atelier {
using builders::graph_of;
using namespace rows;
namespace {
using Grads = std::vector<Expr>;

struct Heads {
  std::int64_t b, t, s, h, d;
};
Heads heads_of(const Type& q, const Type& k) {
  return {q.shape[0], q.shape[1], k.shape[1], q.shape[2], q.shape[3]};
}
void check(const NodeView& n, std::size_t extra) {
  const Type& q = n.operands[0];
  const Type& k = n.operands[1];
  require(real(q) && q.dtype == k.dtype, "needs floats of one type");
  require(q.shape.rank() == 4 && k.shape.rank() == 4,
          "q, k and v must be [batch, tokens, heads, head_dim]");
  require(k == n.operands[2], "k and v differ");
  require(q.shape.with(1, 1) == k.shape.with(1, 1), "q and k differ in batch, heads or head_dim");
  Heads h = heads_of(q, k);
  require(n.operands.size() == extra + std::size_t(n.attributes[2]) + std::size_t(n.attributes[3]),
          "bias and valid length do not match the attributes");
  if (n.attributes[2])
    require(n.operands[extra].shape == Shape{h.h, h.t, h.s}, "bias must be [heads, T, S]");
  if (n.attributes[3])
    require(n.operands.back() == Type{DType::i32, {h.b}}, "valid length must be i32 [batch]");
}
std::vector<Type> attention_types(const NodeView& n) {
  check(n, 3);
  Heads h = heads_of(n.operands[0], n.operands[1]);
  return {n.operands[0], {n.operands[0].dtype, {h.b, h.h, h.t}}};
}
std::vector<Type> attention_grad_types(const NodeView& n) {
  check(n, 6);
  require(n.operands[3] == n.operands[0] && n.operands[5] == n.operands[0],
          "out and dout must be as q");
  return {n.operands[0], n.operands[1], n.operands[2]};
}

// u8 [B,heads,T,S]: 1 where a key counts; absent without a mask.
Expr mask_of_keys(Graph& g, const Heads& h, Attrs a, Expr valid) {
  Shape full{h.b, h.h, h.t, h.s};
  Expr keys = iota(g, full, {3}), mask;
  if (a[0]) {  // the last query sees all keys: query i sees keys up to i + S - T
    Expr shift = g.constant(double(h.s - h.t + 1), DType::i32);
    mask = less(keys, iota(g, full, {2}) + shift);
  }
  if (a[3]) {
    Expr inside = less(keys, broadcast(reshape(valid, {h.b, 1, 1, 1}), full));
    mask = mask ? where(mask, inside, broadcast(g.constant(0, DType::u8), full)) : inside;
  }
  return mask;
}
Expr scores_of(Graph& g, Expr q, Expr k, const Heads& h, Attrs a, Expr bias, Expr valid) {
  Expr scores = matmul(transpose(q, {0, 2, 1, 3}), transpose(k, {0, 2, 1, 3}), false, true) *
                bits_to_double(a[1]);
  if (bias) scores = scores + bias;
  Expr mask = mask_of_keys(g, h, a, valid);
  // -1e30 and not -infinity: a row without any key stays finite.
  return mask ? where(mask, scores, -1e30) : scores;
}
std::vector<Expr> attention_decompose(Graph& g, Exprs x, Attrs a) {
  Heads h = heads_of(x[0].type(), x[1].type());
  Expr bias = a[2] ? x[3] : Expr{}, valid = a[3] ? x[x.size() - 1] : Expr{};
  Expr scores = scores_of(g, x[0], x[1], h, a, bias, valid);
  Expr lse = logsumexp(scores, 3);
  Expr out = transpose(matmul(exp(scores - lse), transpose(x[2], {0, 2, 1, 3})), {0, 2, 1, 3});
  return {out, reshape(lse, {h.b, h.h, h.t})};
}
std::vector<Expr> attention_grad_decompose(Graph& g, Exprs x, Attrs a) {
  Heads h = heads_of(x[0].type(), x[1].type());
  Expr bias = a[2] ? x[6] : Expr{}, valid = a[3] ? x[x.size() - 1] : Expr{};
  Expr p = exp(scores_of(g, x[0], x[1], h, a, bias, valid) - reshape(x[4], {h.b, h.h, h.t, 1}));
  auto by_head = [](Expr e) { return transpose(e, {0, 2, 1, 3}); };
  Expr dout = by_head(x[5]);
  Expr delta = sum(dout * by_head(x[3]), {3});
  Expr ds = p * (matmul(dout, by_head(x[2]), false, true) - delta) * bits_to_double(a[1]);
  return {by_head(matmul(ds, by_head(x[1]))), by_head(matmul(ds, by_head(x[0]), true)),
          by_head(matmul(p, dout, true))};
}
Grads attention_vjp(Graph& g, Exprs x, Exprs self, Exprs dy, Attrs a) {
  if (a[2]) return {};  // the bias needs its own adjoint
  std::vector<Expr> operands{x[0], x[1], x[2], self[0], self[1], dy[0]};
  operands.insert(operands.end(), x.begin() + 3, x.end());
  Expr first = g.put(Op::attention_grad, operands, a);
  Grads grads{first, {first.graph, first.node, 1}, {first.graph, first.node, 2}};
  grads.resize(x.size());
  return grads;
}
Cost attention_cost(const NodeView& n) {
  Heads h = heads_of(n.operands[0], n.operands[1]);
  Cost cost = pass_cost<0>(n);
  cost.flops = double(n.op == Op::attention ? 4 : 8) * double(h.b * h.h * h.t) * double(h.s * h.d) /
               (n.attributes[0] ? 2 : 1);
  return cost;
}
std::vector<Sample> attention_samples() {
  std::int64_t scale = double_to_bits(0.6);
  auto fill = [](int k, Dense& d, std::uint64_t seed) {
    if (d.type.dtype == DType::i32) {
      for (double& v : d.v) v = 2;
    } else {
      fill_distinct(d, seed + std::uint64_t(k), 0.03);
    }
  };
  return {{"plain",
           {f64({2, 3, 2, 4}), f64({2, 5, 2, 4}), f64({2, 5, 2, 4})},
           {0, scale, 0, 0},
           -1,
           1,
           {}},
          {"causal",
           {f64({1, 4, 2, 3}), f64({1, 4, 2, 3}), f64({1, 4, 2, 3})},
           {1, scale, 0, 0},
           -1,
           1,
           {}},
          {"bias",
           {f64({1, 3, 2, 2}), f64({1, 4, 2, 2}), f64({1, 4, 2, 2}), f64({2, 3, 4})},
           {0, scale, 1, 0},
           -1,
           1,
           {}},
          {"one query",
           {f64({2, 1, 2, 3}), f64({2, 5, 2, 3}), f64({2, 5, 2, 3})},
           {1, scale, 0, 0},
           -1,
           1,
           {}},
          {"causal, more keys than queries, bias and valid length",
           {f64({2, 2, 1, 3}), f64({2, 4, 1, 3}), f64({2, 4, 1, 3}), f64({1, 2, 4}), i32({2})},
           {1, scale, 1, 1},
           -1,
           1,
           fill},
          {"valid length",
           {f64({2, 3, 1, 2}), f64({2, 4, 1, 2}), f64({2, 4, 1, 2}), i32({2})},
           {0, scale, 0, 1},
           -1,
           1,
           fill}};
}
std::vector<Sample> attention_grad_samples() {
  std::int64_t scale = double_to_bits(0.6);
  Type q = f64({1, 3, 2, 2});
  Type k = f64({1, 4, 2, 2});
  return {{"plain", {q, k, k, q, f64({1, 2, 3}), q}, {0, scale, 0, 0}, -1, 1, {}}};
}

}  // namespace

Expr attention(Expr q, Expr k, Expr v, const AttentionArgs& args, Where where) {
  std::vector<Expr> operands{q, k, v};
  graph_of(Op::attention, operands, where);
  if (args.bias) operands.push_back(args.bias);
  if (args.valid_length) operands.push_back(args.valid_length);
  double head_dim = q.shape().rank() > 0 ? double(q.shape()[-1]) : 1;
  double scale = args.scale > 0 ? args.scale : 1 / std::sqrt(head_dim);
  std::int64_t a[] = {args.causal, double_to_bits(scale), bool(args.bias), bool(args.valid_length)};
  return graph_of(Op::attention, operands, where).put(Op::attention, operands, a, where);
}

void attention_rows(OpRow* t) {
  t[int(Op::attention)] = {.name = "attention",
                           .min_operands = 3,
                           .max_operands = 5,
                           .differentiable = true,
                           .types = attention_types,
                           .vjp = attention_vjp,
                           .decompose = attention_decompose,
                           .cost = attention_cost,
                           .samples = attention_samples};
  t[int(Op::attention_grad)] = {.name = "attention_grad",
                                .min_operands = 6,
                                .max_operands = 8,
                                .differentiable = true,
                                .types = attention_grad_types,
                                .decompose = attention_grad_decompose,
                                .cost = attention_cost,
                                .samples = attention_grad_samples};
}

}  // namespace atelier
