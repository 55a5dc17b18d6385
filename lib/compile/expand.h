// Passes as copies of a graph: what is not replaced keeps its op, attributes, scope and call site.
#pragma once

#include <functional>
#include <vector>

#include "graph/graph.h"

namespace atelier {

// Asked for each node that has operands, which it may change (they are of the copy). What it
// returns stands for the node's parts; nothing: the node itself, on these operands.
using Rewrite = std::function<std::vector<Expr>(Graph& to, NodeId id, std::vector<Expr>& operands)>;

// Inputs, slots, outputs and updates are kept.
Graph rewritten(const Graph& graph, const Rewrite& rewrite);

// `replace` is asked for each composite node; those it names become their primitives.
Graph expand_composites(const Graph& graph, const std::function<bool(NodeId)>& replace);

}  // namespace atelier
