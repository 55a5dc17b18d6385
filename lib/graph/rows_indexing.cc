// Indexing rows: gather, scatter-add, and windows at a position known only at run time.
#include <algorithm>
#include <limits>

#include "graph/rows.h"

namespace atelier {
using namespace rows;
namespace {
using Grads = std::vector<Expr>;

std::vector<Type> take_types(const NodeView& n) {
  const Shape& x = n.operands[0].shape;
  require(x.rank() >= 1, "takes rows of at least one axis");
  require(n.operands[1].dtype == DType::i32, "the index must be i32");
  std::vector<std::int64_t> axes(n.operands[1].shape.axes().begin(),
                                 n.operands[1].shape.axes().end());
  axes.insert(axes.end(), x.axes().begin() + 1, x.axes().end());
  return {{n.operands[0].dtype, Shape(axes)}};
}
void take_oracle(const NodeView& n, Ins in, Outs out) {
  std::size_t rows = std::size_t(n.operands[0].shape[0]), row = in[0].v.size() / rows;
  for (std::size_t i = 0; i < in[1].v.size(); ++i) {
    double at = in[1].v[i];
    bool inside = at >= 0 && at < double(rows);
    for (std::size_t j = 0; j < row; ++j) {
      out[0].v[i * row + j] =
          inside ? in[0].v[std::size_t(at) * row + j] : std::numeric_limits<double>::quiet_NaN();
    }
  }
}
Grads take_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) {
  return {put_add(dy[0], x[1], x[0].shape()[0]), Expr{}};
}

std::vector<Type> put_add_types(const NodeView& n) {
  const Shape& v = n.operands[0].shape;
  const Shape& index = n.operands[1].shape;
  require(real(n.operands[0]), "adds f32 or f64");
  require(n.operands[1].dtype == DType::i32, "the index must be i32");
  require(v.rank() >= index.rank() &&
              std::equal(index.axes().begin(), index.axes().end(), v.axes().begin()),
          "the index does not match the leading axes of the values");
  std::vector<std::int64_t> axes{n.attributes[0]};
  axes.insert(axes.end(), v.axes().begin() + index.rank(), v.axes().end());
  return {{n.operands[0].dtype, Shape(axes)}};
}
void put_add_oracle(const NodeView& n, Ins in, Outs out) {
  std::size_t row = out[0].v.size() / std::size_t(n.attributes[0]);
  std::fill(out[0].v.begin(), out[0].v.end(), 0.0);
  for (std::size_t i = 0; i < in[1].v.size(); ++i) {
    double at = in[1].v[i];
    if (at < 0 || at >= double(n.attributes[0])) continue;
    for (std::size_t j = 0; j < row; ++j)
      out[0].v[std::size_t(at) * row + j] += in[0].v[i * row + j];
  }
}
Grads put_add_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) { return {take(dy[0], x[1]), Expr{}}; }

// Start of a window of `size` in `full`, clamped so that it fits.
std::vector<std::int64_t> clamped(const Dense& start, const Shape& full, const Shape& size) {
  std::vector<std::int64_t> at;
  for (int i = 0; i < full.rank(); ++i) {
    at.push_back(
        std::clamp<std::int64_t>(std::int64_t(start.v[std::size_t(i)]), 0, full[i] - size[i]));
  }
  return at;
}
void require_start(const Type& start, const Shape& full) {
  require(start == Type{DType::i32, {full.rank()}},
          "the start must be i32 with one number an axis");
}

std::vector<Type> dyn_slice_types(const NodeView& n) {
  const Shape& x = n.operands[0].shape;
  Shape size(n.attributes);
  require(size.rank() == x.rank(), "the window has another rank");
  for (int i = 0; i < x.rank(); ++i)
    require(size[i] >= 1 && size[i] <= x[i], "the window does not fit");
  require_start(n.operands[1], x);
  return {{n.operands[0].dtype, size}};
}
void dyn_slice_oracle(const NodeView& n, Ins in, Outs out) {
  auto strides = strides_of(n.operands[0].shape);
  auto at = clamped(in[1], n.operands[0].shape, n.results[0].shape);
  for_each_index(n.results[0].shape, [&](const auto& index, std::int64_t linear) {
    std::int64_t from = 0;
    for (std::size_t i = 0; i < index.size(); ++i) from += (at[i] + index[i]) * strides[i];
    out[0].v[std::size_t(linear)] = in[0].v[std::size_t(from)];
  });
}
Expr zeros(Graph& g, const Type& t) { return broadcast(g.constant(0, t.dtype), t.shape); }
Grads dyn_slice_vjp(Graph& g, Exprs x, Exprs, Exprs dy, Attrs) {
  return {dyn_update(zeros(g, x[0].type()), dy[0], x[1]), Expr{}};
}

