// VAE: objective, validation and the entry of the registry; the networks are in vae_nets.cc.
#include "models/vae.h"

#include <cmath>
#include <numbers>

#include "nn/init.h"
#include "nn/losses.h"

namespace atelier {
namespace {

using Config = std::shared_ptr<VaeConfig>;

constexpr const char* kNoPrior =
    "a plain autoencoder (variational false) has no prior to draw samples from";

// One draw of the posterior, or mu itself; eps is absent then.
struct Draw {
  Expr latent, eps;
};
Draw draw_posterior(const Scope& scope, const Posterior& posterior) {
  if (!posterior.logvar) return {posterior.mu, {}};
  Expr eps = scope.normal("latent", posterior.mu.shape());
  return {posterior.mu + exp(0.5 * posterior.logvar) * eps, eps};
}

Expr negative_log_likelihood(const VaeConfig& c, const Scope& scope, Expr decoded, Expr image) {
  if (c.likelihood == "bernoulli") return bernoulli_nll(decoded, image);
  Expr log_sigma;
  if (c.sigma == "learned") log_sigma = scope.param("log_sigma", {1}, zeros());
  return gaussian_nll(image, decoded, log_sigma);
}

// Weight of the KL term, rising linearly from 0 over kl_warmup_steps.
Expr scheduled_kl(const VaeConfig& c, Expr kl, Expr step) {
  Expr weighted = c.kl_weight * kl;
  if (!step || c.kl_warmup_steps == 0) return weighted;
  return min(step * (1.0 / double(c.kl_warmup_steps)), 1.0) * weighted;
}

Objective objective(const VaeConfig& c, const Scope& scope, const Batch& batch) {
  VaeLoss parts = vae_loss(c, scope, batch.image);
  Expr reconstruction = mean_of_rows(parts.reconstruction);
  Objective result{reconstruction, "nats/image", {}};
  if (parts.kl) {
    Expr kl = mean_of_rows(parts.kl);
    // Weight 0 leaves the term out, so that a KL that overflows cannot spoil the loss.
    if (c.kl_weight > 0) result.loss = reconstruction + scheduled_kl(c, kl, batch.step);
    result.terms.push_back({"reconstruction", "nats/image", reconstruction});
    result.terms.push_back({"kl", "nats/image", kl, TermRole::information});
  } else if (c.likelihood == "gaussian") {
    Expr error = mean_of_rows(parts.squared_error);
    result.terms.push_back(
        {"squared_error", "sum of squares/image", error, TermRole::squared_error});
  }
  if (c.likelihood == "gaussian" && c.sigma == "learned") {
    Expr sigma = exp(reshape(scope.param("log_sigma", {1}, zeros()), {}));
    result.terms.push_back({"sigma", "of pixels 0..1", sigma});
  }
  return result;
}

std::vector<Term> validation(const VaeConfig& c, const Scope& scope, const Batch& batch) {
  VaeLoss parts = vae_loss(c, scope, batch.image);
  Expr loss = parts.reconstruction;
  if (parts.kl && c.kl_weight > 0) loss = loss + c.kl_weight * parts.kl;
  std::vector<Term> terms{{"loss", "nats/image", loss, TermRole::loss}};
  if (parts.kl) {
    terms.push_back({"reconstruction", "nats/image", parts.reconstruction});
    terms.push_back({"kl", "nats/image", parts.kl, TermRole::information});
    if (c.kl_weight != 1) {
      terms.push_back({"negative_elbo", "nats/image", parts.reconstruction + parts.kl});
    }
  }
  terms.push_back(
      {"squared_error", "sum of squares/image", parts.squared_error, TermRole::squared_error});
  return terms;
}

// log p(x|z) + log p(z) - log q(z|x); the normalisers of the last two cancel.
Expr log_weight(const VaeConfig& c, const Scope& scope, const Batch& batch) {
  if (!c.variational) throw UsageError(kNoPrior);
  Posterior posterior = vae_encode(c, scope / "encoder", batch.image);
  Draw draw = draw_posterior(scope, posterior);
  Expr decoded = vae_decode(c, scope / "decoder", draw.latent);
  Expr nll = negative_log_likelihood(c, scope, decoded, batch.image);
  Expr ratio = sum_rows(square(draw.eps) + posterior.logvar - square(draw.latent));
  return 0.5 * ratio - nll;
}

// Pixels 0..1 from what the decoder gives.
Expr as_picture(const VaeConfig& c, Expr decoded) {
  if (c.likelihood == "bernoulli") return sigmoid(decoded);
  return c.output_activation == "linear" ? clamp(decoded, 0, 1) : decoded;
}

Expr decode(const VaeConfig& c, const Scope& scope, Expr latent) {
  return as_picture(c, vae_decode(c, scope / "decoder", latent));
}

Expr prior(const VaeConfig& c, const Scope& scope, std::int64_t rows) {
  if (!c.variational) throw UsageError(kNoPrior);
  return scope.normal("prior", {rows, c.latent_dim});
}

std::vector<Preset> presets() {
  using namespace std::string_literals;
  return {
      {"mnist-fc",
       "784-400-40, Bernoulli: the usual network for binarised digits",
       {{"net", "fc"s},
        {"hidden_dim", "400"s},
        {"latent_dim", std::int64_t{40}},
        {"activation", "relu"s},
        {"likelihood", "bernoulli"s},
        {"batch_size", std::int64_t{100}},
        {"learning_rate", 1e-3},
        {"lr_schedule", "constant"s},
        {"binarize", "threshold"s}}},
      {"conv32",
       "64-128-256 by 4x4 convolutions of stride 2, batch norm, latent 64, Gaussian",
       {{"net", "conv"s},
        {"channels", "64,128,256"s},
        {"latent_dim", std::int64_t{64}},
        {"likelihood", "gaussian"s},
        {"batch_size", std::int64_t{128}},
        {"learning_rate", 1e-3},
        {"lr_schedule", "constant"s}}},
      {"avatars",
       "conv32's network for small drawings: learned sigma, flips, one-cycle rate",
       {{"net", "conv"s},
        {"channels", "64,128,256"s},
        {"latent_dim", std::int64_t{64}},
        {"likelihood", "gaussian"s},
        {"sigma", "learned"s},
        {"batch_size", std::int64_t{64}},
        {"learning_rate", 2e-3},
        {"lr_schedule", "one-cycle"s},
        {"hflip", true}}},
      {"linear",
       "a linear autoencoder: finds the principal components of the pictures",
       {{"net", "fc"s},
        {"hidden_dim", ""s},
        {"latent_dim", std::int64_t{16}},
        {"variational", false},
        {"likelihood", "gaussian"s},
        {"output_activation", "linear"s},
        {"batch_size", std::int64_t{100}},
        {"learning_rate", 2e-3},
        {"lr_schedule", "cosine"s}}},
  };
}

}  // namespace

VaeLoss vae_loss(const VaeConfig& c, const Scope& scope, Expr image) {
  Posterior posterior = vae_encode(c, scope / "encoder", image);
  Expr decoded = vae_decode(c, scope / "decoder", draw_posterior(scope, posterior).latent);
  VaeLoss loss;
  loss.reconstruction = negative_log_likelihood(c, scope, decoded, image);
  if (posterior.logvar) loss.kl = kl_diagonal_gaussian(posterior.mu, posterior.logvar);
  Expr mean_picture = c.likelihood == "bernoulli" ? sigmoid(decoded) : decoded;
  loss.squared_error = sum_rows(square(image - mean_picture));
  return loss;
}

Model make_vae() {
  Config c = std::make_shared<VaeConfig>();
  Model model;
  model.name = "vae";
  model.fields = c->fields();
  model.presets = presets();
  model.state = c;
  model.idle = [c] {
    std::vector<std::pair<std::string, std::string>> idle;
    if (c->net == "fc") idle.emplace_back("norm", "--net fc");
    if (c->likelihood == "bernoulli") idle.emplace_back("sigma", "--likelihood bernoulli");
    return idle;
  };
  model.fit = [c](const DataShape& shape) {
    require_pictures(shape, "vae");
    c->choose(shape);
    c->check();
    c->check_batches(shape);
  };
  model.objective = [c](const Scope& s, const Batch& b) { return objective(*c, s, b); };
  model.validation = [c](const Scope& s, const Batch& b) { return validation(*c, s, b); };
  model.log_weight = [c](const Scope& s, const Batch& b) { return log_weight(*c, s, b); };
  model.encode = [c](const Scope& s, Expr image, const EncodeArgs& args) {
    require_default(args);
    return vae_encode(*c, s / "encoder", image).mu;
  };
  model.decode = [c](const Scope& s, Expr latent, Expr) { return decode(*c, s, latent); };
  model.latent_shape = [c](std::int64_t rows) { return Shape{rows, c->latent_dim}; };
  model.prior = [c](const Scope& s, std::int64_t rows) { return prior(*c, s, rows); };
  model.draw = [c](const Scope& s, const DrawArgs& args) {
    return decode(*c, s, args.truncation * prior(*c, s, args.rows));
  };
  model.no_prior = [c] { return c->variational ? std::string() : std::string(kNoPrior); };
  model.data_shape = [c] { return DataShape{c->image_height, c->image_width, c->in_channels, 0}; };
  return model;
}

}  // namespace atelier
