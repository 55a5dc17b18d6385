// GAN: configuration fields and the networks.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/parse.h"
#include "models/gan.h"
#include "nn/adversarial.h"
#include "nn/layers.h"

namespace atelier {
namespace {

// Pictures are halved as long as no side falls below this.
constexpr std::int64_t kLeastSide = 4;
constexpr std::int64_t kClassWidth = 32;  // numbers beside the latent that tell a class
constexpr double kNormalStd = 0.02;       // of weights at the start: DCGAN

std::int64_t padding_of(const GanConfig& c) { return (c.kernel_size - 1) / 2; }
std::int64_t halved(const GanConfig& c, std::int64_t side) {
  return (side + 2 * padding_of(c) - c.kernel_size) / 2 + 1;
}

struct Extent {
  std::int64_t height, width;
};
// Of the picture and after each halving.
std::vector<Extent> extents(const GanConfig& c) {
  std::vector<Extent> sizes{{c.image_height, c.image_width}};
  while (std::min(sizes.back().height, sizes.back().width) >= 2 * kLeastSide)
    sizes.push_back({halved(c, sizes.back().height), halved(c, sizes.back().width)});
  return sizes;
}

Init init_of(const GanConfig& c) {
  if (c.weight_init == "normal") return normal(kNormalStd * c.weight_init_gain);
  if (c.weight_init == "orthogonal") return orthogonal(c.weight_init_gain);
  if (c.weight_init == "he") return kaiming_normal(c.weight_init_gain * 1.4142135623730951);
  return {};
}
// Biases of a network that is not started as PyTorch starts it.
Init bias_init_of(const GanConfig& c) { return c.weight_init == "default" ? Init{} : zeros(); }

Expr dense(const GanConfig& c, const Scope& scope, Expr x, std::int64_t outputs, bool bias) {
  return linear(scope, x, outputs,
                {.bias = bias, .weight_init = init_of(c), .bias_init = bias_init_of(c)});
}

Expr hidden_layers(const GanConfig& c, const Scope& scope, Expr x) {
  std::vector<std::int64_t> widths = c.widths();
  for (std::size_t i = 0; i < widths.size(); ++i)
    x = activate(c.activation, dense(c, scope / fmt::format("hidden{}", i), x, widths[i], true));
  return x;
}

// DCGAN starts the factors near 1 as it starts the weights near 0.
Expr batch_normalised(const GanConfig& c, const Scope& scope, Expr x) {
  BatchNormArgs args;
  if (c.weight_init == "normal") args.weight_init = normal(kNormalStd * c.weight_init_gain, 1);
  return batch_norm(scope, x, args);
}

Expr normalised(const GanConfig& c, const Scope& scope, Expr x) {
  if (c.discriminator_norm == "batch") return batch_normalised(c, scope, x);
  if (c.discriminator_norm == "layer") return group_norm(scope, x, 1);
  return x;
}

Expr mlp_generate(const GanConfig& c, const Scope& scope, Expr latent) {
  Expr x = hidden_layers(c, scope, latent);
  x = dense(c, scope / "output", x, c.image_height * c.image_width * c.in_channels, true);
  return reshape(x, {latent.shape()[0], c.image_height, c.image_width, c.in_channels});
}

// The features of a row [N, D] -> logits [N].
Expr judge(const GanConfig& c, const Scope& scope, Expr features, Expr label, bool bias) {
  std::int64_t rows = features.shape()[0], width = features.shape()[1];
  Expr logits = dense(c, scope / "output", features, 1, bias);
  if (c.class_conditional) {
    Expr of_class = embedding(scope / "class", label, c.num_classes, width, normal(0.02));
    logits = logits + sum(features * of_class, {1});
  }
  return reshape(logits, {rows});
}

Expr mlp_discriminate(const GanConfig& c, const Scope& scope, Expr x, Expr label) {
  std::int64_t rows = x.shape()[0];
  if (c.input_divisor != 1) x = x * (1 / c.input_divisor);
  x = hidden_layers(c, scope, reshape(x, {rows, x.shape().count() / rows}));
  return judge(c, scope, x, label, true);
}

Expr dcgan_generate(const GanConfig& c, const Scope& scope, Expr latent) {
  std::vector<Extent> sizes = extents(c);
  std::vector<std::int64_t> channels = c.channels();
  std::int64_t rows = latent.shape()[0];
  Extent least = sizes.back();
  Expr x = dense(c, scope / "spread", latent, least.height * least.width * channels.back(), c.bias);
  x = reshape(x, {rows, least.height, least.width, channels.back()});
  x = relu(batch_normalised(c, scope / "spread" / "norm", x));
  for (std::size_t i = channels.size(); i-- > 0;) {
    Scope level = scope / fmt::format("up{}", i);
    x = conv2d_transpose(level, x, i == 0 ? c.in_channels : channels[i - 1],
                         {.kernel = c.kernel_size,
                          .stride = 2,
                          .padding = padding_of(c),
                          .height = sizes[i].height,
                          .width = sizes[i].width,
                          .bias = c.bias,
                          .weight_init = init_of(c),
                          .bias_init = bias_init_of(c)});  // [N, 2H, 2W, C/2]
    if (i > 0) x = relu(batch_normalised(c, level / "norm", x));
  }
  return x;
}

Expr dcgan_discriminate(const GanConfig& c, const Scope& scope, Expr x, Expr label) {
  std::vector<std::int64_t> channels = c.channels();
  for (std::size_t i = 0; i < channels.size(); ++i) {
    Scope level = scope / fmt::format("down{}", i);
    x = conv2d(level, x, channels[i],
               {.kernel = c.kernel_size,
                .stride = 2,
                .padding = padding_of(c),
                .bias = c.bias,
                .weight_init = init_of(c),
                .bias_init = bias_init_of(c)});  // [N, H/2, W/2, 2C]
    if (i > 0) x = normalised(c, level / "norm", x);
    x = leaky_relu(x, 0.2);
  }
  std::int64_t rows = x.shape()[0];
  return judge(c, scope, reshape(x, {rows, x.shape().count() / rows}), label, c.bias);
}

}  // namespace

Fields GanConfig::fields() {
  const char* dcgan = "DCGAN (Radford et al. 2015)";
  const char* example = "PyTorch's DCGAN example";  // the paper has twice the channels, 5x5
  const char* wgan_gp = "WGAN-GP (Gulrajani et al. 2017)";
  Fields fields = {
      bind(net,
           {"net",
            "networks: fully connected, convolutional, or by the data: mlp for vectors and for "
            "pictures too small to halve",
            {},
            {"auto", "mlp", "dcgan"}}),
      bind(latent_dim, {.name = "latent_dim",
                        .help = "length of the latent vector",
                        .origin = dcgan,
                        .low = 1,
                        .high = 1e6}),
      bind(hidden_dim,
           {"hidden_dim", "mlp: widths of the hidden layers of both networks, such as 128,128"}),
      bind(activation, {"activation",
                        "mlp: nonlinearity of the hidden layers",
                        {},
                        {"relu", "leaky_relu", "silu", "gelu", "tanh"}}),
      bind(
          weight_init,
          {"weight_init",
           "weights at the start: auto: normal (of deviation 0.02 around 0, factors of batch norms "
           "around 1) for dcgan, else as PyTorch's layers",
           dcgan,
           {"auto", "default", "orthogonal", "he", "normal"}}),
      bind(weight_init_gain,
           {.name = "weight_init_gain", .help = "factor of those weights", .low = 0}),
      bind(input_divisor, {.name = "input_divisor",
                           .help = "mlp: the discriminator sees values divided by this",
                           .low = 1e-6}),
      bind(base_channels,
           {.name = "base_channels",
            .help = "dcgan: channels after the first halving, doubled at each of the next three",
            .origin = example,
            .low = 1,
            .high = 16384}),
      bind(kernel_size, {.name = "kernel_size",
                         .help = "dcgan: side of the kernels; DCGAN and WGAN-GP have 5",
                         .origin = example,
                         .low = 3,
                         .high = 9}),
      bind(bias, {"bias", "dcgan: biases beside the norms; WGAN-GP has them", dcgan}),
      bind(discriminator_norm,
           {"discriminator_norm",
            "dcgan: of the discriminator; auto: batch, or layer with a --penalty",
            "as github.com/LynnHo/DCGAN-LSGAN-WGAN-GP-DRAGAN-Pytorch",
            {"auto", "batch", "layer", "none"}}),
      bind(class_conditional,
           {"class_conditional", "pictures by class: both networks see the labels"}),
      bind(loss, {"loss", "what both networks minimise", dcgan, names_of(kAdversarialLosses)}),
      bind(penalty, {"penalty",
                     "on the discriminator's slopes: between real and made (WGAN-GP), around real "
                     "(DRAGAN), at real (R1)",
                     {},
                     {"none", "gradient", "dragan", "r1"}}),
      bind(gradient_penalty_weight,
           {.name = "gradient_penalty_weight",
            .help = "weight w of the penalty; r1 adds w/2 times the squared slope",
            .origin = wgan_gp,
            .low = 0}),
      bind(one_sided_penalty,
           {"one_sided_penalty", "punish slopes above 1 alone; not r1", "Petzka et al. 2017"}),
      bind(weight_clip, {.name = "weight_clip",
                         .help = "bound of the discriminator's weights, 0: none; WGAN has 0.01",
                         .low = 0}),
      bind(label_smoothing, {.name = "label_smoothing",
                             .help = "taken from the label 1 of real rows; usual is 0.1",
                             .low = 0,
                             .high = 0.5}),
      bind(instance_noise,
           {.name = "instance_noise",
            .help =
                "deviation of noise on all that the discriminator sees, at the start; pixels are "
                "-1..1",
            .low = 0}),
      bind(instance_noise_steps,
           {.name = "instance_noise_steps",
            .help = "steps over which that noise falls linearly to 0; 0: it stays",
            .low = 0}),
      bind(discriminator_steps, {.name = "discriminator_steps",
                                 .help = "updates of the discriminator to one of the generator",
                                 .origin = "WGAN-GP has 5",
                                 .low = 1,
                                 .high = 1000}),
      bind(unroll_steps,
           {.name = "unroll_steps",
            .help = "updates of the discriminator that the generator looks ahead through",
            .origin = "Metz et al. 2016 have 5 or 10",
            .low = 0,
            .high = 100}),
  };
  fields.push_back(bind(
      real,
      {.name = "real", .help = "vectors in units of their own, not pictures", .from_data = true}));
  fields.push_back(bind(num_classes, {.name = "num_classes",
                                      .help = "classes of the pictures; 0: not by class",
                                      .low = 0,
                                      .from_data = true}));
  Fields pictures = picture_fields(image_height, image_width, in_channels);
  fields.insert(fields.end(), pictures.begin(), pictures.end());
  return fields;
}

std::vector<std::int64_t> GanConfig::widths() const {
  return parse_counts(hidden_dim, {"--hidden-dim", "128,128", 1, 1000000});
}

std::vector<std::int64_t> GanConfig::channels() const {
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i + 1 < extents(*this).size(); ++i)
    result.push_back(base_channels << std::min<std::size_t>(i, 3));
  return result;
}

