// VAE: configuration fields and the two families of networks.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/parse.h"
#include "models/vae.h"
#include "nn/layers.h"

namespace atelier {

Fields VaeConfig::fields() {
  const char* usual = "Kingma and Welling 2013 and its common reimplementations";
  const char* infogan = "DCGAN's layout (Radford et al. 2015)";
  Fields fields = {
      bind(net,
           {"net",
            "network: fully connected, convolutional, or by the pictures: conv in colour, unless "
            "too small to halve",
            {},
            {"auto", "fc", "conv"}}),
      bind(latent_dim,
           {.name = "latent_dim", .help = "length of the latent vector", .low = 1, .high = 1e6}),
      bind(hidden_dim,
           {"hidden_dim", "fc: widths of the hidden layers, such as 400 or 400,200; empty: linear",
            usual}),
      bind(channels, {"channels", "conv: channels of each stride-2 convolution, such as 64,128,256",
                      infogan}),
      bind(kernel_size, {.name = "kernel_size",
                         .help = "conv: side of the kernels, 3 or more",
                         .origin = infogan,
                         .low = 3,
                         .high = 15}),
      bind(norm, {"norm",
                  "conv: normalisation; auto: batch, or group or none where one pixel is left",
                  infogan,
                  {"auto", "batch", "group", "none"}}),
      bind(activation, {"activation",
                        "nonlinearity of the hidden layers",
                        {},
                        {"relu", "leaky_relu", "silu", "gelu", "tanh", "none"}}),
      bind(variational, {"variational", "noise and KL term, which make an autoencoder a VAE"}),
      bind(likelihood, {"likelihood",
                        "distribution of a pixel given the latent; auto: gaussian in colour",
                        {},
                        {"auto", "bernoulli", "gaussian"}}),
      bind(sigma, {"sigma",
                   "gaussian: standard deviation of all pixels, 1 or learned; auto: learned by "
                   "a VAE whose likelihood is auto too",
                   {},
                   {"auto", "unit", "learned"}}),
      bind(output_activation, {"output_activation",
                               "gaussian: what turns the network's output into means",
                               {},
                               {"sigmoid", "linear"}}),
      bind(kl_weight, {.name = "kl_weight",
                       .help = "weight of the KL term; the beta of beta-VAE",
                       .origin = "1: the evidence lower bound",
                       .low = 0}),
      bind(kl_warmup_steps, {.name = "kl_warmup_steps",
                             .help = "steps over which the KL term's weight rises from 0",
                             .low = 0}),
  };
  Fields pictures = picture_fields(image_height, image_width, in_channels);
  fields.insert(fields.end(), pictures.begin(), pictures.end());
  return fields;
}

namespace {

std::int64_t padding_of(const VaeConfig& c) { return (c.kernel_size - 1) / 2; }

// Extent after a stride-2 convolution; 0 if the kernel does not fit.
std::int64_t halved(const VaeConfig& c, std::int64_t extent) {
  std::int64_t room = extent + 2 * padding_of(c) - c.kernel_size;
  return extent < 1 || room < 0 ? 0 : room / 2 + 1;
}

struct Extent {
  std::int64_t height, width;
};
// Of the picture and after each convolution.
std::vector<Extent> extents(const VaeConfig& c) {
  std::vector<Extent> sizes{{c.image_height, c.image_width}};
  for (std::size_t i = 0; i < c.widths().size(); ++i) {
    sizes.push_back({halved(c, sizes.back().height), halved(c, sizes.back().width)});
  }
  return sizes;
}

// Then batch norm has but the pictures of a batch to take the statistics of a channel from.
bool ends_in_one_pixel(const VaeConfig& c) {
  Extent least = extents(c).back();
  return least.height * least.width == 1;
}

std::int64_t groups_of(std::int64_t channels) { return std::gcd(channels, std::int64_t{8}); }

// Statistics need several values: of one pixel, batch may have one and group has channels / groups.
std::string norm_by_pictures(const VaeConfig& c) {
  constexpr std::int64_t kLeastValues = 8;
  if (c.net != "conv" || !ends_in_one_pixel(c)) return "batch";
  std::vector<std::int64_t> widths = c.widths();
  std::vector<Extent> sizes = extents(c);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    bool pixel = sizes[i + 1].height * sizes[i + 1].width == 1;
    if (pixel && widths[i] / groups_of(widths[i]) < kLeastValues) return "none";
  }
  return "group";
}

Expr normalised(const VaeConfig& c, const Scope& scope, Expr x) {
  if (c.norm == "batch") return batch_norm(scope, x);
  if (c.norm == "group") return group_norm(scope, x, groups_of(x.shape()[-1]));
  return x;
}

Expr conv_features(const VaeConfig& c, const Scope& scope, Expr x) {
  std::vector<std::int64_t> widths = c.widths();
  for (std::size_t i = 0; i < widths.size(); ++i) {
    Scope level = scope / fmt::format("down{}", i);
    x = conv2d(
        level, x, widths[i],
        {.kernel = c.kernel_size, .stride = 2, .padding = padding_of(c), .bias = c.norm == "none"});
    x = activate(c.activation, normalised(c, level / "norm", x));  // [N, H/2, W/2, C]
  }
  return reshape(x, {x.shape()[0], x.shape().count() / x.shape()[0]});
}

Expr conv_pictures(const VaeConfig& c, const Scope& scope, Expr latent) {
  std::vector<std::int64_t> widths = c.widths();
  std::vector<Extent> sizes = extents(c);
  Extent least = sizes.back();
  std::int64_t rows = latent.shape()[0];
  Expr x = linear(scope / "spread", latent, least.height * least.width * widths.back());
  x = reshape(x, {rows, least.height, least.width, widths.back()});
  for (std::size_t i = widths.size(); i-- > 0;) {
    bool last = i == 0;
    Scope level = scope / fmt::format("up{}", i);
    x = conv2d_transpose(level, x, last ? c.in_channels : widths[i - 1],
                         {.kernel = c.kernel_size,
                          .stride = 2,
                          .padding = padding_of(c),
                          .height = sizes[i].height,
                          .width = sizes[i].width,
                          .bias = last || c.norm == "none"});  // [N, 2H, 2W, C']
    if (!last) x = activate(c.activation, normalised(c, level / "norm", x));
  }
  return x;
}

Expr fc_features(const VaeConfig& c, const Scope& scope, Expr image) {
  std::int64_t rows = image.shape()[0];
  Expr x = reshape(image, {rows, image.shape().count() / rows});
  std::vector<std::int64_t> widths = c.widths();
  for (std::size_t i = 0; i < widths.size(); ++i) {
    x = activate(c.activation, linear(scope / fmt::format("hidden{}", i), x, widths[i]));
  }
  return x;
}

Expr fc_pictures(const VaeConfig& c, const Scope& scope, Expr latent) {
  Expr x = latent;
  std::vector<std::int64_t> widths = c.widths();
  for (std::size_t i = widths.size(); i-- > 0;) {
    x = activate(c.activation, linear(scope / fmt::format("hidden{}", i), x, widths[i]));
  }
  x = linear(scope / "pixels", x, c.image_height * c.image_width * c.in_channels);
  return reshape(x, {latent.shape()[0], c.image_height, c.image_width, c.in_channels});
}

// Options of the other net would have no effect. What equals the default may be nobody's wish, and
// a convolutional net has indeed no hidden layers.
void refuse_options_of_the_other_net(const VaeConfig& c) {
  const VaeConfig usual;
  const bool conv = c.net == "conv";
  const struct {
    const char* flag;
    std::string value;
    bool unused;
  } options[] = {
      {"--hidden-dim", c.hidden_dim,
       conv && !c.hidden_dim.empty() && c.hidden_dim != usual.hidden_dim},
      {"--channels", c.channels, !conv && c.channels != usual.channels},
      {"--kernel-size", std::to_string(c.kernel_size), !conv && c.kernel_size != usual.kernel_size},
      {"--norm", c.norm, !conv && c.norm != "batch"},  // as files of fc nets have it
  };
  for (const auto& option : options) {
    if (!option.unused) continue;
    throw UsageError(fmt::format("{} '{}' has no effect with --net {}, expected --net {}",
                                 option.flag, option.value, conv ? "conv" : "fc",
                                 conv ? "fc" : "conv"));
  }
}

}  // namespace

