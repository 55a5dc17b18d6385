// Image towers: fields, normalisation, the two networks.
#include "models/image_tower.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/parse.h"
#include "nn/layers.h"

namespace atelier {
namespace {

// "0.5" for all channels, "0.48,0.46,0.41" for each.
std::vector<double> per_channel(const std::string& text, std::int64_t channels, const char* flag) {
  std::vector<double> values;
  try {
    for (std::string_view piece : split(text, ',')) values.push_back(parse_number(piece));
  } catch (const UsageError&) {
    throw UsageError(fmt::format("{} '{}': expected a number, or one a channel", flag, text));
  }
  if (values.size() == 1) values.resize(std::size_t(channels), values[0]);
  if (std::int64_t(values.size()) != channels)
    throw UsageError(
        fmt::format("{} '{}': {} numbers for {} channels", flag, text, values.size(), channels));
  return values;
}

std::vector<std::int64_t> widths_of(const std::string& text) {
  return parse_counts(text, {"--channels", "64,128,256", 1, 16384});
}

// (image - mean) / std, channel by channel.
Expr normalised(const ImageTower& tower, Expr image) {
  std::int64_t channels = tower.in_channels;
  std::vector<double> mean = per_channel(tower.image_mean, channels, "--image-mean");
  std::vector<double> std = per_channel(tower.image_std, channels, "--image-std");
  bool alike = std::ranges::all_of(mean, [&](double v) { return v == mean[0]; }) &&
               std::ranges::all_of(std, [&](double v) { return v == std[0]; });
  if (alike) return (image - mean[0]) * (1 / std[0]);
  std::vector<Expr> parts;
  for (std::int64_t c = 0; c < channels; ++c) {
    parts.push_back((slice(image, 3, c, c + 1) - mean[std::size_t(c)]) * (1 / std[std::size_t(c)]));
  }
  return concat(parts, 3);
}

// Each stage: a 3x3 convolution, then one that halves the picture, both with batch norm; in the end
// the mean over places.
Expr conv_features(const ImageTower& tower, const Scope& scope, Expr x) {
  int stage = 0;
  for (std::int64_t width : widths_of(tower.channels)) {
    for (std::int64_t stride : {1, 2}) {
      Scope layer = scope / fmt::format("stage{}", stage) / fmt::format("conv{}", stride);
      x = conv2d(layer, x, width, {.kernel = 3, .stride = stride, .padding = 1, .bias = false});
      x = relu(batch_norm(layer / "norm", x));
    }
    ++stage;
  }
  const Shape s = x.shape();
  x = reshape(mean(x, {1, 2}), {s[0], s[3]});
  return dropout(scope / "drop", x, tower.dropout);
}

}  // namespace

Fields ImageTower::fields() {
  const char* vit = "ViT (Dosovitskiy et al. 2020)";
  Fields fields = {
      bind(net, {"net", "image network: vision transformer or convolutions", {}, {"vit", "conv"}}),
      bind(patch_size, {.name = "patch_size",
                        .help = "vit: side of the patches in pixels",
                        .low = 1,
                        .high = 1024}),
      bind(embed_dim, {.name = "embed_dim",
                       .help = "vit: length of a token",
                       .origin = "ViT-Ti",
                       .low = 4,
                       .high = 16384}),
      bind(depth,
           {.name = "depth", .help = "vit: blocks", .origin = "ViT-Ti", .low = 1, .high = 200}),
      bind(num_heads, {.name = "num_heads",
                       .help = "vit: attention heads, a divisor of embed-dim",
                       .origin = "ViT-Ti",
                       .low = 1,
                       .high = 256}),
      bind(mlp_ratio, {.name = "mlp_ratio",
                       .help = "vit, text: inner width of a block's network over the token's",
                       .origin = vit,
                       .low = 0.25,
                       .high = 16}),
      bind(pos_embed, {"pos_embed", "vit: positions of the patches", vit, {"learned", "sincos"}}),
      bind(pool, {"pool",
                  "vit: what stands for the picture, a class token or the mean of all patches",
                  vit,
                  {"cls", "mean"}}),
      bind(dropout, {.name = "dropout",
                     .help = "share of what each part adds that training sets to zero",
                     .low = 0,
                     .high = 0.95}),
      bind(patch_dropout, {.name = "patch_dropout",
                           .help = "vit: share of the patches that training leaves out",
                           .low = 0,
                           .high = 0.95}),
      bind(channels,
           {"channels", "conv: widths of the stages, each halves the picture, as 64,128"}),
      bind(image_mean, {"image_mean", "subtracted from pixels 0..1; one number or one a channel"}),
      bind(image_std, {"image_std", "then divided by; one number or one a channel"}),
  };
  Fields pictures = picture_fields(image_height, image_width, in_channels);
  fields.insert(fields.end(), pictures.begin(), pictures.end());
  return fields;
}

void ImageTower::take(const DataShape& shape) {
  image_height = shape.height;
  image_width = shape.width;
  in_channels = shape.channels;
  per_channel(image_mean, in_channels, "--image-mean");
  for (double std : per_channel(image_std, in_channels, "--image-std")) {
    if (!(std > 0)) throw UsageError("--image-std: expected numbers above 0");
  }
  if (net == "conv") {
    std::size_t stages = widths_of(channels).size();
    std::int64_t side = std::max(image_height, image_width);
    bool one_pixel = stages > 30 || (side - 1) >> stages == 0;  // each stage halves, rounding up
    if (one_pixel && shape.least_rows == 1) {
      throw UsageError(fmt::format(
          "{}: the batch norm of --net conv needs two values a channel, but pictures of {}x{} "
          "leave one pixel, and --batch-size a batch of one picture: expected another --batch-size",
          shape.source, image_height, image_width));
    }
    return;
  }
  require_heads(num_heads, embed_dim);
  if (pos_embed == "sincos" && embed_dim % 4 != 0)
    throw UsageError(
        fmt::format("--embed-dim {}: sincos positions need a multiple of 4", embed_dim));
  require_patches(patch_size, image_height, image_width);
}

VisionTransformerArgs ImageTower::transformer() const {
  return {.patch_size = patch_size,
          .width = embed_dim,
          .blocks = {.depth = depth,
                     .num_heads = num_heads,
                     .mlp_ratio = mlp_ratio,
                     .dropout = dropout,
                     .norm_eps = norm_eps},
          .class_token = pool == "cls",
          .positions = pos_embed,
          .patch_dropout = patch_dropout,
          .patch_bias = patch_bias,
          .norm_pre = norm_pre};
}

std::int64_t ImageTower::features() const {
  return net == "conv" ? widths_of(channels).back() : embed_dim;
}

Expr tower_features(const ImageTower& tower, const Scope& scope, Expr image,
                    const EncodeArgs& args) {
  Expr x = normalised(tower, image);
  if (tower.net == "conv") {
    require_default(args);
    return conv_features(tower, scope, x);
  }
  VisionTransformerArgs vit = tower.transformer();
  if (args.pool == "auto" && args.layer != -1)
    throw UsageError(
        fmt::format("layer {}: goes with pool cls or mean, not with auto", args.layer));
  std::string pool = args.pool == "auto" ? tower.pool : args.pool;
  if (pool != "cls" && pool != "mean")
    throw UsageError(fmt::format("pool '{}': expected auto, cls or mean", pool));
  if (pool == "cls" && !vit.class_token)
    throw UsageError("pool 'cls': this model has no class token, only mean");
  if (args.layer < -1 || args.layer > tower.depth)
    throw UsageError(fmt::format("layer {}: expected 0 to {}, or -1", args.layer, tower.depth));
  Expr tokens = vision_tokens(scope, x, vit, args.layer);
  return pool_tokens(scope, tokens, vit, pool, args.layer == -1);
}

std::vector<Expr> tower_attention(const ImageTower& tower, const Scope& scope, Expr image) {
  if (tower.net == "conv") throw UsageError("this model has no attention");
  return vision_attention(scope, normalised(tower, image), tower.transformer());
}

TokenGrid tower_grid(const ImageTower& tower) {
  PatchGrid grid = patch_grid(tower.image_height, tower.image_width, tower.patch_size);
  return {grid.rows, grid.columns, tower.patch_size};
}

}  // namespace atelier
