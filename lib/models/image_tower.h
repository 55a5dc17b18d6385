// The part that CLIP and classifiers share: pictures to one vector each, by a vision transformer or
// a convolutional network.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/model.h"
#include "nn/vision_transformer.h"

namespace atelier {

struct ImageTower {
  std::string net = "vit";  // vit conv
  std::int64_t patch_size = 8, embed_dim = 192, depth = 12, num_heads = 3;
  double mlp_ratio = 4;
  std::string pos_embed = "learned";  // learned sincos
  std::string pool = "cls";           // cls mean
  double dropout = 0, patch_dropout = 0;
  std::string channels = "64,128,256";                // conv: two convolutions each
  std::string image_mean = "0.5", image_std = "0.5";  // one for all channels, or one a channel
  std::int64_t image_height = 0, image_width = 0, in_channels = 0;  // from the data
  // What differs between CLIP's transformer (Radford et al. 2021) and the plain one (Dosovitskiy et
  // al. 2020); no fields, the model sets them.
  bool norm_pre = false, patch_bias = true;
  double norm_eps = 1e-6;

  Fields fields();
  void take(const DataShape& shape);  // the pictures' shape; then checks: UsageError
  VisionTransformerArgs transformer() const;
  std::int64_t features() const;  // length of the vector
  DataShape shape() const { return {image_height, image_width, in_channels, 0}; }
};

// image f32 [N,H,W,C], 0..1 -> [N, features()]; a transformer's come after its last norm unless
// args.layer says otherwise. UsageError for a pool or a layer that the tower does not have.
Expr tower_features(const ImageTower& tower, const Scope& scope, Expr image,
                    const EncodeArgs& args = {});

// As Model::attention. UsageError for a convolutional tower.
std::vector<Expr> tower_attention(const ImageTower& tower, const Scope& scope, Expr image);
TokenGrid tower_grid(const ImageTower& tower);

}  // namespace atelier