std::vector<Type> dyn_update_types(const NodeView& n) {
  const Shape& x = n.operands[0].shape;
  const Shape& window = n.operands[1].shape;
  require(n.operands[0].dtype == n.operands[1].dtype, "the window has another type");
  require(window.rank() == x.rank(), "the window has another rank");
  for (int i = 0; i < x.rank(); ++i) require(window[i] <= x[i], "the window does not fit");
  require_start(n.operands[2], x);
  return {n.operands[0]};
}
void dyn_update_oracle(const NodeView& n, Ins in, Outs out) {
  auto strides = strides_of(n.operands[0].shape);
  auto at = clamped(in[2], n.operands[0].shape, n.operands[1].shape);
  out[0].v = in[0].v;
  for_each_index(n.operands[1].shape, [&](const auto& index, std::int64_t linear) {
    std::int64_t to = 0;
    for (std::size_t i = 0; i < index.size(); ++i) to += (at[i] + index[i]) * strides[i];
    out[0].v[std::size_t(to)] = in[1].v[std::size_t(linear)];
  });
}
Grads dyn_update_vjp(Graph& g, Exprs x, Exprs, Exprs dy, Attrs) {
  return {dyn_update(dy[0], zeros(g, x[1].type()), x[2]), dyn_slice(dy[0], x[2], x[1].shape()),
          Expr{}};
}

template <int kBelow>
void index_fill(int k, Dense& d, std::uint64_t seed) {
  if (d.type.dtype == DType::i32)
    fill_indices(d, seed + std::uint64_t(k), kBelow);
  else
    fill_distinct(d, seed + std::uint64_t(k));
}

}  // namespace

void indexing_rows(OpRow* t) {
  using Samples = std::vector<Sample>;
  t[int(Op::take)] = {
      .name = "take",
      .min_operands = 2,
      .max_operands = 2,
      .differentiable = true,
      .types = take_types,
      .vjp = take_vjp,
      .oracle = take_oracle,
      .cost = pass_cost<0>,
      .samples = [] {
        return Samples{{"repeated rows", {f64({4, 3}), i32({7})}, {}, -1, 1, index_fill<4>},
                       {"a table of indices", {f64({5}), i32({2, 3})}, {}, -1, 1, index_fill<5>},
                       {"one row", {f64({1, 17}), i32({1})}, {}, -1, 1, index_fill<1>}};
      }};
  t[int(Op::put_add)] = {
      .name = "put_add",
      .min_operands = 2,
      .max_operands = 2,
      .differentiable = true,
      .types = put_add_types,
      .vjp = put_add_vjp,
      .oracle = put_add_oracle,
      .cost = pass_cost<1>,
      .samples = [] {
        return Samples{{"repeated rows", {f64({7, 3}), i32({7})}, {4}, -1, 1, index_fill<4>},
                       {"scalars", {f64({2, 3}), i32({2, 3})}, {5}, -1, 1, index_fill<5>},
                       {"all to one row", {f64({6, 2}), i32({6})}, {3}, -1, 1, index_fill<1>}};
      }};
  t[int(Op::dyn_slice)] = {
      .name = "dyn_slice",
      .min_operands = 2,
      .max_operands = 2,
      .differentiable = true,
      .types = dyn_slice_types,
      .vjp = dyn_slice_vjp,
      .oracle = dyn_slice_oracle,
      .cost = pass_cost<0>,
      .samples = [] {
        return Samples{{"a window", {f64({5, 6}), i32({2})}, {2, 3}, -1, 1, index_fill<3>},
                       {"clamped", {f64({5}), i32({1})}, {4}, -1, 1, index_fill<9>}};
      }};
  t[int(Op::dyn_update)] = {
      .name = "dyn_update",
      .min_operands = 3,
      .max_operands = 3,
      .differentiable = true,
      .types = dyn_update_types,
      .vjp = dyn_update_vjp,
      .oracle = dyn_update_oracle,
      .cost = pass_cost<0>,
      .samples = [] {
        return Samples{
            {"a window", {f64({5, 6}), f64({2, 3}), i32({2})}, {}, -1, 1, index_fill<3>},
            {"clamped", {f64({5}), f64({4}), i32({1})}, {}, -1, 1, index_fill<9>},
            {"all of it", {f64({2, 3}), f64({2, 3}), i32({2})}, {}, -1, 1, index_fill<3>}};
      }};
}

}  // namespace atelier
