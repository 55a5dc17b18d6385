// Products: matrix multiplication and the three convolutions, which are one trilinear form with
// each argument in turn made the output, so their adjoints permute among themselves.
#include <fmt/format.h>

#include "graph/builders.h"
#include "graph/rows.h"

namespace atelier {
using builders::graph_of;
using namespace rows;
namespace {
using Grads = std::vector<Expr>;

// ---- matmul {ta, tb}: [.., M, K] x [.., K, N]
struct MatmulSizes {
  std::int64_t batch, m, n, k;
};
MatmulSizes matmul_sizes(const NodeView& n) {
  const Shape& a = n.operands[0].shape;
  const Shape& b = n.operands[1].shape;
  bool ta = n.attributes[0], tb = n.attributes[1];
  MatmulSizes s{1, a[ta ? -1 : -2], b[tb ? -2 : -1], a[ta ? -2 : -1]};
  for (int i = 0; i + 2 < a.rank(); ++i) s.batch *= a[i];
  return s;
}
std::vector<Type> matmul_types(const NodeView& n) {
  const Shape& a = n.operands[0].shape;
  const Shape& b = n.operands[1].shape;
  require(n.operands[0].dtype == n.operands[1].dtype, "operands have different types");
  require(real(n.operands[0]) || n.operands[0].dtype == DType::bf16, "needs f32, f64 or bf16");
  require(a.rank() >= 2 && a.rank() == b.rank(), "needs two operands of one rank of at least 2");
  for (int i = 0; i + 2 < a.rank(); ++i) require(a[i] == b[i], "batch axes differ");
  auto s = matmul_sizes(n);
  std::int64_t inner = b[n.attributes[1] ? -1 : -2];
  require(s.k == inner, fmt::format("inner axes differ: {} and {}", s.k, inner));
  DType dtype = n.operands[0].dtype == DType::bf16 ? DType::f32 : n.operands[0].dtype;
  return {{dtype, a.with(-2, s.m).with(-1, s.n)}};
}
void matmul_oracle(const NodeView& n, Ins in, Outs out) {
  auto s = matmul_sizes(n);
  bool ta = n.attributes[0], tb = n.attributes[1];
  for (std::int64_t b = 0; b < s.batch; ++b) {
    const double* x = in[0].v.data() + b * s.m * s.k;
    const double* y = in[1].v.data() + b * s.k * s.n;
    double* z = out[0].v.data() + b * s.m * s.n;
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        double total = 0;
        for (std::int64_t k = 0; k < s.k; ++k) {
          total += x[ta ? k * s.m + i : i * s.k + k] * y[tb ? j * s.k + k : k * s.n + j];
        }
        z[i * s.n + j] = total;
      }
    }
  }
}
Grads matmul_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs a) {
  bool ta = a[0], tb = a[1];
  Expr da = ta ? matmul(x[1], dy[0], tb, true) : matmul(dy[0], x[1], false, !tb);
  Expr db = tb ? matmul(dy[0], x[0], true, ta) : matmul(x[0], dy[0], !ta, false);
  return {da, db};
}
Cost matmul_cost(const NodeView& n) {
  auto s = matmul_sizes(n);
  Cost cost = pass_cost<0>(n);
  cost.flops = 2.0 * double(s.batch) * double(s.m) * double(s.n) * double(s.k);
  return cost;
}

