// Builders that move elements: shapes in, shapes out, identities folded.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "graph/builders.h"
#include "graph/ops.h"

namespace atelier {
using builders::graph_of;
namespace {

[[noreturn]] void refuse(Op op, Expr x, const std::string& reason, Where where) {
  x.graph->refuse(name(op), reason, {&x, 1}, where);
}

int axis_of(Op op, Expr x, int axis, Where where) {
  graph_of(op, {x}, where);
  int rank = x.shape().rank(), at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank) refuse(op, x, fmt::format("no axis {}", axis), where);
  return at;
}

std::int64_t mask_of(Op op, Expr x, const std::vector<int>& axes, Where where) {
  graph_of(op, {x}, where);
  if (axes.empty()) return (std::int64_t{1} << x.shape().rank()) - 1;
  std::int64_t mask = 0;
  for (int axis : axes) mask |= std::int64_t{1} << axis_of(op, x, axis, where);
  return mask;
}

Expr reduce(Op op, Expr x, const std::vector<int>& axes, Where where) {
  std::int64_t mask = mask_of(op, x, axes, where);
  if (op != Op::argtop) {  // axes of one element need no reducing
    for (int i = 0; i < x.shape().rank(); ++i) {
      if (x.shape()[i] == 1) mask &= ~(std::int64_t{1} << i);
    }
    if (mask == 0) return x;
  }
  return x.graph->put(op, {&x, 1}, {&mask, 1}, where);
}

}  // namespace

Expr reshape(Expr x, Shape shape, Where where) {
  graph_of(Op::reshape, {x}, where);
  std::vector<std::int64_t> axes(shape.axes().begin(), shape.axes().end());
  std::int64_t known = 1;
  int open = -1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] >= 0) {
      known *= axes[i];
    } else if (open >= 0) {
      refuse(Op::reshape, x, "two axes are left open in " + to_string(shape), where);
    } else {
      open = int(i);
    }
  }
  if (open >= 0 && known > 0) axes[std::size_t(open)] = x.shape().count() / known;
  Shape target(axes);
  if (target == x.shape()) return x;
  if (target.count() != x.shape().count()) {
    refuse(Op::reshape, x, "cannot become " + to_string(shape), where);
  }
  const Node& node = x.graph->node(x.node);
  if (node.op == Op::reshape)
    return reshape(x.graph->expr(x.graph->operands(x.node)[0]), target, where);
  return x.graph->put(Op::reshape, {&x, 1}, axes, where);
}

Expr transpose(Expr x, std::vector<int> order, Where where) {
  graph_of(Op::transpose, {x}, where);
  std::vector<std::int64_t> p(order.begin(), order.end());
  for (auto& axis : p) axis = axis_of(Op::transpose, x, int(axis), where);
  const Node& node = x.graph->node(x.node);
  if (node.op == Op::transpose && p.size() == node.attributes) {
    auto inner = x.graph->attributes(x.node);
    std::vector<int> both;
    for (auto axis : p) both.push_back(int(inner[std::size_t(axis)]));
    return transpose(x.graph->expr(x.graph->operands(x.node)[0]), both, where);
  }
  bool identity = int(p.size()) == x.shape().rank();
  for (std::size_t i = 0; i < p.size(); ++i) identity = identity && p[i] == std::int64_t(i);
  if (identity) return x;
  return x.graph->put(Op::transpose, {&x, 1}, p, where);
}

Expr broadcast(Expr x, Shape shape, Where where) {
  graph_of(Op::broadcast, {x}, where);
  if (x.shape() == shape) return x;
  const Node& node = x.graph->node(x.node);
  if (node.op == Op::broadcast &&
      x.graph->node(x.graph->operands(x.node)[0].node).op == Op::constant) {
    return broadcast(x.graph->expr(x.graph->operands(x.node)[0]), shape, where);
  }
  std::vector<std::int64_t> axes(shape.axes().begin(), shape.axes().end());
  return x.graph->put(Op::broadcast, {&x, 1}, axes, where);
}

Expr slice(Expr x, int axis, std::int64_t lo, std::int64_t hi, std::int64_t step, Where where) {
  int at = axis_of(Op::slice, x, axis, where);
  if (lo == 0 && hi == x.shape()[at] && step == 1) return x;
  std::vector<std::int64_t> windows;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (i == at) {
      windows.insert(windows.end(), {lo, hi, step});
    } else {
      windows.insert(windows.end(), {0, x.shape()[i], 1});
    }
  }
  return x.graph->put(Op::slice, {&x, 1}, windows, where);
}