std::vector<std::pair<std::string, std::string>> GanConfig::idle() const {
  std::vector<std::pair<std::string, std::string>> fields;
  auto add = [&](std::initializer_list<const char*> names, const std::string& with) {
    for (const char* name : names) fields.emplace_back(name, with);
  };
  if (net == "mlp") add({"base_channels", "kernel_size", "bias"}, "--net mlp");
  if (net == "dcgan") add({"hidden_dim", "activation", "input_divisor"}, "--net dcgan");
  if (penalty == "none") add({"gradient_penalty_weight"}, "--penalty none");
  if (weight_init == "default") add({"weight_init_gain"}, "--weight-init default");
  return fields;
}

std::string GanConfig::no_slices() const {
  if (unroll_steps > 0)
    return fmt::format("--unroll-steps {} looks ahead on a whole batch", unroll_steps);
  if (penalty == "dragan")
    return "--penalty dragan moves pictures by the deviation of a whole batch";
  return "";
}

void GanConfig::choose(const DataShape& shape) {
  // Flat latents too if they are scaled: a file of vectors cannot hold the factor.
  if (shape.real && (!shape.vectors() || shape.scaling_factor != 1)) {
    throw Error(
        fmt::format("{}: holds latents of {}x{}x{}, but gan is a model of pictures and of "
                    "vectors",
                    shape.source, shape.height, shape.width, shape.channels));
  }
  image_height = shape.height;
  image_width = shape.width;
  in_channels = shape.channels;
  real = shape.real;
  num_classes = class_conditional ? shape.num_classes : 0;
  bool halves = std::min(image_height, image_width) >= 2 * kLeastSide;
  if (net == "auto") net = halves ? "dcgan" : "mlp";
  if (weight_init == "auto") weight_init = net == "dcgan" ? "normal" : "default";
  if (discriminator_norm == "auto")
    discriminator_norm = net == "mlp" ? "none" : penalty == "none" ? "batch" : "layer";
}

Expr gan_generate(const GanConfig& c, const Scope& scope, Expr latent, Expr label) {
  if (c.class_conditional) {
    Expr of_class = embedding(scope / "class", label, c.num_classes, kClassWidth);
    Expr both[] = {latent, of_class};
    latent = concat(both, 1);
  }
  Expr x = c.net == "mlp" ? mlp_generate(c, scope, latent) : dcgan_generate(c, scope, latent);
  return c.real ? x : tanh(x);
}

Expr gan_discriminate(const GanConfig& c, const Scope& scope, Expr x, Expr label) {
  return c.net == "mlp" ? mlp_discriminate(c, scope, x, label)
                        : dcgan_discriminate(c, scope, x, label);
}

}  // namespace atelier
