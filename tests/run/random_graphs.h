// Random graphs over all operations, with values for their inputs and slots, for comparing plans
// with the oracle. Values stay bounded and every step is well conditioned, so that f32 must follow
// f64; what decides between branches (comparisons, roundings, positions of maxima) looks at exact
// values only, since a tie may fall either way.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/ops.h"
#include "graph/oracle.h"

namespace atelier::testing {

struct RandomGraph {
  std::unique_ptr<Graph> graph;
  OracleState state;                 // values of inputs and slots
  std::vector<std::string> updated;  // slots that have an update
  bool large = false;                // has values longer than one strip of a reduction
};

// `operations`: how many are applied; a graph with fewer is a prefix of one with more.
RandomGraph random_graph(std::uint64_t seed, int operations);
int operations_of(std::uint64_t seed);  // the number that a seed stands for

// Nodes that outputs or updates need, by op.
std::vector<std::int64_t> live_counts(const Graph& graph);

}  // namespace atelier::testing
