// The U-Net of diffusion models: that of DDPM (Ho et al. 2020, arXiv:2006.11239) with the options
// of Nichol and Dhariwal 2021 (arXiv:2102.09672).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fields.h"
#include "nn/scope.h"
#include "nn/timestep_embedding.h"

namespace atelier {

struct UnetConfig {
  std::int64_t base_channels = 32;
  std::string channel_mult = "1,2,2";  // of base_channels, a level each; a halving between them
  std::int64_t num_res_blocks = 1;     // a level on the way down; one more on the way up
  std::string attention_sizes = "8";   // longer sides of maps that attention looks over beside
                                       // the middle
  std::int64_t num_heads = 1;
  bool scale_shift = false;  // the timestep scales and shifts what the norm gives, or is added
  double dropout = 0;
  std::string time_embedding = "ddpm";  // ddpm openai

  Fields fields();
  std::vector<std::int64_t> widths() const;  // channels of each level; UsageError
  std::vector<std::int64_t> sizes() const;   // of attention; UsageError
  // Longer sides of the maps of each level, of pictures whose longer side is `side`.
  std::vector<std::int64_t> sides(std::int64_t side) const;
  // UsageError for what cannot be on maps of these sides.
  void check(std::int64_t height, std::int64_t width) const;
};

// x [N,H,W,C], timestep f32 [N], condition [N, 4 base_channels] or absent, added to the timestep's
// embedding -> [N,H,W,out_channels], zero at the start. Sides need not halve evenly: what is twice
// as large on the way up is cut to the size that was on the way down.
Expr unet(const UnetConfig& config, const Scope& scope, Expr x, Expr timestep, Expr condition,
          std::int64_t out_channels, Where = Where::here());
// Numbers of the condition.
std::int64_t unet_condition_dim(const UnetConfig& config);

}  // namespace atelier
