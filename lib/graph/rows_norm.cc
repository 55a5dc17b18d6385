// Normalisations. Each has a fused adjoint that is a composite itself; both decompose.
//   layer_norm(x, scale, shift)             -> y, mean, rstd       {eps}
//   layer_norm_grad(x, scale, mean, rstd, dy) -> dx, dscale, dshift
//   group_norm, group_norm_grad: likewise                          {groups, eps}; {groups}
//   batch_norm(x, scale, shift)             -> y, mean, variance   {eps}
//   batch_norm_grad(x, scale, mean, variance, dy) -> dx, dscale, dshift  {eps}
// mean, rstd and variance of a grad node are functions of x: its decomposition computes the full
// derivative as the closed form in them, and differentiates through them as separate operands.
#include <fmt/format.h>

#include "graph/builders.h"
#include "graph/rows.h"

namespace atelier {
using builders::graph_of;
using namespace rows;
namespace {
using Grads = std::vector<Expr>;

// y, and outputs `from`.. of a composite node.
std::vector<Expr> parts_of(Expr first, int count) {
  std::vector<Expr> parts;
  for (int i = 0; i < count; ++i) parts.push_back({first.graph, first.node, std::uint32_t(i)});
  return parts;
}

void require_vectors(const NodeView& n, int first, int last, std::int64_t width) {
  for (int i = first; i <= last; ++i) {
    require(n.operands[std::size_t(i)].shape == Shape{width},
            fmt::format("operand {} must be [{}]", i, width));
  }
}
void require_float(const NodeView& n) {
  for (const Type& t : n.operands)
    require(real(t) && t.dtype == n.operands[0].dtype, "needs floats of one type");
}

// ---- a common view: x as [outer, reduced, kept] with statistics over the middle
// layer: [rows, D, 1]; group: [N, G, pixels, C/G] with statistics over the last and third axes;
// batch: [rows, C] with statistics over the first.

// ---- layer norm
Shape row_statistic(const Shape& x) { return x.with(-1, 1); }
std::vector<Type> layer_types(const NodeView& n) {
  require_float(n);
  const Shape& x = n.operands[0].shape;
  require(x.rank() >= 1, "needs at least one axis");
  require_vectors(n, 1, 2, x[-1]);
  DType d = n.operands[0].dtype;
  return {{d, x}, {d, row_statistic(x)}, {d, row_statistic(x)}};
}
std::vector<Expr> layer_decompose(Graph&, Exprs x, Attrs a) {
  Expr mean_ = mean(x[0], {-1});
  Expr centred = x[0] - mean_;
  Expr rstd = 1.0 / sqrt(mean(centred * centred, {-1}) + bits_to_double(a[0]));
  return {centred * rstd * x[1] + x[2], mean_, rstd};
}
Grads layer_vjp(Graph& g, Exprs x, Exprs self, Exprs dy, Attrs) {
  Expr operands[] = {x[0], x[1], self[1], self[2], dy[0]};
  return parts_of(g.put(Op::layer_norm_grad, operands, {}), 3);
}
std::vector<Type> layer_grad_types(const NodeView& n) {
  require_float(n);
  const Shape& x = n.operands[0].shape;
  require_vectors(n, 1, 1, x[-1]);
  require(n.operands[2].shape == row_statistic(x) && n.operands[3].shape == row_statistic(x),
          "mean and rstd must be one a row");
  require(n.operands[4].shape == x, "the adjoint has another shape");
  DType d = n.operands[0].dtype;
  return {{d, x}, {d, {x[-1]}}, {d, {x[-1]}}};
}
std::vector<int> leading(const Shape& x) {
  std::vector<int> axes;
  for (int i = 0; i + 1 < x.rank(); ++i) axes.push_back(i);
  return axes;
}
Expr column_sum(Expr x) {
  auto axes = leading(x.shape());
  return reshape(axes.empty() ? x : sum(x, axes), {x.shape()[-1]});
}
std::vector<Expr> layer_grad_decompose(Graph&, Exprs x, Attrs) {
  Expr hat = (x[0] - x[2]) * x[3];
  Expr scaled = x[4] * x[1];
  Expr dx = x[3] * (scaled - mean(scaled, {-1}) - hat * mean(scaled * hat, {-1}));
  return {dx, column_sum(x[4] * hat), column_sum(x[4])};
}

// ---- batch norm: rows are all leading axes
std::vector<Type> batch_types(const NodeView& n) {
  require_float(n);
  const Shape& x = n.operands[0].shape;
  require(x.rank() >= 2, "needs at least two axes");
  require_vectors(n, 1, 2, x[-1]);
  DType d = n.operands[0].dtype;
  return {{d, x}, {d, {x[-1]}}, {d, {x[-1]}}};
}
std::vector<Expr> batch_decompose(Graph&, Exprs x, Attrs a) {
  std::int64_t c = x[0].shape()[-1];
  Expr mean_ = reshape(mean(x[0], leading(x[0].shape())), {c});
  Expr centred = x[0] - mean_;
  Expr variance = reshape(mean(centred * centred, leading(x[0].shape())), {c});
  Expr rstd = 1.0 / sqrt(variance + bits_to_double(a[0]));
  return {centred * (rstd * x[1]) + x[2], mean_, variance};
}
Grads batch_vjp(Graph& g, Exprs x, Exprs self, Exprs dy, Attrs a) {
  Expr operands[] = {x[0], x[1], self[1], self[2], dy[0]};
  return parts_of(g.put(Op::batch_norm_grad, operands, a), 3);
}
std::vector<Type> batch_grad_types(const NodeView& n) {
  require_float(n);
  const Shape& x = n.operands[0].shape;
  require_vectors(n, 1, 3, x[-1]);
  require(n.operands[4].shape == x, "the adjoint has another shape");
  DType d = n.operands[0].dtype;
  return {{d, x}, {d, {x[-1]}}, {d, {x[-1]}}};
}
std::vector<Expr> batch_grad_decompose(Graph&, Exprs x, Attrs a) {
  double rows = double(x[0].shape().count()) / double(x[0].shape()[-1]);
  Expr rstd = 1.0 / sqrt(x[3] + bits_to_double(a[0]));
  Expr hat = (x[0] - x[2]) * rstd;
  Expr dscale = column_sum(x[4] * hat), dshift = column_sum(x[4]);
  Expr dx = x[1] * rstd * (x[4] - dshift * (1 / rows) - hat * (dscale * (1 / rows)));
  return {dx, dscale, dshift};
}

// ---- group norm: x [N, .., C] seen as [N, pixels, G, C/G]
Shape grouped(const Shape& x, std::int64_t groups) {
  std::int64_t pixels = x.count() / (x[0] * x[-1]);
  return {x[0], pixels, groups, x[-1] / groups};
}
std::vector<Type> group_types(const NodeView& n) {
  require_float(n);
  const Shape& x = n.operands[0].shape;
  std::int64_t groups = n.attributes[0];
  require(x.rank() >= 2, "needs at least two axes");
  require(groups >= 1 && x[-1] % groups == 0,
          fmt::format("{} groups do not divide {} channels", groups, x[-1]));
  require_vectors(n, 1, 2, x[-1]);
  DType d = n.operands[0].dtype;
  return {{d, x}, {d, {x[0], groups}}, {d, {x[0], groups}}};
}
std::vector<Expr> group_decompose(Graph&, Exprs x, Attrs a) {
  const Shape& shape = x[0].shape();
  Expr v = reshape(x[0], grouped(shape, a[0]));
  Expr mean_ = mean(v, {1, 3});
  Expr centred = v - mean_;
  Expr rstd = 1.0 / sqrt(mean(centred * centred, {1, 3}) + bits_to_double(a[1]));
  Expr y = reshape(centred * rstd, shape) * x[1] + x[2];
  return {y, reshape(mean_, {shape[0], a[0]}), reshape(rstd, {shape[0], a[0]})};
}
Grads group_vjp(Graph& g, Exprs x, Exprs self, Exprs dy, Attrs a) {
  Expr operands[] = {x[0], x[1], self[1], self[2], dy[0]};
  return parts_of(g.put(Op::group_norm_grad, operands, a.first(1)), 3);
}
std::vector<Type> group_grad_types(const NodeView& n) {
  require_float(n);
  const Shape& x = n.operands[0].shape;
  require_vectors(n, 1, 1, x[-1]);
  Shape statistic{x[0], n.attributes[0]};
  require(n.operands[2].shape == statistic && n.operands[3].shape == statistic,
          "mean and rstd must be one a group");
  require(n.operands[4].shape == x, "the adjoint has another shape");
  DType d = n.operands[0].dtype;
  return {{d, x}, {d, {x[-1]}}, {d, {x[-1]}}};
}
std::vector<Expr> group_grad_decompose(Graph&, Exprs x, Attrs a) {
  const Shape& shape = x[0].shape();
  Shape view = grouped(shape, a[0]), statistic{shape[0], 1, a[0], 1};
  Expr mean_ = reshape(x[2], statistic), rstd = reshape(x[3], statistic);
  Expr hat = (reshape(x[0], view) - mean_) * rstd;
  Expr scaled = reshape(x[4] * x[1], view);
  Expr dx = rstd * (scaled - mean(scaled, {1, 3}) - hat * mean(scaled * hat, {1, 3}));
  return {reshape(dx, shape), column_sum(x[4] * reshape(hat, shape)), column_sum(x[4])};
}

OpRow norm(const char* name, int operands, decltype(OpRow::types) types, decltype(OpRow::vjp) vjp,
           decltype(OpRow::decompose) decompose, decltype(OpRow::samples) samples) {
  return {.name = name,
          .min_operands = operands,
          .max_operands = operands,
          .differentiable = true,
          .types = types,
          .vjp = vjp,
          .decompose = decompose,
          .cost = pass_cost<8>,
          .samples = samples};
}

// Statistics of grad samples must be positive where they are a rstd or a variance.
void positive_fourth(int k, Dense& d, std::uint64_t seed) {
  fill_distinct(d, seed + std::uint64_t(k), 0.1);
  if (k == 3) {
    for (double& v : d.v) v = 0.5 + std::abs(v);
  }
}
const std::int64_t kEps = double_to_bits(1e-3);

}  // namespace

Normed layer_norm(Expr x, Expr scale, Expr shift, double eps, Where where) {
  Expr operands[] = {x, scale, shift};
  std::int64_t a = double_to_bits(eps);
  auto p = parts_of(
      graph_of(Op::layer_norm, operands, where).put(Op::layer_norm, operands, {&a, 1}, where), 3);
  return {p[0], p[1], p[2]};
}
Normed group_norm(Expr x, Expr scale, Expr shift, int groups, double eps, Where where) {
  Expr operands[] = {x, scale, shift};
  std::int64_t a[] = {groups, double_to_bits(eps)};
  auto p = parts_of(
      graph_of(Op::group_norm, operands, where).put(Op::group_norm, operands, a, where), 3);
  return {p[0], p[1], p[2]};
}
Normed batch_norm(Expr x, Expr scale, Expr shift, double eps, Where where) {
  Expr operands[] = {x, scale, shift};
  std::int64_t a = double_to_bits(eps);
  auto p = parts_of(
      graph_of(Op::batch_norm, operands, where).put(Op::batch_norm, operands, {&a, 1}, where), 3);
  return {p[0], p[1], p[2]};
}

void norm_rows(OpRow* t) {
  using S = std::vector<Sample>;
  t[int(Op::layer_norm)] = norm("layer_norm", 3, layer_types, layer_vjp, layer_decompose, [] {
    return S{{"rows", {f64({3, 7}), f64({7}), f64({7})}, {kEps}, -1, 1, {}},
             {"tokens", {f64({2, 3, 5}), f64({5}), f64({5})}, {kEps}, -1, 1, {}},
             {"one row, odd", {f64({1, 19}), f64({19}), f64({19})}, {kEps}, -1, 1, {}},
             {"no leading axis", {f64({6}), f64({6}), f64({6})}, {kEps}, -1, 1, {}}};
  });
  t[int(Op::layer_norm_grad)] =
      norm("layer_norm_grad", 5, layer_grad_types, nullptr, layer_grad_decompose, [] {
        return S{{"rows",
                  {f64({3, 7}), f64({7}), f64({3, 1}), f64({3, 1}), f64({3, 7})},
                  {},
                  -1,
                  1,
                  positive_fourth}};
      });
  t[int(Op::group_norm)] = norm("group_norm", 3, group_types, group_vjp, group_decompose, [] {
    return S{{"two groups", {f64({2, 3, 2, 4}), f64({4}), f64({4})}, {2, kEps}, -1, 1, {}},
             {"one group", {f64({2, 5, 3}), f64({3}), f64({3})}, {1, kEps}, -1, 1, {}},
             {"one channel a group", {f64({1, 5, 3}), f64({3}), f64({3})}, {3, kEps}, -1, 1, {}},
             {"no pixels", {f64({3, 4}), f64({4}), f64({4})}, {1, kEps}, -1, 1, {}}};
  });
  t[int(Op::group_norm_grad)] =
      norm("group_norm_grad", 5, group_grad_types, nullptr, group_grad_decompose, [] {
        return S{{"two groups",
                  {f64({2, 3, 2, 4}), f64({4}), f64({2, 2}), f64({2, 2}), f64({2, 3, 2, 4})},
                  {2},
                  -1,
                  1,
                  positive_fourth}};
      });
  t[int(Op::batch_norm)] = norm("batch_norm", 3, batch_types, batch_vjp, batch_decompose, [] {
    return S{{"rows", {f64({5, 3}), f64({3}), f64({3})}, {kEps}, -1, 1, {}},
             {"pictures", {f64({2, 3, 2, 3}), f64({3}), f64({3})}, {kEps}, -1, 1, {}},
             {"two rows, odd", {f64({2, 17}), f64({17}), f64({17})}, {kEps}, -1, 1, {}}};
  });
  t[int(Op::batch_norm_grad)] =
      norm("batch_norm_grad", 5, batch_grad_types, nullptr, batch_grad_decompose, [] {
        return S{{"rows",
                  {f64({5, 3}), f64({3}), f64({3}), f64({3}), f64({5, 3})},
                  {kEps},
                  -1,
                  1,
                  positive_fourth}};
      });
}

}  // namespace atelier