// ---- the convolutions
std::int64_t out_extent(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                        std::int64_t dilation) {
  std::int64_t reach = (kernel - 1) * dilation + 1;
  return in + pad < reach ? 0 : (in + pad - reach) / stride + 1;
}
struct Geometry {
  Shape x, w, y;
  ConvAttributes a;
};
void check(const Geometry& g) {
  require(g.x.rank() == 4 && g.w.rank() == 4 && g.y.rank() == 4, "needs operands of rank 4");
  require(g.x[3] % g.a.groups == 0 && g.w[3] % g.a.groups == 0,
          fmt::format("{} groups do not divide the channels", g.a.groups));
  require(g.x[3] / g.a.groups == g.w[2],
          fmt::format("input channels {} do not match weight channels {}", g.x[3],
                      g.w[2] * g.a.groups));
  require(g.y[3] == g.w[3],
          fmt::format("output channels {} do not match weight channels {}", g.y[3], g.w[3]));
  require(g.x[0] == g.y[0], "batch sizes differ");
  for (int i = 0; i < 2; ++i) {
    auto pad = g.a.pad[2 * i] + g.a.pad[2 * i + 1];
    auto want = out_extent(g.x[1 + i], g.w[i], g.a.stride[i], pad, g.a.dilation[i]);
    require(want >= 1, "the kernel is larger than the padded picture");
    require(g.y[1 + i] == want,
            fmt::format("{} {} expected, found {}", want, i ? "columns" : "rows", g.y[1 + i]));
  }
}
Geometry geometry(const NodeView& n) {
  auto a = ConvAttributes::from(n.attributes);
  require(a.stride[0] >= 1 && a.stride[1] >= 1 && a.dilation[0] >= 1 && a.dilation[1] >= 1,
          "stride and dilation must be at least 1");
  for (auto margin : a.pad) require(margin >= 0, "padding must not be negative");
  require(a.groups >= 1, "groups must be at least 1");
  const Shape& p = n.operands[0].shape;
  const Shape& q = n.operands[1].shape;
  require(p.rank() == 4 && q.rank() == 4, "needs operands of rank 4");
  Geometry g{p, q, {}, a};
  if (n.op == Op::conv) {
    g.y = {p[0], out_extent(p[1], q[0], a.stride[0], a.pad[0] + a.pad[1], a.dilation[0]),
           out_extent(p[2], q[1], a.stride[1], a.pad[2] + a.pad[3], a.dilation[1]), q[3]};
  } else if (n.op == Op::conv_dx) {
    g = {{p[0], a.extent[0], a.extent[1], q[2] * a.groups}, q, p, a};
  } else {
    require(p[3] % a.groups == 0, fmt::format("{} groups do not divide the channels", a.groups));
    g = {p, {a.extent[0], a.extent[1], p[3] / a.groups, q[3]}, q, a};
  }
  return g;
}
std::vector<Type> conv_types(const NodeView& n) {
  require(n.operands[0].dtype == n.operands[1].dtype, "operands have different types");
  require(real(n.operands[0]) || n.operands[0].dtype == DType::bf16, "needs f32, f64 or bf16");
  DType dtype = n.operands[0].dtype == DType::bf16 ? DType::f32 : n.operands[0].dtype;
  Geometry g = geometry(n);
  check(g);
  return {{dtype, n.op == Op::conv ? g.y : n.op == Op::conv_dx ? g.x : g.w}};
}

// Calls body(index into x, into w, into y) for every product of the trilinear form.
template <class Body>
void for_each_product(const Geometry& g, Body body) {
  std::int64_t co = g.w[3] / g.a.groups, ci = g.w[2];
  for (std::int64_t n = 0; n < g.y[0]; ++n) {
    for (std::int64_t oy = 0; oy < g.y[1]; ++oy) {
      for (std::int64_t ox = 0; ox < g.y[2]; ++ox) {
        for (std::int64_t kh = 0; kh < g.w[0]; ++kh) {
          std::int64_t iy = oy * g.a.stride[0] + kh * g.a.dilation[0] - g.a.pad[0];
          if (iy < 0 || iy >= g.x[1]) continue;
          for (std::int64_t kw = 0; kw < g.w[1]; ++kw) {
            std::int64_t ix = ox * g.a.stride[1] + kw * g.a.dilation[1] - g.a.pad[2];
            if (ix < 0 || ix >= g.x[2]) continue;
            for (std::int64_t o = 0; o < g.w[3]; ++o) {
              for (std::int64_t c = 0; c < ci; ++c) {
                body(((n * g.x[1] + iy) * g.x[2] + ix) * g.x[3] + o / co * ci + c,
                     ((kh * g.w[1] + kw) * ci + c) * g.w[3] + o,
                     ((n * g.y[1] + oy) * g.y[2] + ox) * g.y[3] + o);
              }
            }
          }
        }
      }
    }
  }
}
void conv_oracle(const NodeView& n, Ins in, Outs out) {
  Geometry g = geometry(n);
  double* result = out[0].v.data();
  std::fill(out[0].v.begin(), out[0].v.end(), 0.0);
  const double* p = in[0].v.data();
  const double* q = in[1].v.data();
  for_each_product(g, [&](std::int64_t x, std::int64_t w, std::int64_t y) {
    if (n.op == Op::conv) result[y] += p[x] * q[w];
    if (n.op == Op::conv_dx) result[x] += p[y] * q[w];
    if (n.op == Op::conv_dw) result[w] += p[x] * q[y];
  });
}
ConvArgs2d plain(const ConvAttributes& a) {
  return {{a.stride[0], a.stride[1]},
          {a.pad[0], a.pad[1], a.pad[2], a.pad[3]},
          {a.dilation[0], a.dilation[1]},
          a.groups};
}
Grads conv_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs attrs) {
  auto a = plain(ConvAttributes::from(attrs));
  const Shape& p = x[0].shape();
  const Shape& w = x[1].shape();
  return {conv_dx(dy[0], x[1], p[1], p[2], a), conv_dw(x[0], dy[0], w[0], w[1], a)};
}
Grads conv_dx_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs attrs) {
  auto a = plain(ConvAttributes::from(attrs));
  const Shape& w = x[1].shape();
  return {conv(dy[0], x[1], a), conv_dw(dy[0], x[0], w[0], w[1], a)};
}
Grads conv_dw_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs attrs) {
  auto a = plain(ConvAttributes::from(attrs));
  const Shape& p = x[0].shape();
  return {conv_dx(x[1], dy[0], p[1], p[2], a), conv(x[0], dy[0], a)};
}
Cost conv_cost(const NodeView& n) {
  Geometry g = geometry(n);
  Cost cost = pass_cost<0>(n);
  cost.flops = 2.0 * double(g.y.count()) * double(g.w[0] * g.w[1] * g.w[2]);
  return cost;
}

