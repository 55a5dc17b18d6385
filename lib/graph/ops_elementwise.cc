// Builders of elementwise expressions: broadcasting, constant folding, one-line compositions.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "graph/builders.h"
#include "graph/ops.h"

namespace atelier {
using builders::graph_of;
namespace {

std::optional<double> constant_of(Expr e) {
  if (e.graph->node(e.node).op != Op::constant) return std::nullopt;
  return bits_to_double(e.graph->attributes(e.node)[0]);
}

// The scalar behind a constant, or a broadcast of one.
std::optional<double> scalar_of(Expr e) {
  if (e.graph->node(e.node).op == Op::broadcast) {
    return constant_of(e.graph->expr(e.graph->operands(e.node)[0]));
  }
  return constant_of(e);
}

Expr put(Expr like, Op op, std::initializer_list<Expr> operands, Where where) {
  return like.graph->put(op, std::span<const Expr>(operands.begin(), operands.size()), {}, where);
}

Expr full(Graph& graph, double value, const Type& type, Where where) {
  return broadcast(graph.constant(value, type.dtype, where), type.shape, where);
}

// Common shape of two operands: size-1 and missing leading axes stretch. Nothing: they differ.
std::optional<Shape> common(const Shape& a, const Shape& b) {
  int rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> axes(std::size_t(rank), 1);
  for (int i = 0; i < rank; ++i) {
    std::int64_t x = i < rank - a.rank() ? 1 : a[i - (rank - a.rank())];
    std::int64_t y = i < rank - b.rank() ? 1 : b[i - (rank - b.rank())];
    if (x != y && x != 1 && y != 1) return std::nullopt;
    axes[std::size_t(i)] = std::max(x, y);
  }
  return Shape(axes);
}

[[noreturn]] void mismatch(Op op, Expr a, Expr b, const char* reason, Where where) {
  Expr operands[] = {a, b};
  a.graph->refuse(name(op), reason, operands, where);
}

struct Pair {
  Expr a, b;
  Where where;
};

// A number as a constant of the other operand's type, which must have it.
Expr constant_beside(Op op, Expr other, double number, Where where) {
  if (!builders::keeps(other.dtype(), number)) {
    other.graph->refuse(name(op), builders::not_kept(other.dtype(), number), {&other, 1}, where);
  }
  return other.graph->constant(number, other.dtype(), where);
}

// Numbers become constants of the other operand's type; both get one shape.
Pair paired(Op op, const Operand& a, const Operand& b) {
  Where where = a.expr ? a.where : b.where;
  if ((!a.expr && a.absent) || (!b.expr && b.absent) || (!a.expr && !b.expr)) {
    graph_of(op, {a.expr, b.expr}, where);
  }
  if (a.expr && b.expr) graph_of(op, {a.expr, b.expr}, where);
  Expr x = a.expr ? a.expr : constant_beside(op, b.expr, a.number, where);
  Expr y = b.expr ? b.expr : constant_beside(op, a.expr, b.number, where);
  if (x.dtype() != y.dtype()) mismatch(op, x, y, "operands have different types", where);
  auto shape = common(x.shape(), y.shape());
  if (!shape) mismatch(op, x, y, "shapes do not broadcast", where);
  return {broadcast(x, *shape, where), broadcast(y, *shape, where), where};
}

// Folds an operation of two constants.
std::optional<double> fold(Op op, Expr a, Expr b) {
  auto x = scalar_of(a), y = scalar_of(b);
  if (!x || !y || !is_float(a.dtype())) return std::nullopt;
  switch (op) {
    case Op::add:
      return *x + *y;
    case Op::sub:
      return *x - *y;
    case Op::mul:
      return *x * *y;
    case Op::div:
      return *x / *y;
    default:
      return std::nullopt;
  }
}

Expr binary(Op op, const Operand& left, const Operand& right) {
  auto [a, b, where] = paired(op, left, right);
  if (auto value = fold(op, a, b)) return full(*a.graph, *value, a.type(), where);
  auto x = scalar_of(a), y = scalar_of(b);
  if (op == Op::add && x == 0.0) return b;
  if ((op == Op::add || op == Op::sub) && y == 0.0) return a;
  if (op == Op::mul && x == 1.0) return b;
  if ((op == Op::mul || op == Op::div) && y == 1.0) return a;
  return put(a, op, {a, b}, where);
}

}  // namespace

Expr unary(Op op, Expr x, Where where) {
  return graph_of(op, {x}, where).put(op, {&x, 1}, {}, where);
}

Expr operator+(Operand a, Operand b) { return binary(Op::add, a, b); }
Expr operator-(Operand a, Operand b) { return binary(Op::sub, a, b); }
Expr operator*(Operand a, Operand b) { return binary(Op::mul, a, b); }
Expr operator/(Operand a, Operand b) { return binary(Op::div, a, b); }
Expr operator-(Operand a) { return binary(Op::mul, a, Operand(-1.0, a.where)); }
Expr max(Operand a, Operand b) { return binary(Op::max, a, b); }
Expr less(Operand a, Operand b) { return binary(Op::less, a, b); }
Expr equal(Operand a, Operand b) { return binary(Op::equal, a, b); }

Expr min(Operand a, Operand b) {
  auto [x, y, where] = paired(Op::max, a, b);
  return atelier::where(less(Operand(x, where), Operand(y, where)), x, y, where);
}

Expr where(Expr mask, Operand yes, Operand no, Where site) {
  graph_of(Op::where, {mask}, site);
  if (!yes.expr && !yes.absent && !no.expr && !no.absent) {
    mask.graph->refuse(name(Op::where), "two numbers have no type: give one as an expression",
                       {&mask, 1}, site);
  }
  auto [a, b, unused] = paired(Op::where, yes, no);
  auto shape = common(mask.shape(), a.shape());
  if (!shape) mismatch(Op::where, mask, a, "shapes do not broadcast", site);
  return put(
      mask, Op::where,
      {broadcast(mask, *shape, site), broadcast(a, *shape, site), broadcast(b, *shape, site)},
      site);
}

Expr square(Expr x, Where w) { return Operand(x, w) * Operand(x, w); }
Expr abs(Expr x, Where w) { return max(Operand(x, w), -Operand(x, w)); }
Expr relu(Expr x, Where w) { return max(Operand(0.0, w), Operand(x, w)); }
Expr leaky_relu(Expr x, double slope, Where w) {
  return where(less(Operand(x, w), Operand(0.0, w)), Operand(x, w) * Operand(slope, w), x, w);
}
Expr silu(Expr x, Where w) { return Operand(x, w) * Operand(sigmoid(x, w), w); }

Expr gelu(Expr x, Where w) {
  Expr inner = erf(Operand(x, w) * Operand(std::numbers::sqrt2 / 2, w), w);
  return Operand(0.5, w) * Operand(Operand(x, w) * (Operand(inner, w) + Operand(1.0, w)), w);
}

Expr gelu_tanh(Expr x, Where w) {
  Expr cubic = Operand(x, w) + Operand(0.044715 * (Operand(x, w) * square(x, w)), w);
  // (1 + tanh(a)) / 2 = sigmoid(2 a), which keeps its digits where it vanishes.
  Expr gate = sigmoid(Operand(cubic, w) * Operand(2 * std::sqrt(2 / std::numbers::pi), w), w);
  return Operand(x, w) * Operand(gate, w);
}

Expr safe_norm(Expr x, std::vector<int> axes, double eps, Where w) {
  return sqrt(Operand(sum(square(x, w), std::move(axes), w), w) + Operand(eps, w), w);
}

Expr clamp(Expr x, double low, double high, Where w) {
  return min(max(Operand(x, w), Operand(low, w)), Operand(high, w));
}

Expr cast(Expr x, DType to, Where w) {
  graph_of(Op::cast, {x}, w);
  if (x.dtype() == to) return x;
  std::int64_t attributes[] = {std::int64_t(to)};
  return x.graph->put(Op::cast, {&x, 1}, attributes, w);
}

Expr stop_gradient(Expr x, Where w) {
  return graph_of(Op::stop_gradient, {x}, w).put(Op::stop_gradient, {&x, 1}, {}, w);
}
Expr after(Expr x, Expr earlier, Where w) {
  Expr operands[] = {x, earlier};
  return graph_of(Op::after, operands, w).put(Op::after, operands, {}, w);
}
Expr all_reduce(Expr x, Where w) {
  return graph_of(Op::all_reduce, {x}, w).put(Op::all_reduce, {&x, 1}, {}, w);
}

}  // namespace atelier
