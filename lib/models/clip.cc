// CLIP: two towers and what compares them.
#include "models/clip.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "nn/layers.h"
#include "nn/losses.h"

namespace atelier {
namespace {

using Config = std::shared_ptr<ClipConfig>;

Expr unit_rows(Expr x) { return x / safe_norm(x, {1}); }

// Learned as its logarithm, which the optimizer keeps below that of the largest.
Expr logit_scale(const ClipConfig& c, const Scope& scope) {
  Expr log_scale = scope.param("logit_scale", {1}, constant(std::log(c.initial_scale())));
  scope.keep_within(log_scale, -std::numeric_limits<double>::infinity(),
                    std::log(c.logit_scale_max));
  return exp(log_scale);
}

// Losses and hits of one batch, [N] each.
struct Comparison {
  Expr loss, image_to_text, text_to_image;
};
Comparison compare(const ClipConfig& c, const Scope& scope, std::span<const Expr> features) {
  Expr image = unit_rows(features[0]), text = unit_rows(features[1]);
  Expr scale = logit_scale(c, scope);
  Comparison result;
  if (c.loss == "sigmoid") {
    result.loss = sigmoid_loss(image, text, scale, scope.param("logit_bias", {1}, constant(-10)));
  } else {
    result.loss = clip_loss(image, text, scale);
  }
  Expr similarity = matmul(image, text, false, true);
  Expr own = iota(scope.graph(), {similarity.shape()[0]}, {0});
  result.image_to_text = top1_hits(similarity, own);
  result.text_to_image = top1_hits(transpose(similarity, {1, 0}), own);
  return result;
}

std::vector<Expr> features(const ClipConfig& c, const Scope& scope, const Batch& batch) {
  return {clip_image(c, scope, batch.image), clip_text(c, scope, batch.tokens)};
}

Objective contrast(const ClipConfig& c, const Scope& scope, std::span<const Expr> features) {
  Comparison result = compare(c, scope, features);
  return {mean_of_rows(result.loss),
          "nats/image",
          {{"image_to_text", "share of the batch", mean_of_rows(result.image_to_text)},
           {"text_to_image", "share of the batch", mean_of_rows(result.text_to_image)},
           {"logit_scale", "e to its power", reshape(logit_scale(c, scope), {})}}};
}

std::vector<Term> validation(const ClipConfig& c, const Scope& scope, const Batch& batch) {
  Comparison result = compare(c, scope, features(c, scope, batch));
  return {{"loss", "nats/image", result.loss},
          {"image_to_text", "share of the batch", result.image_to_text},
          {"text_to_image", "share of the batch", result.text_to_image}};
}

std::vector<Preset> presets() {
  using namespace std::string_literals;
  auto towers = [](std::int64_t width, std::int64_t depth, std::int64_t heads,
                   std::int64_t text_width, std::int64_t text_depth, std::int64_t text_heads,
                   std::int64_t patch, std::int64_t projection) {
    return Attributes{{"net", "vit"s},
                      {"embed_dim", width},
                      {"depth", depth},
                      {"num_heads", heads},
                      {"patch_size", patch},
                      {"text_embed_dim", text_width},
                      {"text_depth", text_depth},
                      {"text_num_heads", text_heads},
                      {"projection_dim", projection}};
  };
  auto with = [](Attributes preset, const Attributes& more) {
    preset.insert(preset.end(), more.begin(), more.end());
    return preset;
  };
  auto trained = [](Attributes preset, std::int64_t batch, double rate, const char* schedule,
                    double decay) {
    preset.insert(preset.end(), {{"batch_size", batch},
                                 {"learning_rate", rate},
                                 {"lr_schedule", std::string(schedule)},
                                 {"adam_beta2", 0.98},
                                 {"adam_eps", 1e-6},
                                 {"weight_decay", decay}});
    return preset;
  };
  return {
      {"small-64",
       "both towers 128 wide, 6 and 3 blocks, patches of 8: 64x64 pictures on two cores",
       trained(with(towers(128, 6, 4, 128, 3, 4, 8, 128), {{"context_length", std::int64_t{48}},
                                                           {"vocab_size", std::int64_t{2048}},
                                                           {"caption_drop", 0.3}}),
               256, 1e-3, "one-cycle", 0.1)},
      {"clip-64", "both towers 192 wide, 12 and 6 blocks, patches of 8",
       trained(towers(192, 12, 3, 192, 6, 3, 8, 128), 256, 5e-4, "cosine", 0.2)},
      {"vit-b32", "the published ViT-B/32: 768 and 512 wide, 12 blocks each",
       trained(towers(768, 12, 12, 512, 12, 8, 32, 512), 256, 5e-4, "cosine", 0.2)},
  };
}

}  // namespace

ClipConfig::ClipConfig() {
  tower.norm_pre = true;
  tower.patch_bias = false;
  tower.norm_eps = 1e-5;
}

Fields ClipConfig::fields() {
  const char* clip = "CLIP (Radford et al. 2021)";
  Fields fields = tower.fields();
  Fields own = {
      bind(projection_dim, {.name = "projection_dim",
                            .help = "captions: length of the vectors that pictures and texts share",
                            .low = 1,
                            .high = 16384}),
      bind(text_embed_dim, {.name = "text_embed_dim",
                            .help = "captions: length of a text token",
                            .low = 4,
                            .high = 16384}),
      bind(text_depth, {.name = "text_depth",
                        .help = "captions: blocks of the text network",
                        .low = 1,
                        .high = 200}),
      bind(text_num_heads, {.name = "text_num_heads",
                            .help = "captions: attention heads of the text network",
                            .low = 1,
                            .high = 256}),
      bind(context_length, {.name = "context_length",
                            .help = "captions: longest text in tokens, start and end included",
                            .low = 3,
                            .high = 4096}),
      bind(vocab_size, {.name = "vocab_size",
                        .help = "captions: tokens that the network has room for",
                        .low = 260,
                        .high = 1000000}),
      bind(loss, {"loss",
                  "captions: cross-entropy over the batch (clip) or of pairs (sigmoid, SigLIP)",
                  clip,
                  {"clip", "sigmoid"}}),
      bind(logit_scale_init, {.name = "logit_scale_init",
                              .help = "captions: first factor of the similarities; 0: 1/0.07, or "
                                      "10 with the sigmoid loss",
                              .low = 0,
                              .high = 1000}),
      bind(logit_scale_max, {.name = "logit_scale_max",
                             .help = "captions: the factor is kept at most this after each step",
                             .origin = clip,
                             .low = 1,
                             .high = 10000}),
  };
  fields.insert(fields.end(), own.begin(), own.end());
  return fields;
}

double ClipConfig::initial_scale() const {
  if (logit_scale_init > 0) return logit_scale_init;
  return loss == "sigmoid" ? 10 : 1 / 0.07;
}

void ClipConfig::check() const {
  if (text_embed_dim % text_num_heads != 0)
    throw UsageError(fmt::format("--text-num-heads {}: does not divide --text-embed-dim {}",
                                 text_num_heads, text_embed_dim));
  if (initial_scale() > logit_scale_max)
    throw UsageError(fmt::format("--logit-scale-init {}: above --logit-scale-max {}",
                                 initial_scale(), logit_scale_max));
}

Expr clip_image(const ClipConfig& c, const Scope& scope, Expr image, const EncodeArgs& args) {
  Expr features = tower_features(c.tower, scope / "visual", image, args);
  if (args.pool != "auto") return features;
  double std = 1 / std::sqrt(double(c.tower.features()));
  return linear(scope / "visual" / "proj", features, c.projection_dim,
                {.bias = false, .weight_init = normal(std)});
}

Expr clip_text(const ClipConfig& c, const Scope& scope, Expr tokens) {
  Scope text = scope / "text";
  Graph& graph = scope.graph();
  std::int64_t rows = tokens.shape()[0], length = tokens.shape()[1], width = c.text_embed_dim;
  Expr x = embedding(text / "token_embed", tokens, c.vocab_size, width, normal(0.02));
  Expr places = text.param("pos_embed", {c.context_length, width}, normal(0.01));
  x = x + reshape(slice(places, 0, 0, length), {1, length, width});
  TransformerArgs blocks{.depth = c.text_depth,
                         .num_heads = c.text_num_heads,
                         .mlp_ratio = c.tower.mlp_ratio,
                         .causal = true,
                         .dropout = c.tower.dropout,
                         .norm_eps = c.tower.norm_eps};
  for (std::int64_t i = 0; i < c.text_depth; ++i) {
    x = transformer_block(text / "blocks" / int(i), x, blocks);
  }
  // Token ids below 2^24 are exact floats. Only the end's token needs the last norm.
  Expr end = reshape(argtop(cast(tokens, DType::f32), {1}), {rows});
  Expr row = end + graph.constant(double(length), DType::i32) * iota(graph, {rows}, {0});
  Expr last = take(reshape(x, {rows * length, width}), row);
  last = layer_norm(text / "norm", last, c.tower.norm_eps);
  return linear(text / "proj", last, c.projection_dim,
                {.bias = false, .weight_init = normal(1 / std::sqrt(double(width)))});
}

Expr clip_loss(Expr image, Expr text, Expr scale) {
  Expr logits = scale * matmul(image, text, false, true);  // [N,N]
  Expr own = iota(*image.graph, {image.shape()[0]}, {0});
  return 0.5 * (cross_entropy(logits, own) + cross_entropy(transpose(logits, {1, 0}), own));
}

Expr sigmoid_loss(Expr image, Expr text, Expr scale, Expr bias) {
  Expr logits = scale * matmul(image, text, false, true) + bias;
  Graph& graph = *image.graph;
  const Shape pairs = logits.shape();
  Expr own = equal(iota(graph, pairs, {0}), iota(graph, pairs, {1}));
  return sum_rows(softplus(where(own, -logits, logits)));
}

Model make_clip() {
  Config c = std::make_shared<ClipConfig>();
  Model model;
  model.name = "clip";
  model.fields = c->fields();
  model.presets = presets();
  model.state = c;
  model.fit = [c](const DataShape& shape) {
    require_pictures(shape, "clip");
    c->tower.take(shape);
    c->check();
    if (shape.vocab_size > c->vocab_size)
      throw UsageError(
          fmt::format("--vocab-size {}: the tokenizer has {}", c->vocab_size, shape.vocab_size));
  };
  model.features = [c](const Scope& s, const Batch& b) { return features(*c, s, b); };
  model.contrast = [c](const Scope& s, std::span<const Expr> rows, const Batch&) {
    return contrast(*c, s, rows);
  };
  model.objective = [c](const Scope& s, const Batch& b) {
    return contrast(*c, s, features(*c, s, b));
  };
  model.validation = [c](const Scope& s, const Batch& b) { return validation(*c, s, b); };
  model.encode = [c](const Scope& s, Expr image, const EncodeArgs& args) {
    return clip_image(*c, s, image, args);
  };
  model.encode_text = [c](const Scope& s, Expr tokens) { return clip_text(*c, s, tokens); };
  model.context_length = [c] { return c->context_length; };
  model.attention = [c](const Scope& s, Expr image) {
    return tower_attention(c->tower, s / "visual", image);
  };
  model.token_grid = [c] { return tower_grid(c->tower); };
  model.data_shape = [c] { return c->tower.shape(); };
  return model;
}

}  // namespace atelier
