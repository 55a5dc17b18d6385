// Movement rows: the same elements in another arrangement; each adjoint is the reverse movement.
#include <fmt/format.h>

#include <algorithm>

#include "graph/rows.h"

namespace atelier {
using namespace rows;
namespace {
using Grads = std::vector<Expr>;
using List = std::vector<std::int64_t>;

Type like(const NodeView& n, Shape shape) { return {n.operands[0].dtype, shape}; }

// ---- reshape {shape...}
std::vector<Type> reshape_types(const NodeView& n) {
  Shape shape(n.attributes);
  require(shape.count() == n.operands[0].shape.count(), "cannot become " + to_string(shape));
  return {like(n, shape)};
}
void same_oracle(const NodeView&, Ins in, Outs out) { out[0].v = in[0].v; }
Grads reshape_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) {
  return {reshape(dy[0], x[0].shape())};
}

// ---- transpose {permutation}
std::vector<Type> transpose_types(const NodeView& n) {
  const Shape& x = n.operands[0].shape;
  require(int(n.attributes.size()) == x.rank(), "the permutation has another rank");
  List axes, seen(std::size_t(x.rank()), 0);
  for (auto p : n.attributes) {
    require(p >= 0 && p < x.rank() && !seen[std::size_t(p)]++, "not a permutation of the axes");
    axes.push_back(x[int(p)]);
  }
  return {like(n, Shape(axes))};
}
void transpose_oracle(const NodeView& n, Ins in, Outs out) {
  auto strides = strides_of(n.operands[0].shape);
  for_each_index(n.results[0].shape, [&](const auto& index, std::int64_t linear) {
    std::int64_t from = 0;
    for (std::size_t i = 0; i < index.size(); ++i) {
      from += index[i] * strides[std::size_t(n.attributes[i])];
    }
    out[0].v[std::size_t(linear)] = in[0].v[std::size_t(from)];
  });
}
Grads transpose_vjp(Graph&, Exprs, Exprs, Exprs dy, Attrs p) {
  std::vector<int> inverse(p.size());
  for (std::size_t i = 0; i < p.size(); ++i) inverse[std::size_t(p[i])] = int(i);
  return {transpose(dy[0], inverse)};
}

// ---- broadcast {shape...}
std::vector<Type> broadcast_types(const NodeView& n) {
  const Shape& x = n.operands[0].shape;
  Shape shape(n.attributes);
  require(shape.rank() >= x.rank(), "cannot lose axes, to " + to_string(shape));
  for (int i = 1; i <= x.rank(); ++i) {
    require(x[-i] == shape[-i] || x[-i] == 1, "does not stretch to " + to_string(shape));
  }
  return {like(n, shape)};
}
void broadcast_oracle(const NodeView& n, Ins in, Outs out) {
  const Shape& x = n.operands[0].shape;
  const Shape& y = n.results[0].shape;
  auto strides = strides_of(x);
  for_each_index(y, [&](const auto& index, std::int64_t linear) {
    std::int64_t from = 0;
    for (int i = 0; i < x.rank(); ++i) {
      if (x[i] > 1) from += index[std::size_t(i + y.rank() - x.rank())] * strides[std::size_t(i)];
    }
    out[0].v[std::size_t(linear)] = in[0].v[std::size_t(from)];
  });
}
Grads broadcast_vjp(Graph&, Exprs x, Exprs self, Exprs dy, Attrs) {
  const Shape& from = x[0].shape();
  const Shape& to = self[0].shape();
  int extra = to.rank() - from.rank();
  std::vector<int> axes;
  for (int i = 0; i < to.rank(); ++i) {
    if (i < extra || from[i - extra] != to[i]) axes.push_back(i);
  }
  return {reshape(axes.empty() ? dy[0] : sum(dy[0], axes), from)};
}

// ---- slice {lo, hi, step per axis}
std::vector<Type> slice_types(const NodeView& n) {
  const Shape& x = n.operands[0].shape;
  require(int(n.attributes.size()) == 3 * x.rank(), "needs a window for each axis");
  List axes;
  for (int i = 0; i < x.rank(); ++i) {
    auto lo = n.attributes[std::size_t(3 * i)], hi = n.attributes[std::size_t(3 * i + 1)];
    auto step = n.attributes[std::size_t(3 * i + 2)];
    require(step >= 1 && lo >= 0 && lo < hi && hi <= x[i],
            fmt::format("window {}:{}:{} does not fit axis {}", lo, hi, step, i));
    axes.push_back((hi - lo + step - 1) / step);
  }
  return {like(n, Shape(axes))};
}
void slice_oracle(const NodeView& n, Ins in, Outs out) {
  auto strides = strides_of(n.operands[0].shape);
  for_each_index(n.results[0].shape, [&](const auto& index, std::int64_t linear) {
    std::int64_t from = 0;
    for (std::size_t i = 0; i < index.size(); ++i) {
      from += (n.attributes[3 * i] + index[i] * n.attributes[3 * i + 2]) * strides[i];
    }
    out[0].v[std::size_t(linear)] = in[0].v[std::size_t(from)];
  });
}
Grads slice_vjp(Graph& g, Exprs x, Exprs self, Exprs dy, Attrs a) {
  List windows;
  for (int i = 0; i < x[0].shape().rank(); ++i) {
    auto lo = a[std::size_t(3 * i)], step = a[std::size_t(3 * i + 2)];
    auto covered = (self[0].shape()[i] - 1) * step + 1;
    windows.insert(windows.end(), {lo, x[0].shape()[i] - lo - covered, step - 1});
  }
  return {g.put(Op::pad, {&dy[0], 1}, windows)};
}

// ---- pad {lo, hi, gap per axis}
std::vector<Type> pad_types(const NodeView& n) {
  const Shape& x = n.operands[0].shape;
  require(int(n.attributes.size()) == 3 * x.rank(), "needs a margin for each axis");
  List axes;
  for (int i = 0; i < x.rank(); ++i) {
    auto lo = n.attributes[std::size_t(3 * i)], hi = n.attributes[std::size_t(3 * i + 1)];
    auto gap = n.attributes[std::size_t(3 * i + 2)];
    require(lo >= 0 && hi >= 0 && gap >= 0, fmt::format("a margin of axis {} is negative", i));
    axes.push_back(x[i] + (x[i] - 1) * gap + lo + hi);
  }
  return {like(n, Shape(axes))};
}
void pad_oracle(const NodeView& n, Ins in, Outs out) {
  auto strides = strides_of(n.results[0].shape);
  std::fill(out[0].v.begin(), out[0].v.end(), 0.0);
  for_each_index(n.operands[0].shape, [&](const auto& index, std::int64_t linear) {
    std::int64_t to = 0;
    for (std::size_t i = 0; i < index.size(); ++i) {
      to += (n.attributes[3 * i] + index[i] * (n.attributes[3 * i + 2] + 1)) * strides[i];
    }
    out[0].v[std::size_t(to)] = in[0].v[std::size_t(linear)];
  });
}
Grads pad_vjp(Graph& g, Exprs x, Exprs, Exprs dy, Attrs a) {
  List windows;
  for (int i = 0; i < x[0].shape().rank(); ++i) {
    auto lo = a[std::size_t(3 * i)], step = a[std::size_t(3 * i + 2)] + 1;
    windows.insert(windows.end(), {lo, lo + (x[0].shape()[i] - 1) * step + 1, step});
  }
  return {g.put(Op::slice, {&dy[0], 1}, windows)};
}

// ---- concat {axis}
std::vector<Type> concat_types(const NodeView& n) {
  int axis = int(n.attributes[0]);
  std::int64_t extent = 0;
  for (const Type& t : n.operands) {
    require(t.dtype == n.operands[0].dtype && t.shape.rank() == n.operands[0].shape.rank() &&
                t.shape.with(axis, 1) == n.operands[0].shape.with(axis, 1),
            "pieces differ in more than the joined axis");
    extent += t.shape[axis];
  }
  return {like(n, n.operands[0].shape.with(axis, extent))};
}
void concat_oracle(const NodeView& n, Ins in, Outs out) {
  int axis = int(n.attributes[0]);
  std::int64_t outer = 1;
  for (int i = 0; i < axis; ++i) outer *= n.results[0].shape[i];
  std::size_t to = 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const Dense& piece : in) {
      std::size_t run = piece.v.size() / std::size_t(outer);
      std::copy_n(piece.v.begin() + std::ptrdiff_t(std::size_t(o) * run), run,
                  out[0].v.begin() + std::ptrdiff_t(to));
      to += run;
    }
  }
}
Grads concat_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs a) {
  Grads pieces;
  std::int64_t at = 0;
  for (Expr piece : x) {
    std::int64_t extent = piece.shape()[int(a[0])];
    pieces.push_back(slice(dy[0], int(a[0]), at, at + extent));
    at += extent;
  }
  return pieces;
}

