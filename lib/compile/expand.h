// A pass: a copy of a graph in which some composites are replaced by their primitives.
#pragma once

#include <functional>

#include "graph/graph.h"

namespace atelier {

// `replace` is asked for each composite node. Inputs, slots, outputs, updates, scopes and call
// sites are kept.
Graph expand_composites(const Graph& graph, const std::function<bool(NodeId)>& replace);

}  // namespace atelier
