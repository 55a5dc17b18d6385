// U-Net: blocks, and the way down and up.
#include "models/unet.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/parse.h"
#include "nn/layers.h"
#include "nn/transformer.h"

namespace atelier {
namespace {

// Variance scaling, fan_avg, uniform, scale 1: Glorot's. What shall start as nothing starts at
// zero, where the reference has a scale of 1e-10.
Conv2dArgs conv_args(std::int64_t kernel, bool zero = false) {
  return {.kernel = kernel,
          .padding = kernel / 2,
          .weight_init = zero ? zeros() : xavier_uniform(),
          .bias_init = zeros()};
}
const LinearArgs kLinear{.weight_init = xavier_uniform(), .bias_init = zeros()};

// At most 32, of 4 channels or more: of one channel a group would take away what a timestep adds,
// which is the same at all pixels.
std::int64_t groups_of(std::int64_t channels) {
  return std::gcd(channels, std::clamp(channels / 4, std::int64_t{1}, std::int64_t{32}));
}

Expr norm(const Scope& scope, Expr x) { return group_norm(scope, x, groups_of(x.shape()[-1])); }

struct Net {
  const UnetConfig& config;
  Expr embedding;  // [N, 4 base_channels], SiLU already taken
  std::vector<std::int64_t> attention_sizes;

  Expr res_block(const Scope& scope, Expr x, std::int64_t channels) const {
    std::int64_t rows = x.shape()[0];
    Expr h = conv2d(scope / "conv0", silu(norm(scope / "norm0", x)), channels, conv_args(3));
    std::int64_t told = config.scale_shift ? 2 * channels : channels;
    Expr time = reshape(linear(scope / "time", embedding, told, kLinear), {rows, 1, 1, told});
    if (config.scale_shift) {
      Expr scale = slice(time, 3, 0, channels), shift = slice(time, 3, channels, 2 * channels);
      h = norm(scope / "norm1", h) * (1.0 + scale) + shift;
    } else {
      h = norm(scope / "norm1", h + time);
    }
    h = dropout(scope / "drop", silu(h), config.dropout);
    h = conv2d(scope / "conv1", h, channels, conv_args(3, true));
    if (x.shape()[-1] != channels) x = conv2d(scope / "skip", x, channels, conv_args(1));
    return x + h;
  }

  Expr attend(const Scope& scope, Expr x) const {
    const Shape shape = x.shape();
    std::int64_t rows = shape[0], tokens = shape[1] * shape[2], channels = shape[3];
    Expr h = reshape(norm(scope / "norm", x), {rows, tokens, channels});
    Expr qkv = linear(scope / "qkv", h, 3 * channels, kLinear);
    Heads heads = heads_of(qkv, config.num_heads);
    Expr seen = reshape(attention(heads.q, heads.k, heads.v), {rows, tokens, channels});
    LinearArgs zero{.weight_init = zeros(), .bias_init = zeros()};
    return x + reshape(linear(scope / "proj", seen, channels, zero), shape);
  }

  bool attends(Expr x) const {
    return std::ranges::find(attention_sizes, std::max(x.shape()[1], x.shape()[2])) !=
           attention_sizes.end();
  }

