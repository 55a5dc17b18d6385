// Elementwise rows: type rule, adjoint, f64 oracle, cost, samples of each op side by side.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "graph/rows.h"
#include "tensor/dtype.h"

namespace atelier {
using namespace rows;
namespace {

// ---- type rules
std::vector<Type> float_same(const NodeView& n) {
  require(real(n.operands[0]), "needs f32 or f64");
  return {n.operands[0]};
}
std::vector<Type> pair_same(const NodeView& n) {
  require(n.operands[0].dtype == n.operands[1].dtype, "operands have different types");
  require(n.operands[0].shape == n.operands[1].shape, "operands have different shapes");
  require(real(n.operands[0]) || n.operands[0].dtype == DType::i32, "needs f32, f64 or i32");
  return {n.operands[0]};
}
std::vector<Type> pair_float(const NodeView& n) {
  require(real(n.operands[0]), "needs f32 or f64");
  return pair_same(n);
}
std::vector<Type> pair_mask(const NodeView& n) {
  pair_same(n);
  return {{DType::u8, n.operands[0].shape}};
}
std::vector<Type> pair_equal(const NodeView& n) {
  require(n.operands[0].dtype == DType::i32, "compares integers only (floats: use less)");
  return pair_mask(n);
}
std::vector<Type> where_types(const NodeView& n) {
  require(n.operands[0].dtype == DType::u8, "the mask must be u8");
  require(n.operands[1] == n.operands[2], "the choices differ in type or shape");
  require(n.operands[0].shape == n.operands[1].shape, "the mask has another shape");
  return {n.operands[1]};
}
std::vector<Type> cast_types(const NodeView& n) {
  return {{DType(n.attributes[0]), n.operands[0].shape}};
}
std::vector<Type> fma_types(const NodeView& n) {
  require(n.operands[0] == n.operands[1] && n.operands[1] == n.operands[2] && real(n.operands[0]),
          "needs three equal float tensors");
  return {n.operands[0]};
}

// ---- oracles
template <double (*kFunction)(double)>
void unary_oracle(const NodeView&, Ins in, Outs out) {
  std::transform(in[0].v.begin(), in[0].v.end(), out[0].v.begin(), kFunction);
}
template <double (*kFunction)(double, double)>
void binary_oracle(const NodeView&, Ins in, Outs out) {
  std::transform(in[0].v.begin(), in[0].v.end(), in[1].v.begin(), out[0].v.begin(), kFunction);
}
double exp_of(double x) { return std::exp(x); }
double log_of(double x) { return std::log(x); }
double sqrt_of(double x) { return std::sqrt(x); }
double tanh_of(double x) { return std::tanh(x); }
double sigmoid_of(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
double softplus_of(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double erf_of(double x) { return std::erf(x); }
double sin_of(double x) { return std::sin(x); }
double cos_of(double x) { return std::cos(x); }
double add_of(double a, double b) { return a + b; }
double sub_of(double a, double b) { return a - b; }
double mul_of(double a, double b) { return a * b; }
double div_of(double a, double b) { return a / b; }
double max_of(double a, double b) { return a < b ? b : a; }
double less_of(double a, double b) { return a < b; }
double equal_of(double a, double b) { return a == b; }

void where_oracle(const NodeView&, Ins in, Outs out) {
  for (std::size_t i = 0; i < out[0].v.size(); ++i) {
    out[0].v[i] = in[0].v[i] != 0 ? in[1].v[i] : in[2].v[i];
  }
}
void fma_oracle(const NodeView&, Ins in, Outs out) {
  for (std::size_t i = 0; i < out[0].v.size(); ++i) {
    out[0].v[i] = std::fma(in[0].v[i], in[1].v[i], in[2].v[i]);
  }
}
double cast_of(double x, DType to) {
  switch (to) {
    case DType::bf16:
      return to_float(to_bf16(float(x)));
    case DType::i32:
      return std::isnan(x) ? 0 : std::nearbyint(std::clamp(x, -2147483648.0, 2147483647.0));
    case DType::u8:
      return std::isnan(x) ? 0 : std::nearbyint(std::clamp(x, 0.0, 255.0));
    case DType::f32:
    case DType::f64:
      return x;
  }
  return x;
}
void cast_oracle(const NodeView& n, Ins in, Outs out) {
  for (std::size_t i = 0; i < out[0].v.size(); ++i) {
    out[0].v[i] = cast_of(in[0].v[i], DType(n.attributes[0]));
  }
}

// ---- adjoints: operands x, output y = self[0], incoming dy
using Grads = std::vector<Expr>;
Grads exp_vjp(Graph&, Exprs, Exprs self, Exprs dy, Attrs) { return {dy[0] * self[0]}; }
Grads log_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) { return {dy[0] / x[0]}; }
Grads sqrt_vjp(Graph&, Exprs, Exprs self, Exprs dy, Attrs) { return {0.5 * dy[0] / self[0]}; }
Grads tanh_vjp(Graph&, Exprs, Exprs self, Exprs dy, Attrs) {
  return {dy[0] * (1.0 - self[0] * self[0])};
}
Grads sigmoid_vjp(Graph&, Exprs, Exprs self, Exprs dy, Attrs) {
  return {dy[0] * (self[0] * (1.0 - self[0]))};
}
Grads softplus_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) { return {dy[0] * sigmoid(x[0])}; }
Grads erf_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) {
  return {dy[0] * (2 / std::sqrt(std::numbers::pi)) * exp(-(x[0] * x[0]))};
}
Grads sin_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) { return {dy[0] * cos(x[0])}; }
Grads cos_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) { return {-(dy[0] * sin(x[0]))}; }
Grads cast_vjp(Graph&, Exprs x, Exprs self, Exprs dy, Attrs) {
  if (!is_float(x[0].dtype()) || !is_float(self[0].dtype())) return {Expr{}};
  return {cast(dy[0], x[0].dtype())};
}
Grads add_vjp(Graph&, Exprs, Exprs, Exprs dy, Attrs) { return {dy[0], dy[0]}; }
Grads sub_vjp(Graph&, Exprs, Exprs, Exprs dy, Attrs) { return {dy[0], -dy[0]}; }
Grads mul_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) { return {dy[0] * x[1], dy[0] * x[0]}; }
Grads div_vjp(Graph&, Exprs x, Exprs self, Exprs dy, Attrs) {
  return {dy[0] / x[1], -(dy[0] * self[0] / x[1])};
}
Grads max_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) {
  Expr second = less(x[0], x[1]);
  return {where(second, 0.0, dy[0]), where(second, dy[0], 0.0)};
}
Grads where_vjp(Graph&, Exprs x, Exprs, Exprs dy, Attrs) {
  return {Expr{}, where(x[0], dy[0], 0.0), where(x[0], 0.0, dy[0])};
}