// ---- reverse {mask}
std::vector<Type> unchanged(const NodeView& n) { return {n.operands[0]}; }
void reverse_oracle(const NodeView& n, Ins in, Outs out) {
  const Shape& shape = n.operands[0].shape;
  auto strides = strides_of(shape);
  for_each_index(shape, [&](const auto& index, std::int64_t linear) {
    std::int64_t from = 0;
    for (int i = 0; i < shape.rank(); ++i) {
      auto at = index[std::size_t(i)];
      from +=
          (mask_of(shape, n.attributes[0], i) ? shape[i] - 1 - at : at) * strides[std::size_t(i)];
    }
    out[0].v[std::size_t(linear)] = in[0].v[std::size_t(from)];
  });
}
Grads reverse_vjp(Graph& g, Exprs, Exprs, Exprs dy, Attrs a) {
  return {g.put(Op::reverse, {&dy[0], 1}, a)};
}

OpRow movement(const char* name, decltype(OpRow::types) types, decltype(OpRow::vjp) vjp,
               decltype(OpRow::oracle) oracle, decltype(OpRow::samples) samples) {
  return {.name = name,
          .min_operands = 1,
          .max_operands = 1,
          .differentiable = true,
          .types = types,
          .vjp = vjp,
          .oracle = oracle,
          .cost = pass_cost<0>,
          .samples = samples};
}
Sample made(const char* name, Shape shape, List attributes) {
  return {name, {f64(shape)}, std::move(attributes), -1, 1, {}};
}

}  // namespace

