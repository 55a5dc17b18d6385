// Transformers (Vaswani et al. 2017, arXiv:1706.03762), normalised before each part (pre-norm).
// x is [N, tokens, width] everywhere; parameters have timm's names (norm1, attn.qkv, attn.proj,
// norm2, mlp.fc1, mlp.fc2). Errors are ShapeError.
#pragma once

#include "nn/scope.h"

namespace atelier {

struct TransformerArgs {
  std::int64_t depth = 12, num_heads = 3;
  double mlp_ratio = 4;  // inner width of the two-layer network over the width
  bool causal = false;   // a token sees itself and those before it
  double dropout = 0;    // of what each part adds
  double norm_eps = 1e-5;
};

// Queries, keys and values of attention(), each [N, tokens, heads, width / heads].
struct Heads {
  Expr q, k, v;
};
// Of [N, tokens, 3 width], as one linear layer makes them; num_heads divides the width.
Heads heads_of(Expr qkv, std::int64_t num_heads, Where = Where::here());

// Weights start normal, with CLIP's standard deviations (Radford et al. 2021, arXiv:2103.00020; its
// released code), which are nearly those of Glorot's: width^-1/2 for queries, keys and values,
// (2 width)^-1/2 for fc1, and (2 depth width)^-1/2 for what is added to x; biases zero.
//
// x + attention(norm1(x)), then + mlp(norm2(x)); the activation is GELU in its erf form.
Expr transformer_block(const Scope& scope, Expr x, const TransformerArgs& args,
                       Where = Where::here());

// The weights with which tokens look at tokens in that block: f32 [N, heads, tokens, tokens], rows
// sum to 1. `x` is what the block gets.
Expr attention_weights(const Scope& scope, Expr x, const TransformerArgs& args,
                       Where = Where::here());

// Positions of a grid as sines and cosines of rows and columns, f32 [rows * columns, width]: the
// first half of the width tells the column, the second the row, each its sines then its cosines of
// position / 10000^(2i/(width/2)) (big_vision's and MAE's layout). width: a multiple of 4.
Expr sincos_positions(Graph& graph, std::int64_t rows, std::int64_t columns, std::int64_t width,
                      Where = Where::here());

}  // namespace atelier
