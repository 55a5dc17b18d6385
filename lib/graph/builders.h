// Helpers shared by the files of builders.
#pragma once

#include <fmt/format.h>

#include <initializer_list>

#include "graph/ops.h"

namespace atelier::builders {

// The graph of a builder's operands, all of which must be present and of one graph.
inline Graph& graph_of(Op op, std::span<const Expr> operands, Where where) {
  Graph* graph = nullptr;
  for (const Expr& e : operands) graph = graph ? graph : e.graph;
  if (!graph) {
    throw ShapeError(fmt::format("{}: an operand is absent ({})", name(op), to_string(where)));
  }
  for (const Expr& e : operands) {
    if (!e) graph->refuse(name(op), "an operand is absent", {}, where);
    if (e.graph != graph) graph->refuse(name(op), "operands of two graphs", operands, where);
  }
  return *graph;
}
inline Graph& graph_of(Op op, std::initializer_list<Expr> operands, Where where) {
  return graph_of(op, std::span<const Expr>(operands.begin(), operands.size()), where);
}

}  // namespace atelier::builders