// ---- samples
Sample one(const char* name, double low, double high, Shape shape = {3, 5}) {
  return {name, {f64(shape)}, {}, low, high, {}};
}
template <int kLow, int kHigh>
std::vector<Sample> unary_samples() {
  return {one("a matrix", kLow / 10.0, kHigh / 10.0),
          one("one element", kLow / 10.0, kHigh / 10.0, {1}),
          one("three axes", kLow / 10.0, kHigh / 10.0, {2, 1, 17})};
}
std::vector<Sample> binary_samples() {
  return {{"a matrix", {f64({3, 5}), f64({3, 5})}, {}, -1, 1, {}},
          {"one element", {f64({1}), f64({1})}, {}, -1, 1, {}}};
}
std::vector<Sample> div_samples() {
  return {{"away from zero", {f64({3, 5}), f64({3, 5})}, {}, 0.5, 2, {}}};
}
void distinct_pair(int k, Dense& d, std::uint64_t seed) {
  fill_distinct(d, seed);
  if (k == 1) std::reverse(d.v.begin(), d.v.end());
  if (k == 1) std::for_each(d.v.begin(), d.v.end(), [](double& v) { v += 0.02; });
}
std::vector<Sample> distinct_samples() {
  return {{"no ties", {f64({4, 5}), f64({4, 5})}, {}, -1, 1, distinct_pair}};
}
std::vector<Sample> equal_samples() {
  return {
      {"small numbers",
       {i32({4, 5}), i32({4, 5})},
       {},
       0,
       1,
       [](int k, Dense& d, std::uint64_t seed) { fill_indices(d, seed + std::uint64_t(k), 3); }}};
}
std::vector<Sample> where_samples() {
  return {{"both sides",
           {{DType::u8, {4, 5}}, f64({4, 5}), f64({4, 5})},
           {},
           -1,
           1,
           [](int k, Dense& d, std::uint64_t seed) {
             k == 0 ? fill_indices(d, seed, 2) : fill_distinct(d, seed + std::uint64_t(k));
           }}};
}
std::vector<Sample> cast_samples() {
  return {{"to f32", {f64({3, 5})}, {std::int64_t(DType::f32)}, -1, 1, {}}};
}
std::vector<Sample> fma_samples() {
  return {{"a matrix", {f64({3, 5}), f64({3, 5}), f64({3, 5})}, {}, -1, 1, {}}};
}