// ---- samples: {stride, pad t b l r, dilation, groups}
struct Case {
  const char* name;
  Shape x, w;
  ConvAttributes a;
};
std::vector<Case> conv_cases() {
  return {
      {"3x3", {2, 4, 5, 2}, {3, 3, 2, 3}, {}},
      {"asymmetric pads", {1, 4, 5, 2}, {3, 2, 2, 2}, {.pad = {1, 0, 2, 1}}},
      {"stride 2, kernel 4", {2, 6, 6, 1}, {4, 4, 1, 2}, {.stride = {2, 2}, .pad = {1, 1, 1, 1}}},
      {"stride over kernel", {1, 7, 8, 2}, {2, 2, 2, 2}, {.stride = {3, 3}}},
      {"unequal strides", {1, 6, 7, 2}, {3, 3, 2, 1}, {.stride = {2, 1}, .pad = {0, 1, 1, 1}}},
      {"dilated", {1, 7, 7, 2}, {3, 3, 2, 2}, {.pad = {1, 1, 1, 1}, .dilation = {2, 3}}},
      {"groups", {1, 4, 4, 4}, {3, 3, 2, 6}, {.pad = {1, 1, 1, 1}, .groups = 2}},
      {"1x1", {2, 3, 3, 3}, {1, 1, 3, 4}, {}},
      {"one row", {2, 1, 9, 2}, {1, 3, 2, 2}, {.pad = {0, 0, 2, 0}}},
      {"one channel a group", {1, 5, 4, 3}, {3, 3, 1, 3}, {.pad = {1, 1, 1, 1}, .groups = 3}},
      {"all at once",
       {1, 7, 8, 4},
       {3, 2, 2, 4},
       {.stride = {2, 3}, .pad = {1, 2, 0, 1}, .dilation = {2, 2}, .groups = 2}},
      {"5x5 stride 2", {1, 8, 8, 2}, {5, 5, 2, 2}, {.stride = {2, 2}, .pad = {2, 2, 2, 2}}}};
}
template <Op kOp>
std::vector<Sample> conv_samples() {
  std::vector<Sample> samples;
  for (Case& c : conv_cases()) {
    NodeView view{Op::conv, {}, {}, {}};
    auto list = c.a.list();
    Type operands[] = {f64(c.x), f64(c.w)};
    view.operands = operands;
    view.attributes = list;
    Shape y = geometry(view).y;
    if (kOp == Op::conv_dx) c.a.extent[0] = c.x[1], c.a.extent[1] = c.x[2];
    if (kOp == Op::conv_dw) c.a.extent[0] = c.w[0], c.a.extent[1] = c.w[1];
    list = c.a.list();
    Sample s{c.name, {}, {list.begin(), list.end()}, -1, 1, {}};
    if (kOp == Op::conv) s.operands = {f64(c.x), f64(c.w)};
    if (kOp == Op::conv_dx) s.operands = {f64(y), f64(c.w)};
    if (kOp == Op::conv_dw) s.operands = {f64(c.x), f64(y)};
    samples.push_back(s);
  }
  return samples;
}
std::vector<Sample> matmul_samples() {
  return {{"plain", {f64({3, 4}), f64({4, 5})}, {0, 0}, -1, 1, {}},
          {"first transposed", {f64({4, 3}), f64({4, 5})}, {1, 0}, -1, 1, {}},
          {"second transposed", {f64({3, 4}), f64({5, 4})}, {0, 1}, -1, 1, {}},
          {"both transposed", {f64({4, 3}), f64({5, 4})}, {1, 1}, -1, 1, {}},
          {"batches", {f64({2, 3, 1, 4}), f64({2, 3, 4, 2})}, {0, 0}, -1, 1, {}},
          {"batches, both transposed", {f64({2, 4, 3}), f64({2, 5, 4})}, {1, 1}, -1, 1, {}},
          {"one element", {f64({1, 1}), f64({1, 1})}, {0, 0}, -1, 1, {}},
          {"an outer product", {f64({5, 1}), f64({1, 3})}, {0, 0}, -1, 1, {}},
          {"odd extents", {f64({7, 17}), f64({17, 33})}, {0, 0}, -1, 1, {}}};
}
OpRow product(const char* name, decltype(OpRow::types) types, decltype(OpRow::vjp) vjp,
              decltype(OpRow::oracle) oracle, decltype(OpRow::cost) cost,
              decltype(OpRow::samples) samples) {
  return {.name = name,
          .min_operands = 2,
          .max_operands = 2,
          .differentiable = true,
          .types = types,
          .vjp = vjp,
          .oracle = oracle,
          .cost = cost,
          .samples = samples};
}
ConvAttributes attributes(const ConvArgs2d& a, std::int64_t e0, std::int64_t e1) {
  return {{a.stride[0], a.stride[1]},
          {a.pad[0], a.pad[1], a.pad[2], a.pad[3]},
          {a.dilation[0], a.dilation[1]},
          a.groups,
          {e0, e1}};
}

}  // namespace

