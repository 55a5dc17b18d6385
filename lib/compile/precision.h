// The precision pass: what products are computed from.
#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace atelier {

bool is_product(Op op);  // matmul and the three convolutions

enum class Precision : std::uint8_t {
  f32,
  bf16,  // products of operands rounded to bf16, accumulated in f32; all else stays f32
};

// The graph with a cast to bf16 before each f32 operand of its products (matmul and the three
// convolutions); at f32 the same graph. A cast is a node, so that what is rounded can be seen by
// explain() and is rounded by the oracle too, and readers of one value share its cast. Products
// inside composites that keep their own kernel are not touched.
Graph narrow_products(const Graph& graph, Precision precision);

}  // namespace atelier