void movement_rows(OpRow* t) {
  using Samples = std::vector<Sample>;
  t[int(Op::reshape)] = movement("reshape", reshape_types, reshape_vjp, same_oracle, [] {
    return Samples{made("joined", {2, 3, 5}, {6, 5}), made("to a scalar", {1, 1}, {}),
                   made("six axes", {12, 2}, {2, 1, 3, 2, 1, 2})};
  });
  t[int(Op::transpose)] =
      movement("transpose", transpose_types, transpose_vjp, transpose_oracle, [] {
        return Samples{made("a matrix", {3, 5}, {1, 0}),
                       made("four axes", {2, 3, 1, 5}, {2, 0, 3, 1}),
                       made("six axes", {2, 1, 3, 2, 1, 2}, {5, 3, 1, 0, 4, 2}),
                       made("odd extents", {17, 19}, {1, 0})};
      });
  t[int(Op::broadcast)] =
      movement("broadcast", broadcast_types, broadcast_vjp, broadcast_oracle, [] {
        return Samples{made("a row", {5}, {3, 5}), made("a column", {3, 1}, {3, 5}),
                       made("a scalar", {}, {2, 3}), made("inner and outer", {1, 3, 1}, {2, 3, 4}),
                       made("new leading axes", {1, 3}, {2, 2, 5, 3})};
      });
  t[int(Op::slice)] = movement("slice", slice_types, slice_vjp, slice_oracle, [] {
    return Samples{made("a window", {5, 7}, {1, 4, 1, 0, 7, 1}),
                   made("steps", {5, 7}, {0, 5, 2, 1, 7, 3}), made("one element", {4}, {2, 3, 1}),
                   made("a step over the end", {7}, {1, 7, 9})};
  });
  t[int(Op::pad)] = movement("pad", pad_types, pad_vjp, pad_oracle, [] {
    return Samples{made("around", {3, 4}, {1, 2, 0, 0, 1, 0}),
                   made("between", {3, 4}, {0, 0, 2, 1, 0, 1}),
                   made("one element", {1}, {3, 0, 2})};
  });
  t[int(Op::concat)] = movement("concat", concat_types, concat_vjp, concat_oracle, [] {
    return Samples{{"three pieces", {f64({2, 3}), f64({2, 1}), f64({2, 5})}, {1}, -1, 1, {}},
                   {"outer axis", {f64({2, 3}), f64({4, 3})}, {0}, -1, 1, {}},
                   {"the middle, odd", {f64({2, 1, 3}), f64({2, 5, 3})}, {1}, -1, 1, {}}};
  });
  t[int(Op::concat)].max_operands = 65535;
  t[int(Op::reverse)] = movement("reverse", unchanged, reverse_vjp, reverse_oracle, [] {
    return Samples{made("inner", {3, 5}, {2}), made("both", {3, 5}, {3}),
                   made("one element", {1, 5}, {1})};
  });
}

}  // namespace atelier
