// Reductions: sums, maxima and their positions over any set of axes; reduced axes keep size 1.
#include <limits>

#include "graph/rows.h"

namespace atelier {
using namespace rows;
namespace {
using Grads = std::vector<Expr>;

Shape reduced(const NodeView& n) {
  const Shape& x = n.operands[0].shape;
  require(n.attributes[0] >> x.rank() == 0, "reduces an axis that is not there");
  Shape y = x;
  for (int i = 0; i < x.rank(); ++i) {
    if (mask_of(x, n.attributes[0], i)) y = y.with(i, 1);
  }
  return y;
}
std::vector<Type> reduce_types(const NodeView& n) {
  require(real(n.operands[0]), "needs f32 or f64");
  return {{n.operands[0].dtype, reduced(n)}};
}
std::vector<Type> argtop_types(const NodeView& n) {
  require(real(n.operands[0]), "needs f32 or f64");
  return {{DType::i32, reduced(n)}};
}

// Calls body(output element, input element, row-major position over the reduced axes).
template <class Body>
void walk(const NodeView& n, Body body) {
  const Shape& x = n.operands[0].shape;
  const Shape y = reduced(n);
  auto strides = strides_of(y);
  for_each_index(x, [&](const auto& index, std::int64_t linear) {
    std::int64_t to = 0, position = 0;
    for (int i = 0; i < x.rank(); ++i) {
      if (mask_of(x, n.attributes[0], i)) {
        position = position * x[i] + index[std::size_t(i)];
      } else {
        to += index[std::size_t(i)] * strides[std::size_t(i)];
      }
    }
    body(std::size_t(to), std::size_t(linear), position);
  });
}
void sum_oracle(const NodeView& n, Ins in, Outs out) {
  std::fill(out[0].v.begin(), out[0].v.end(), 0.0);
  walk(n, [&](std::size_t to, std::size_t from, std::int64_t) { out[0].v[to] += in[0].v[from]; });
}
void top_and_position(const NodeView& n, Ins in, std::vector<double>& best,
                      std::vector<double>& where) {
  best.assign(std::size_t(reduced(n).count()), 0);
  where.assign(best.size(), -1);
  walk(n, [&](std::size_t to, std::size_t from, std::int64_t position) {
    if (where[to] < 0 || best[to] < in[0].v[from]) {
      best[to] = in[0].v[from];
      where[to] = double(position);
    }
  });
}
void top_oracle(const NodeView& n, Ins in, Outs out) {
  std::vector<double> where;
  top_and_position(n, in, out[0].v, where);
}
void argtop_oracle(const NodeView& n, Ins in, Outs out) {
  std::vector<double> best;
  top_and_position(n, in, best, out[0].v);
}

std::vector<int> axes_of(const Shape& shape, std::int64_t mask) {
  std::vector<int> axes;
  for (int i = 0; i < shape.rank(); ++i) {
    if (mask_of(shape, mask, i)) axes.push_back(i);
  }
  return axes;
}
Grads sum_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) { return {broadcast(dy[0], x[0].shape())}; }
// The slope goes to the position of the maximum, never to every element that equals it.
Grads top_vjp(Graph& g, Exprs x, Exprs, Exprs dy, Attrs a) {
  const Shape& shape = x[0].shape();
  auto axes = axes_of(shape, a[0]);
  Expr here = iota(g, shape, axes);
  Expr hit = equal(here, broadcast(argtop(x[0], axes), shape));
  return {where(hit, broadcast(dy[0], shape), 0.0)};
}

Cost reduce_cost(const NodeView& n) {
  Cost cost = pass_cost<0>(n);
  cost.flops = double(n.operands[0].shape.count());
  return cost;
}
template <bool kDistinct>
std::vector<Sample> reduce_samples() {
  auto fill = [](int, Dense& d, std::uint64_t seed) { fill_distinct(d, seed); };
  std::vector<Sample> samples = {{"rows", {f64({3, 5})}, {2}, -1, 1, {}},
                                 {"columns", {f64({5, 3})}, {1}, -1, 1, {}},
                                 {"all", {f64({3, 5})}, {3}, -1, 1, {}},
                                 {"outer and inner", {f64({3, 2, 5})}, {5}, -1, 1, {}},
                                 {"the middle", {f64({3, 5, 2})}, {2}, -1, 1, {}},
                                 {"an axis of one element", {f64({4, 1})}, {2}, -1, 1, {}},
                                 {"odd extents", {f64({3, 37})}, {2}, -1, 1, {}}};
  if (kDistinct) {
    for (Sample& s : samples) s.fill = fill;
  }
  return samples;
}

}  // namespace

void reduction_rows(OpRow* t) {
  OpRow base{.min_operands = 1,
             .max_operands = 1,
             .differentiable = true,
             .types = reduce_types,
             .cost = reduce_cost};
  OpRow& sums = t[int(Op::sum)] = base;
  sums.name = "sum";
  sums.vjp = sum_vjp;
  sums.oracle = sum_oracle;
  sums.samples = reduce_samples<false>;
  OpRow& tops = t[int(Op::top)] = base;
  tops.name = "top";
  tops.vjp = top_vjp;
  tops.oracle = top_oracle;
  tops.samples = reduce_samples<true>;
  OpRow& positions = t[int(Op::argtop)] = base;
  positions.name = "argtop";
  positions.differentiable = false;
  positions.types = argtop_types;
  positions.oracle = argtop_oracle;
  positions.samples = reduce_samples<true>;
}

}  // namespace atelier