OpRow unary(const char* name, decltype(OpRow::vjp) vjp, decltype(OpRow::oracle) oracle,
            decltype(OpRow::samples) samples) {
  return {.name = name,
          .min_operands = 1,
          .max_operands = 1,
          .differentiable = true,
          .types = float_same,
          .vjp = vjp,
          .oracle = oracle,
          .cost = pass_cost<1>,
          .samples = samples};
}
OpRow binary(const char* name, decltype(OpRow::types) types, decltype(OpRow::vjp) vjp,
             decltype(OpRow::oracle) oracle, decltype(OpRow::samples) samples) {
  return {.name = name,
          .min_operands = 2,
          .max_operands = 2,
          .differentiable = vjp != nullptr,
          .types = types,
          .vjp = vjp,
          .oracle = oracle,
          .cost = pass_cost<1>,
          .samples = samples};
}

}  // namespace

void elementwise_rows(OpRow* t) {
  t[int(Op::exp)] = unary("exp", exp_vjp, unary_oracle<exp_of>, unary_samples<-10, 10>);
  t[int(Op::log)] = unary("log", log_vjp, unary_oracle<log_of>, unary_samples<5, 30>);
  t[int(Op::sqrt)] = unary("sqrt", sqrt_vjp, unary_oracle<sqrt_of>, unary_samples<5, 30>);
  t[int(Op::tanh)] = unary("tanh", tanh_vjp, unary_oracle<tanh_of>, unary_samples<-15, 15>);
  t[int(Op::sigmoid)] =
      unary("sigmoid", sigmoid_vjp, unary_oracle<sigmoid_of>, unary_samples<-30, 30>);
  t[int(Op::softplus)] =
      unary("softplus", softplus_vjp, unary_oracle<softplus_of>, unary_samples<-30, 30>);
  t[int(Op::erf)] = unary("erf", erf_vjp, unary_oracle<erf_of>, unary_samples<-15, 15>);
  t[int(Op::sin)] = unary("sin", sin_vjp, unary_oracle<sin_of>, unary_samples<-30, 30>);
  t[int(Op::cos)] = unary("cos", cos_vjp, unary_oracle<cos_of>, unary_samples<-30, 30>);
  t[int(Op::cast)] = unary("cast", cast_vjp, cast_oracle, cast_samples);
  t[int(Op::cast)].types = cast_types;
  t[int(Op::add)] = binary("add", pair_same, add_vjp, binary_oracle<add_of>, binary_samples);
  t[int(Op::sub)] = binary("sub", pair_same, sub_vjp, binary_oracle<sub_of>, binary_samples);
  t[int(Op::mul)] = binary("mul", pair_same, mul_vjp, binary_oracle<mul_of>, binary_samples);
  t[int(Op::div)] = binary("div", pair_float, div_vjp, binary_oracle<div_of>, div_samples);
  t[int(Op::max)] = binary("max", pair_same, max_vjp, binary_oracle<max_of>, distinct_samples);
  t[int(Op::less)] = binary("less", pair_mask, nullptr, binary_oracle<less_of>, distinct_samples);
  t[int(Op::equal)] = binary("equal", pair_equal, nullptr, binary_oracle<equal_of>, equal_samples);
  t[int(Op::where)] = {.name = "where",
                       .min_operands = 3,
                       .max_operands = 3,
                       .differentiable = true,
                       .types = where_types,
                       .vjp = where_vjp,
                       .oracle = where_oracle,
                       .cost = pass_cost<1>,
                       .samples = where_samples};
  t[int(Op::fma)] = {.name = "fma",
                     .min_operands = 3,
                     .max_operands = 3,
                     .types = fma_types,
                     .oracle = fma_oracle,
                     .cost = pass_cost<2>,
                     .samples = fma_samples};
}

}  // namespace atelier