Expr matmul(Expr a, Expr b, bool ta, bool tb, Where where) {
  Expr operands[] = {a, b};
  std::int64_t flags[] = {ta, tb};
  return graph_of(Op::matmul, operands, where).put(Op::matmul, operands, flags, where);
}
Expr conv(Expr x, Expr w, const ConvArgs2d& a, Where where) {
  Expr operands[] = {x, w};
  return graph_of(Op::conv, operands, where)
      .put(Op::conv, operands, attributes(a, 0, 0).list(), where);
}
Expr conv_dx(Expr y, Expr w, std::int64_t height, std::int64_t width, const ConvArgs2d& a,
             Where where) {
  Expr operands[] = {y, w};
  return graph_of(Op::conv_dx, operands, where)
      .put(Op::conv_dx, operands, attributes(a, height, width).list(), where);
}
Expr conv_dw(Expr x, Expr y, std::int64_t kh, std::int64_t kw, const ConvArgs2d& a, Where where) {
  Expr operands[] = {x, y};
  return graph_of(Op::conv_dw, operands, where)
      .put(Op::conv_dw, operands, attributes(a, kh, kw).list(), where);
}

void linear_rows(OpRow* t) {
  t[int(Op::matmul)] =
      product("matmul", matmul_types, matmul_vjp, matmul_oracle, matmul_cost, matmul_samples);
  t[int(Op::conv)] =
      product("conv", conv_types, conv_vjp, conv_oracle, conv_cost, conv_samples<Op::conv>);
  t[int(Op::conv_dx)] = product("conv_dx", conv_types, conv_dx_vjp, conv_oracle, conv_cost,
                                conv_samples<Op::conv_dx>);
  t[int(Op::conv_dw)] = product("conv_dw", conv_types, conv_dw_vjp, conv_oracle, conv_cost,
                                conv_samples<Op::conv_dw>);
}

}  // namespace atelier