std::vector<std::int64_t> VaeConfig::widths() const {
  if (net == "conv") return parse_counts(channels, {"--channels", "64,128,256", 1, 16384});
  if (hidden_dim.empty()) return {};
  return parse_counts(hidden_dim, {"--hidden-dim", "400,200", 1, 1000000});
}

void VaeConfig::choose(const DataShape& shape) {
  image_height = shape.height;
  image_width = shape.width;
  in_channels = shape.channels;
  bool colour = in_channels > 1;
  if (net == "auto") {
    // Hidden widths that somebody gave are meant to be used.
    bool conv = colour && hidden_dim == VaeConfig{}.hidden_dim;
    net = conv ? "conv" : "fc";
    Extent least = conv ? extents(*this).back() : Extent{1, 1};
    if (least.height < 1 || least.width < 1) net = "fc";  // nothing is left to halve
  }
  if (norm == "auto") norm = norm_by_pictures(*this);
  bool by_pictures = likelihood == "auto";
  if (by_pictures) likelihood = colour && !shape.binary ? "gaussian" : "bernoulli";
  // With a sigma of 1 the KL term outweighs small pictures: they come out as their mean.
  bool learns = by_pictures && variational && likelihood == "gaussian";
  if (sigma == "auto") sigma = learns ? "learned" : "unit";
}

