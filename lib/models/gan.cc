// GAN: what both players minimise, and the entry of the registry; the networks are in gan_nets.cc.
#include "models/gan.h"

#include <fmt/format.h>

#include "nn/adversarial.h"
#include "nn/losses.h"
#include "nn/optimizers.h"

namespace atelier {
namespace {

using Config = std::shared_ptr<GanConfig>;

constexpr const char* kGenerator = "generator";
constexpr const char* kDiscriminator = "discriminator";

// Pixels 0..1 as the networks see them, and back; vectors are seen as they are.
Expr seen(const GanConfig& c, Expr image) { return c.real ? image : 2.0 * image - 1.0; }
Expr shown(const GanConfig& c, Expr x) { return c.real ? x : clamp(0.5 * x + 0.5, 0, 1); }

Expr latent_of(const GanConfig& c, const Scope& scope, std::int64_t rows) {
  return scope.normal("latent", {rows, c.latent_dim});
}

// What the discriminator sees of x: with instance noise (Sonderby et al. 2016, arXiv:1610.04490),
// whose deviation falls in a line over the generator's updates.
Expr with_noise(const GanConfig& c, const Scope& scope, const char* name, Expr x, Expr step) {
  if (c.instance_noise == 0) return x;
  Expr noise = scope.normal(name, x.shape());
  if (c.instance_noise_steps == 0 || !step) return x + c.instance_noise * noise;
  Expr left = max(1.0 - step * (1.0 / double(c.instance_noise_steps)), 0.0);
  return x + c.instance_noise * left * noise;
}

void clip_weights(const GanConfig& c, const Scope& discriminator) {
  if (c.weight_clip == 0) return;
  for (Expr weight : discriminator.params())
    discriminator.keep_within(weight, -c.weight_clip, c.weight_clip);
}

// The term that is added to the discriminator's loss, and the mean slope where it looked.
struct Penalty {
  Expr value, slope;
};
Penalty penalty_of(const GanConfig& c, const Scope& root, Expr real, Expr fake, Expr label) {
  Scope scope = root / kDiscriminator;
  Discriminator discriminate = [&](Expr x) {
    return gan_discriminate(c, scope.frozen(), x, label);
  };
  Scope noise = root / "penalty";
  if (c.penalty == "r1") {  // Mescheder et al. 2018, arXiv:1801.04406
    Expr slope = slopes(discriminate, real, scope.replaced());
    return {0.5 * c.gradient_penalty_weight * mean_of_rows(square(slope)), mean_of_rows(slope)};
  }
  Expr points =
      c.penalty == "dragan" ? around_points(noise, real) : between_points(noise, real, fake);
  Expr slope = slopes(discriminate, points, scope.replaced());
  Expr value = mean_of_rows(slope_penalty(slope, c.one_sided_penalty));
  return {c.gradient_penalty_weight * value, mean_of_rows(slope)};
}

// A critic of slope s says s times the distance: the quotient is in units of the data. Where rows
// see each other, by batch norm, there is no slope of a row.
void add_estimates(const GanConfig& c, const Scope& root, Expr real, Expr fake, Expr difference,
                   Expr label, std::vector<Term>& terms) {
  terms.push_back({"wasserstein_estimate", "logit", difference, TermRole::distance});
  if (c.discriminator_norm == "batch") return;
  Scope scope = (root / kDiscriminator).frozen();
  Discriminator discriminate = [&](Expr x) { return gan_discriminate(c, scope, x, label); };
  Expr points = between_points(root / "penalty", real, fake);
  Expr slope = mean_of_rows(slopes(discriminate, points, scope.replaced()));
  terms.push_back({"distance_estimate", c.real ? "units of the vectors" : "pixels in -1..1",
                   difference / max(slope, 1e-12), TermRole::distance});
}

Objective discriminator_objective(const GanConfig& c, const Scope& root, const Batch& batch) {
  AdversarialLoss kind = parse_adversarial_loss(c.loss);
  std::int64_t rows = batch.image.shape()[0];
  Scope scope = root / kDiscriminator;
  Expr real = seen(c, batch.image);
  Expr fake = gan_generate(c, (root / kGenerator).frozen(), latent_of(c, root, rows), batch.label);
  Expr step = batch.step;
  Expr real_logits =
      gan_discriminate(c, scope, with_noise(c, root, "real_noise", real, step), batch.label);
  Expr fake_logits = gan_discriminate(c, scope.frozen(),
                                      with_noise(c, root, "fake_noise", fake, step), batch.label);
  clip_weights(c, scope);

  Expr loss =
      mean_of_rows(discriminator_loss(kind, real_logits, fake_logits, 1 - c.label_smoothing));
  Objective result{loss, unit_of(kind), {}};
  result.terms.push_back({"real_logit", "logit", mean_of_rows(real_logits)});
  result.terms.push_back({"fake_logit", "logit", mean_of_rows(fake_logits)});
  if (kind == AdversarialLoss::wasserstein)
    add_estimates(c, root, real, fake, mean_of_rows(real_logits - fake_logits), batch.label,
                  result.terms);
  if (c.penalty == "none") return result;
  Penalty penalty = penalty_of(c, root, real, fake, batch.label);
  result.loss = loss + penalty.value;
  result.terms.push_back({"penalty", unit_of(kind), penalty.value});
  result.terms.push_back(
      {"mean_slope",
       c.real ? "logit per unit of the vectors" : "logit per unit of a pixel in -1..1",
       penalty.slope});
  return result;
}

Objective generator_objective(const GanConfig& c, const Scope& root, const Batch& batch) {
  AdversarialLoss kind = parse_adversarial_loss(c.loss);
  std::int64_t rows = batch.image.shape()[0];
  Expr fake = gan_generate(c, root / kGenerator, latent_of(c, root, rows), batch.label);
  Expr logits = gan_discriminate(c, (root / kDiscriminator).frozen(),
                                 with_noise(c, root, "fake_noise", fake, batch.step), batch.label);
  return {mean_of_rows(generator_loss(kind, logits)), unit_of(kind), {}};
}

std::vector<Preset> presets() {
  using namespace std::string_literals;
  return {
      {"dcgan",
       "the DCGAN of PyTorch's example: 64 channels, batch norm, Adam 2e-4 with beta1 0.5",
       {{"net", "dcgan"s},
        {"batch_size", std::int64_t{64}},
        {"learning_rate", 2e-4},
        {"adam_beta1", 0.5},
        {"lr_schedule", "constant"s}}},
      {"dcgan-32",
       "a DCGAN of 32 channels for 32x32 pictures on two cores, with an averaged generator",
       {{"net", "dcgan"s},
        {"base_channels", std::int64_t{32}},
        {"batch_size", std::int64_t{64}},
        {"learning_rate", 2e-4},
        {"adam_beta1", 0.5},
        {"lr_schedule", "constant"s},
        {"ema_decay", "0.999"s}}},
      {"wgan-gp",
       "the convolutional pair of WGAN-GP's code: 128 channels, 5x5, no norm in the critic",
       {{"net", "dcgan"s},
        {"base_channels", std::int64_t{128}},
        {"kernel_size", std::int64_t{5}},
        {"bias", true},
        {"latent_dim", std::int64_t{128}},
        {"discriminator_norm", "none"s},
        {"loss", "wasserstein"s},
        {"penalty", "gradient"s},
        {"discriminator_steps", std::int64_t{5}},
        {"batch_size", std::int64_t{64}},
        {"learning_rate", 1e-4},
        {"adam_beta1", 0.5},
        {"adam_beta2", 0.9},
        {"lr_schedule", "constant"s}}},
  };
}

}  // namespace

void GanConfig::check() const {
  widths();
  if (net == "dcgan" && (real || channels().empty())) {
    throw UsageError(fmt::format("--net dcgan: {} of {}x{} cannot be halved, expected --net mlp",
                                 real ? "vectors" : "pictures", image_height, image_width));
  }
  if (net == "mlp" && discriminator_norm != "none") {
    throw UsageError(
        fmt::format("--discriminator-norm {} has no effect with --net mlp", discriminator_norm));
  }
  if (class_conditional) require_classes(num_classes);
  bool with_label = loss == "minimax" || loss == "non-saturating" || loss == "least-squares";
  if (label_smoothing > 0 && !with_label)
    throw UsageError(
        fmt::format("--label-smoothing {}: --loss {} has no labels", label_smoothing, loss));
  if (penalty != "none" && discriminator_norm == "batch") {
    throw UsageError(fmt::format(
        "--penalty {}: with --discriminator-norm batch a row's slope depends on the others; "
        "expected layer or none",
        penalty));
  }
  if (one_sided_penalty && (penalty == "none" || penalty == "r1"))
    throw UsageError(fmt::format("--one-sided-penalty: --penalty {} has no sides", penalty));
  if (weight_clip > 0 && penalty != "none")
    throw UsageError(fmt::format("--weight-clip {}: --penalty {} bounds the slopes already",
                                 weight_clip, penalty));
  if (instance_noise_steps > 0 && instance_noise == 0)
    throw UsageError("--instance-noise-steps: needs --instance-noise");
}

Model make_gan() { return make_gan(std::make_shared<GanConfig>()); }

Model make_gan(std::shared_ptr<GanConfig> c) {
  Model model;
  model.name = "gan";
  model.fields = c->fields();
  model.presets = presets();
  model.state = c;
  model.fit = [c](const DataShape& shape) {
    c->choose(shape);
    c->check();
  };
  model.idle = [c] { return c->idle(); };
  model.no_slices = [c] { return c->no_slices(); };
  model.players = [c] {
    Player discriminator{
        kDiscriminator,
        [c](const Scope& s, const Batch& b) { return discriminator_objective(*c, s, b); },
        c->discriminator_steps, 0, false};
    Player generator{kGenerator,
                     [c](const Scope& s, const Batch& b) { return generator_objective(*c, s, b); },
                     1, c->unroll_steps, true};
    return std::vector<Player>{discriminator, generator};
  };
  model.decode = [c](const Scope& s, Expr latent, Expr label) {
    return shown(*c, gan_generate(*c, s / kGenerator, latent, label));
  };
  model.latent_shape = [c](std::int64_t rows) { return Shape{rows, c->latent_dim}; };
  model.prior = [c](const Scope& s, std::int64_t rows) { return latent_of(*c, s, rows); };
  model.draw = [c](const Scope& s, const DrawArgs& args) {
    Expr latent = args.truncation * latent_of(*c, s, args.rows);
    return shown(*c, gan_generate(*c, s / kGenerator, latent, args.label));
  };
  model.data_shape = [c] {
    return DataShape{.height = c->image_height,
                     .width = c->image_width,
                     .channels = c->in_channels,
                     .num_classes = c->num_classes,
                     .real = c->real};
  };
  return model;
}

}  // namespace atelier
