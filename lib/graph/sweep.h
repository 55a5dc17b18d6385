// The reverse loop behind gradient(), shared with recomputed regions.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "graph/terms.h"

namespace atelier {

struct Seed {
  Value value;
  Expr adjoint;
};

// Nodes from the first of `wrt` to the last seed through which an adjoint flows.
struct Path {
  NodeId first;
  std::vector<bool> on;
  bool at(NodeId id) const { return id >= first && id - first < on.size() && on[id - first]; }
};

// Adjoints of `wrt`; absent: no dependence. With `wrt_are_leaves` they are taken as independent of
// each other and nothing is recomputed.
std::vector<Expr> sweep(Graph& graph, std::span<const Seed> seeds, std::span<const Expr> wrt,
                        bool wrt_are_leaves);

// Differentiates a checkpointed region: takes what has arrived at its nodes out of `terms`, clones
// the region behind it, and adds what reaches values outside (and leaves inside).
void sweep_region(Graph& graph, const Region& region, const Path& path, Terms& terms);

}  // namespace atelier