void VaeConfig::check() const {
  std::vector<std::int64_t> all = widths();
  if (likelihood == "bernoulli" && sigma == "learned") {
    throw UsageError("--sigma learned: a bernoulli likelihood has no sigma, expected unit");
  }
  if (likelihood == "bernoulli" && output_activation == "linear") {
    throw UsageError("--output-activation linear: a bernoulli likelihood needs sigmoid");
  }
  if (!variational && kl_weight != VaeConfig{}.kl_weight) {
    throw UsageError(fmt::format(
        "--kl-weight {}: a plain autoencoder (variational false) has no KL term", kl_weight));
  }
  if (!variational && kl_warmup_steps > 0) {
    throw UsageError("--kl-warmup-steps: a plain autoencoder (variational false) has no KL term");
  }
  refuse_options_of_the_other_net(*this);
  if (image_height < 1 || image_width < 1 || in_channels < 1) {
    throw Error(fmt::format("pictures of {}x{}x{}: expected at least one pixel and channel",
                            image_height, image_width, in_channels));
  }
  if (net != "conv") return;
  Extent least = extents(*this).back();
  if (least.height < 1 || least.width < 1) {
    throw UsageError(fmt::format("--channels '{}': pictures of {}x{} are too small for {} halvings",
                                 channels, image_height, image_width, all.size()));
  }
}

void VaeConfig::check_batches(const DataShape& shape) const {
  if (net != "conv" || norm != "batch" || shape.least_rows != 1 || !ends_in_one_pixel(*this))
    return;
  throw UsageError(fmt::format(
      "{}: --norm batch needs two values a channel, but pictures of {}x{} leave one pixel, and "
      "--batch-size a batch of one picture: expected --norm group, or another --batch-size",
      shape.source, image_height, image_width));
}

Posterior vae_encode(const VaeConfig& c, const Scope& scope, Expr image) {
  Within within(scope);
  Expr features = c.net == "conv" ? conv_features(c, scope, image) : fc_features(c, scope, image);
  if (!c.variational) return {linear(scope / "stats", features, c.latent_dim), {}};
  std::vector<Expr> stats = split(linear(scope / "stats", features, 2 * c.latent_dim), 2, -1);
  return {stats[0], stats[1]};  // [N, Z] each
}

Expr vae_decode(const VaeConfig& c, const Scope& scope, Expr latent) {
  Within within(scope);
  Expr x = c.net == "conv" ? conv_pictures(c, scope, latent) : fc_pictures(c, scope, latent);
  return c.likelihood == "gaussian" && c.output_activation == "sigmoid" ? sigmoid(x) : x;
}

}  // namespace atelier