  Expr block(const Scope& scope, Expr x, std::int64_t channels) const {
    x = res_block(scope, x, channels);
    return attends(x) ? attend(scope / "attn", x) : x;
  }
};

// Each pixel as 2x2, cut to a size.
Expr twice(Expr x, const Shape& like) {
  const Shape s = x.shape();
  Expr spread =
      broadcast(reshape(x, {s[0], s[1], 1, s[2], 1, s[3]}), {s[0], s[1], 2, s[2], 2, s[3]});
  Expr large = reshape(spread, {s[0], 2 * s[1], 2 * s[2], s[3]});
  return slice(slice(large, 1, 0, like[1]), 2, 0, like[2]);
}

}  // namespace

Fields UnetConfig::fields() {
  const char* ho = "DDPM (Ho et al. 2020), which has 128 and 1,2,2,2";
  return {
      bind(base_channels, {.name = "base_channels",
                           .help = "unet: channels of the first level",
                           .origin = ho,
                           .low = 2,
                           .high = 16384}),
      bind(channel_mult, {"channel_mult",
                          "unet: channels of each level, in base channels; sides are "
                          "halved between levels",
                          ho}),
      bind(num_res_blocks, {.name = "num_res_blocks",
                            .help = "unet: residual blocks of a level on the way down",
                            .origin = "DDPM has 2",
                            .low = 1,
                            .high = 64}),
      bind(attention_sizes,
           {"attention_sizes",
            "unet: longer sides of maps that attention looks over, as 16,8; empty: "
            "in the middle alone",
            "DDPM has 16"}),
      bind(num_heads, {.name = "num_heads", .help = "heads of attention", .low = 1}),
      bind(scale_shift, {"scale_shift", "unet: timesteps scale and shift instead of being added",
                         "Nichol and Dhariwal 2021 have it"}),
      bind(dropout, {.name = "dropout",
                     .help = "unet: share of each block's features that training leaves out",
                     .origin = "DDPM has 0.1 on CIFAR-10",
                     .low = 0,
                     .high = 0.9}),
      bind(time_embedding,
           {"time_embedding", "unet: order and frequencies of the waves that tell the timestep",
            "DDPM (Ho et al. 2020)", names_of(kTimestepEncodings)}),
  };
}

std::vector<std::int64_t> UnetConfig::widths() const {
  std::vector<std::int64_t> result = parse_counts(channel_mult, {"--channel-mult", "1,2,2"});
  for (std::int64_t& width : result) width *= base_channels;
  return result;
}

std::vector<std::int64_t> UnetConfig::sizes() const {
  if (attention_sizes.empty()) return {};
  return parse_counts(attention_sizes, {"--attention-sizes", "16,8"});
}

std::vector<std::int64_t> UnetConfig::sides(std::int64_t side) const {
  std::vector<std::int64_t> result(widths().size(), side);
  for (std::size_t i = 1; i < result.size(); ++i) result[i] = (result[i - 1] + 1) / 2;
  return result;
}

void UnetConfig::check(std::int64_t height, std::int64_t width) const {
  std::vector<std::int64_t> levels = widths(), looked_over = sizes();
  std::vector<std::int64_t> longer = sides(std::max(height, width));
  for (std::size_t i = 1; i < levels.size(); ++i) {
    if (std::min(height, width) < 2)
      throw UsageError(fmt::format("--channel-mult {}: pictures are too small for {} halvings",
                                   channel_mult, levels.size() - 1));
    height = (height + 1) / 2;
    width = (width + 1) / 2;
  }
  for (std::size_t i = 0; i < levels.size(); ++i) {
    bool middle = i + 1 == levels.size();
    if (!middle && std::ranges::find(looked_over, longer[i]) == looked_over.end()) continue;
    if (levels[i] % num_heads != 0)
      throw UsageError(
          fmt::format("--num-heads {}: does not divide {} channels", num_heads, levels[i]));
  }
}

std::int64_t unet_condition_dim(const UnetConfig& config) { return 4 * config.base_channels; }

Expr unet(const UnetConfig& c, const Scope& scope, Expr x, Expr timestep, Expr condition,
          std::int64_t out_channels, Where where) {
  Within within(scope, where);
  TimestepEncoding encoding = parse_timestep_encoding(c.time_embedding);
  Expr embedding =
      timestep_mlp(scope / "time", timestep_encoding(timestep, c.base_channels, encoding),
                   unet_condition_dim(c), xavier_uniform());
  if (condition) embedding = embedding + condition;
  Net net{c, silu(embedding), c.sizes()};
  std::vector<std::int64_t> widths = c.widths();

  x = conv2d(scope / "input", x, c.base_channels, conv_args(3));
  std::vector<Expr> skips{x};
  for (std::size_t level = 0; level < widths.size(); ++level) {
    Scope down = scope / fmt::format("down{}", level);
    for (std::int64_t block = 0; block < c.num_res_blocks; ++block) {
      x = net.block(down / fmt::format("block{}", block), x, widths[level]);
      skips.push_back(x);
    }
    if (level + 1 == widths.size()) break;
    Conv2dArgs halving = conv_args(3);
    halving.stride = 2;
    x = conv2d(down / "halve", x, widths[level], halving);  // [N, H/2, W/2, C]
    skips.push_back(x);
  }

  x = net.res_block(scope / "middle" / "block0", x, widths.back());
  x = net.attend(scope / "middle" / "attn", x);
  x = net.res_block(scope / "middle" / "block1", x, widths.back());

  for (std::size_t level = widths.size(); level-- > 0;) {
    Scope up = scope / fmt::format("up{}", level);
    for (std::int64_t block = 0; block <= c.num_res_blocks; ++block) {
      Expr both[] = {x, skips.back()};
      skips.pop_back();
      x = net.block(up / fmt::format("block{}", block), concat(both, 3), widths[level]);
    }
    if (level == 0) break;
    x = conv2d(up / "double", twice(x, skips.back().shape()), widths[level], conv_args(3));
  }
  x = silu(norm(scope / "output" / "norm", x));
  return conv2d(scope / "output", x, out_channels, conv_args(3, true));
}

}  // namespace atelier
