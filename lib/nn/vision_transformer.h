// The vision transformer (Dosovitskiy et al. 2020, arXiv:2010.11929) as a network: pictures to
// tokens. What is made of the tokens is the models' affair. Parameters have timm's names.
#pragma once

#include <string>
#include <vector>

#include "nn/transformer.h"

namespace atelier {

struct VisionTransformerArgs {
  std::int64_t patch_size = 8, width = 192;
  TransformerArgs blocks = {};
  bool class_token = true;            // a token before the patches whose place nothing else has
  std::string positions = "learned";  // learned sincos
  double patch_dropout = 0;           // share of the patches that training leaves out
  bool patch_bias = true;             // of the convolution that reads the patches
  bool norm_pre = false;              // a norm before the first block, as CLIP has it
};

// The grid of patches: pictures whose sides are no multiples of the patch are continued by zeros.
struct PatchGrid {
  std::int64_t rows, columns;
};
PatchGrid patch_grid(std::int64_t height, std::int64_t width, std::int64_t patch_size);

// image f32 [N,H,W,C], normalised -> [N, tokens, width]: the class token, if there is one, then the
// patches row by row, after `layers` blocks; -1: all. No norm follows the last block.
Expr vision_tokens(const Scope& scope, Expr image, const VisionTransformerArgs& args,
                   std::int64_t layers = -1, Where = Where::here());

// What token looks at what token in each block: f32 [N, heads, tokens, tokens] each.
std::vector<Expr> vision_attention(const Scope& scope, Expr image,
                                   const VisionTransformerArgs& args, Where = Where::here());

// One vector a picture out of tokens: pool "cls" takes the class token, "mean" the mean of the
// patches; with `norm`, the network's last norm comes before (on each token). -> [N, width].
Expr pool_tokens(const Scope& scope, Expr tokens, const VisionTransformerArgs& args,
                 const std::string& pool, bool norm, Where = Where::here());

}  // namespace atelier
