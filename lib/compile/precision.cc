// Casts are placed as the graph is copied.
#include "compile/precision.h"

#include "compile/expand.h"
#include "graph/ops.h"

namespace atelier {

bool is_product(Op op) {
  return op == Op::matmul || op == Op::conv || op == Op::conv_dx || op == Op::conv_dw;
}

Graph narrow_products(const Graph& graph, Precision precision) {
  return rewritten(graph, [&](Graph&, NodeId id, std::vector<Expr>& operands) {
    if (precision == Precision::bf16 && is_product(graph.node(id).op)) {
      for (Expr& x : operands) {
        if (x.dtype() == DType::f32) x = cast(x, DType::bf16, graph.site(id));
      }
    }
    return std::vector<Expr>{};
  });
}

}  // namespace atelier
