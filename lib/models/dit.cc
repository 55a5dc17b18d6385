// Diffusion transformer: blocks steered by adaptive layer norms that start as nothing (adaLN-Zero).
#include "models/dit.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "graph/builders.h"
#include "models/model.h"
#include "nn/layers.h"
#include "nn/timestep_embedding.h"
#include "nn/transformer.h"

namespace atelier {
namespace {

constexpr double kNormEps = 1e-6;
constexpr std::int64_t kWaves = 256;  // numbers that encode a timestep
const LinearArgs kLinear{.weight_init = xavier_uniform(), .bias_init = zeros()};
const LinearArgs kZero{.weight_init = zeros(), .bias_init = zeros()};

// Layer norm without parameters of its own, then scale and shift by the condition: [N, T, D] by [N,
// D].
Expr modulated(Expr x, Expr shift, Expr scale) {
  std::int64_t rows = x.shape()[0], width = x.shape()[2];
  Graph& graph = *x.graph;
  Expr ones = broadcast(graph.constant(1), {width}), none = broadcast(graph.constant(0), {width});
  Expr y = layer_norm(x, ones, none, kNormEps).y;
  return y * (1.0 + reshape(scale, {rows, 1, width})) + reshape(shift, {rows, 1, width});
}

Expr gated(Expr x, Expr gate, Expr added) {
  return x + reshape(gate, {x.shape()[0], 1, x.shape()[2]}) * added;
}

Expr continued(Expr x, std::int64_t patch_size) {
  auto missing = [&](int axis) { return (patch_size - x.shape()[axis] % patch_size) % patch_size; };
  std::int64_t rows = missing(1), columns = missing(2);
  if (rows > 0) x = pad(x, 1, 0, rows);
  return columns > 0 ? pad(x, 2, 0, columns) : x;
}

}  // namespace

Fields DitConfig::fields() {
  const char* peebles = "DiT (Peebles and Xie 2022)";
  return {
      bind(patch_size, {.name = "patch_size",
                        .help = "dit: side of the patches that are tokens",
                        .origin = peebles,
                        .low = 1,
                        .high = 16384}),
      bind(embed_dim,
           {.name = "embed_dim",
            .help = "dit: width of a token, DiT-S has 384, DiT-B 768; mlp: width of the layers",
            .origin = "for two cores",
            .low = 4,
            .high = 16384}),
      bind(depth, {.name = "depth",
                   .help = "dit: blocks, S and B have 12; mlp: residual layers",
                   .low = 1,
                   .high = 1000}),
      bind(mlp_ratio, {.name = "mlp_ratio",
                       .help = "dit: inner width of a block's network over embed_dim",
                       .origin = peebles,
                       .low = 0.1,
                       .high = 100}),
  };
}

void DitConfig::check(std::int64_t height, std::int64_t width) const {
  if (embed_dim % 4 != 0)
    throw UsageError(
        fmt::format("--embed-dim {}: expected a multiple of 4, for positions", embed_dim));
  require_heads(num_heads, embed_dim);
  require_patches(patch_size, height, width);
}

Expr patchify(Expr x, std::int64_t p, Where where) {
  At at(builders::graph_of("patchify", {x}, where), where);
  const Shape s = x.shape();
  std::int64_t rows = s[1] / p, columns = s[2] / p;
  Expr apart = reshape(x, {s[0], rows, p, columns, p, s[3]});
  return reshape(transpose(apart, {0, 1, 3, 2, 4, 5}), {s[0], rows, columns, p * p * s[3]});
}

Expr unpatchify(Expr patches, std::int64_t p, Where where) {
  At at(builders::graph_of("unpatchify", {patches}, where), where);
  const Shape s = patches.shape();
  std::int64_t channels = s[3] / (p * p);
  Expr apart = reshape(patches, {s[0], s[1], s[2], p, p, channels});
  return reshape(transpose(apart, {0, 1, 3, 2, 4, 5}), {s[0], s[1] * p, s[2] * p, channels});
}

Expr dit_block(const DitConfig& c, const Scope& scope, Expr x, Expr steer, Where where) {
  Within within(scope, where);
  const Shape shape = x.shape();
  std::int64_t width = shape[2];
  std::vector<Expr> m = split(linear(scope / "modulation", steer, 6 * width, kZero), 6, 1);
  Expr qkv = linear(scope / "attn" / "qkv", modulated(x, m[0], m[1]), 3 * width, kLinear);
  Heads heads = heads_of(qkv, c.num_heads);
  Expr seen = reshape(attention(heads.q, heads.k, heads.v), shape);
  x = gated(x, m[2], linear(scope / "attn" / "proj", seen, width, kLinear));
  auto inner = std::int64_t(std::llround(c.mlp_ratio * double(width)));
  Expr hidden = gelu_tanh(linear(scope / "mlp" / "fc1", modulated(x, m[3], m[4]), inner, kLinear));
  return gated(x, m[5], linear(scope / "mlp" / "fc2", hidden, width, kLinear));
}

Expr dit(const DitConfig& c, const Scope& scope, Expr x, Expr timestep, Expr condition,
         std::int64_t out_channels, Where where) {
  Within within(scope, where);
  const Shape given = x.shape();
  std::int64_t p = c.patch_size, rows = given[0];
  Expr patches = patchify(continued(x, p), p);
  std::int64_t down = patches.shape()[1], across = patches.shape()[2];
  Expr tokens = linear(scope / "patches", patches, c.embed_dim, kLinear);
  tokens = reshape(tokens, {rows, down * across, c.embed_dim}) +
           sincos_positions(scope.graph(), down, across, c.embed_dim);
  Expr waves = timestep_encoding(timestep, kWaves, TimestepEncoding::openai);
  Expr steer = timestep_mlp(scope / "time", waves, c.embed_dim, normal(0.02));
  if (condition) steer = steer + condition;
  steer = silu(steer);
  for (std::int64_t i = 0; i < c.depth; ++i)
    tokens = dit_block(c, scope / "blocks" / int(i), tokens, steer);
  std::vector<Expr> m =
      split(linear(scope / "final" / "modulation", steer, 2 * c.embed_dim, kZero), 2, 1);
  Expr out = linear(scope / "final", modulated(tokens, m[0], m[1]), p * p * out_channels, kZero);
  Expr y = unpatchify(reshape(out, {rows, down, across, p * p * out_channels}), p);
  return slice(slice(y, 1, 0, given[1]), 2, 0, given[2]);
}

}  // namespace atelier
