// Diffusion transformers (Peebles and Xie 2022, arXiv:2212.09748), in pixels or on any latents.
#pragma once

#include <cstdint>

#include "base/fields.h"
#include "nn/scope.h"

namespace atelier {

struct DitConfig {
  std::int64_t patch_size = 4, embed_dim = 128, depth = 6;
  std::int64_t num_heads = 1;  // no field: that of the U-Net is told
  double mlp_ratio = 4;

  Fields fields();
  void check(std::int64_t height, std::int64_t width) const;  // UsageError
};

// x [N,H,W,C], timestep f32 [N] -> [N,H,W,out_channels], zero at the start. condition [N,
// embed_dim], if there is one, is added to the timestep's embedding. Sides that are no multiples of
// the patch are continued by zeros.
Expr dit(const DitConfig& config, const Scope& scope, Expr x, Expr timestep, Expr condition,
         std::int64_t out_channels, Where = Where::here());

// One block on tokens [N, T, D], steered by what SiLU made of the condition, [N, D]; with gates of
// zero, as it starts, it is the identity.
Expr dit_block(const DitConfig& config, const Scope& scope, Expr tokens, Expr steer,
               Where = Where::here());

// [N,H,W,C] -> [N, rows, columns, p p C] and back; sides are multiples of the patch.
Expr patchify(Expr x, std::int64_t patch_size, Where = Where::here());
Expr unpatchify(Expr patches, std::int64_t patch_size, Where = Where::here());

}  // namespace atelier
