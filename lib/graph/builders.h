// Helpers shared by the files of builders.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <initializer_list>

#include "graph/ops.h"

namespace atelier::builders {

// The graph of a builder's operands, all of which must be present and of one graph.
inline Graph& graph_of(std::string_view what, std::span<const Expr> operands, Where where) {
  Graph* graph = nullptr;
  for (const Expr& e : operands) graph = graph ? graph : e.graph;
  if (!graph) {
    throw ShapeError(fmt::format("{}: {} ({})", what,
                                 operands.empty() ? "nothing given" : "an operand is absent",
                                 to_string(where)));
  }
  for (const Expr& e : operands) {
    if (!e) graph->refuse(what, "an operand is absent", operands, where);
    if (e.graph != graph) graph->refuse(what, "operands of two graphs", operands, where);
  }
  return *graph;
}
inline Graph& graph_of(std::string_view what, std::initializer_list<Expr> operands, Where where) {
  return graph_of(what, std::span<const Expr>(operands.begin(), operands.size()), where);
}
inline Graph& graph_of(Op op, std::span<const Expr> operands, Where where) {
  return graph_of(name(op), operands, where);
}
inline Graph& graph_of(Op op, std::initializer_list<Expr> operands, Where where) {
  return graph_of(name(op), operands, where);
}

// Whether a constant of this type keeps the number.
inline bool keeps(DType type, double number) {
  if (type != DType::i32 && type != DType::u8) return true;
  double low = type == DType::i32 ? -2147483648.0 : 0, high = type == DType::i32 ? 2147483647 : 255;
  return number == std::nearbyint(number) && number >= low && number <= high;
}
inline std::string not_kept(DType type, double number) {
  return fmt::format("{} is no {}: cast first", number, name(type));
}

}  // namespace atelier::builders
