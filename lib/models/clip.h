// CLIP (Radford et al. 2021, arXiv:2103.00020): an image tower and a causal text transformer whose
// vectors of a picture and of its caption point the same way; with the sigmoid loss, SigLIP (Zhai
// et al. 2023, arXiv:2303.15343).
#pragma once

#include "models/image_tower.h"

namespace atelier {

struct ClipConfig {
  ImageTower tower;
  std::int64_t projection_dim = 128;  // of the space that both share
  std::int64_t text_embed_dim = 192, text_depth = 6, text_num_heads = 3;
  std::int64_t context_length = 32, vocab_size = 8192;
  std::string loss = "clip";     // clip sigmoid
  double logit_scale_init = 0;   // 0: 1/0.07 (clip) or 10 (sigmoid)
  double logit_scale_max = 100;  // of e^logit_scale

  ClipConfig();
  Fields fields();
  void check() const;  // UsageError
  double initial_scale() const;
};

// Both -> [N, projection_dim], of any length.
Expr clip_image(const ClipConfig& config, const Scope& scope, Expr image, const EncodeArgs& = {});
// tokens i32 [N, context_length], padded with 0; the vector is that of the largest token, which
// ends the text.
Expr clip_text(const ClipConfig& config, const Scope& scope, Expr tokens);

// Losses of row i of `image` and `text` [N,D], both of length 1 a row, against all rows of the
// other: f32 [N], nats; scale and bias f32 [1].
//   clip: mean of the cross-entropies of scale image text^T by rows and by columns
//   sigmoid: sum over j of softplus(-t (scale image_i . text_j + bias)), t = 1 if i = j else -1
Expr clip_loss(Expr image, Expr text, Expr scale);
Expr sigmoid_loss(Expr image, Expr text, Expr scale, Expr bias);

Model make_clip();

}  // namespace atelier