Expr pad(Expr x, int axis, std::int64_t lo, std::int64_t hi, std::int64_t gap, Where where) {
  int at = axis_of(Op::pad, x, axis, where);
  if (lo == 0 && hi == 0 && (gap == 0 || x.shape()[at] == 1)) return x;
  std::vector<std::int64_t> windows(std::size_t(3 * x.shape().rank()), 0);
  windows[std::size_t(3 * at)] = lo;
  windows[std::size_t(3 * at + 1)] = hi;
  windows[std::size_t(3 * at + 2)] = gap;
  return x.graph->put(Op::pad, {&x, 1}, windows, where);
}

Expr concat(std::span<const Expr> pieces, int axis, Where where) {
  graph_of(Op::concat, pieces, where);
  if (pieces.size() == 1) return pieces[0];
  std::int64_t at = axis_of(Op::concat, pieces[0], axis, where);
  return pieces[0].graph->put(Op::concat, pieces, {&at, 1}, where);
}

std::vector<Expr> split(Expr x, int pieces, int axis, Where where) {
  int at = axis_of(Op::slice, x, axis, where);
  std::int64_t extent = x.shape()[at];
  if (pieces < 1 || extent % pieces != 0) {
    refuse(Op::slice, x, fmt::format("axis {} does not split into {}", axis, pieces), where);
  }
  std::vector<Expr> result;
  for (int i = 0; i < pieces; ++i) {
    result.push_back(slice(x, at, extent / pieces * i, extent / pieces * (i + 1), 1, where));
  }
  return result;
}

Expr reverse(Expr x, std::vector<int> axes, Where where) {
  if (axes.empty()) return x;
  std::int64_t mask = mask_of(Op::reverse, x, axes, where);
  return x.graph->put(Op::reverse, {&x, 1}, {&mask, 1}, where);
}

Expr take(Expr x, Expr index, Where where) {
  Expr operands[] = {x, index};
  return graph_of(Op::take, operands, where).put(Op::take, operands, {}, where);
}

Expr put_add(Expr values, Expr index, std::int64_t rows, Where where) {
  Expr operands[] = {values, index};
  return graph_of(Op::put_add, operands, where).put(Op::put_add, operands, {&rows, 1}, where);
}

Expr dyn_slice(Expr x, Expr start, Shape size, Where where) {
  Expr operands[] = {x, start};
  std::vector<std::int64_t> axes(size.axes().begin(), size.axes().end());
  return graph_of(Op::dyn_slice, operands, where).put(Op::dyn_slice, operands, axes, where);
}

Expr dyn_update(Expr x, Expr window, Expr start, Where where) {
  Expr operands[] = {x, window, start};
  return graph_of(Op::dyn_update, operands, where).put(Op::dyn_update, operands, {}, where);
}

Expr iota(Graph& graph, Shape shape, std::vector<int> axes, Where where) {
  std::vector<std::int64_t> attributes(shape.axes().begin(), shape.axes().end());
  std::int64_t mask = 0;
  for (int axis : axes) {
    if (axis < -shape.rank() || axis >= shape.rank()) {
      graph.refuse(name(Op::iota), fmt::format("no axis {} in {}", axis, to_string(shape)), {},
                   where);
    }
    mask |= std::int64_t{1} << shape.position(axis);
  }
  attributes.insert(attributes.begin(), mask);
  return graph.put(Op::iota, {}, attributes, where);
}

Expr sum(Expr x, std::vector<int> axes, Where where) { return reduce(Op::sum, x, axes, where); }
Expr top(Expr x, std::vector<int> axes, Where where) { return reduce(Op::top, x, axes, where); }
Expr argtop(Expr x, std::vector<int> axes, Where where) {
  return reduce(Op::argtop, x, axes, where);
}

Expr mean(Expr x, std::vector<int> axes, Where where) {
  Expr total = sum(x, std::move(axes), where);
  double scale = double(total.shape().count()) / double(x.shape().count());
  return Operand(total, where) * Operand(scale, where);
}

Expr logsumexp(Expr x, int axis, Where where) {
  Expr largest = stop_gradient(top(x, {axis}, where), where);
  Expr total = sum(exp(Operand(x, where) - Operand(largest, where), where), {axis}, where);
  return Operand(log(total, where), where) + Operand(largest, where);
}

}  // namespace atelier
