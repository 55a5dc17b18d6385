// How large networks are: what their published counts are compared with.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/op_table.h"
#include "nn/scope.h"

namespace atelier::testing {

inline std::int64_t parameters_of(const Scope& scope) {
  std::int64_t total = 0;
  for (Expr p : scope.params()) total += p.shape().count();
  return total;
}

// Multiply-accumulates of the convolutions and linear layers of a graph, which is what published
// counts are made of; not the products of queries, keys and values.
inline double macs_of(const Graph& graph) {
  double total = 0;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    if (node.op != Op::matmul && node.op != Op::conv && node.op != Op::conv_dx) continue;
    std::vector<Type> operands;
    for (Value value : graph.operands(id)) operands.push_back(graph.type(value));
    Type result = graph.type({id, 0});
    NodeView view{node.op, operands, graph.attributes(id), {&result, 1}};
    total += row(node.op).cost(view).flops / 2;
  }
  return total;
}

}  // namespace atelier::testing
