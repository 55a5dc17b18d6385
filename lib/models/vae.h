// Autoencoders: variational (Kingma and Welling 2013, arXiv:1312.6114; beta: Higgins et al. 2017)
// or plain, fully connected or convolutional, with a Bernoulli or a Gaussian likelihood.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/model.h"

namespace atelier {

struct VaeConfig {
  std::string net = "auto";  // auto fc conv
  std::int64_t latent_dim = 40;
  std::string hidden_dim = "400";       // fc: widths from picture to latent; empty: linear
  std::string channels = "64,128,256";  // conv: one halving each
  std::int64_t kernel_size = 4;
  std::string norm = "auto";  // auto batch group none
  std::string activation = "relu";
  bool variational = true;
  std::string likelihood = "auto";            // auto bernoulli gaussian
  std::string sigma = "auto";                 // gaussian: auto unit learned
  std::string output_activation = "sigmoid";  // gaussian: sigmoid linear
  double kl_weight = 1;
  std::int64_t kl_warmup_steps = 0;
  std::int64_t image_height = 0, image_width = 0, in_channels = 0;  // from the data

  Fields fields();
  // Widths between picture and latent, of the net that is chosen. UsageError if the text is none.
  std::vector<std::int64_t> widths() const;
  // Takes the pictures' shape, and decides by it what was left to the pictures ("auto").
  void choose(const DataShape& shape);
  void check() const;  // UsageError for combinations that cannot be
  // UsageError for batches of training that cannot be normalised.
  void check_batches(const DataShape& shape) const;
};

// What the encoder says of each picture: f32 [N, Z] each; logvar is absent without variational.
struct Posterior {
  Expr mu, logvar;
};

// image f32 [N,H,W,C].
Posterior vae_encode(const VaeConfig& config, const Scope& scope, Expr image);
// latent [N, Z] -> what the likelihood is stated in, [N,H,W,C]: logits (bernoulli) or means.
Expr vae_decode(const VaeConfig& config, const Scope& scope, Expr latent);

// Loss and parts of one batch; [N] each, nats, save squared_error.
struct VaeLoss {
  Expr reconstruction;  // negative log-likelihood of the picture
  Expr kl;              // absent without variational
  Expr squared_error;   // sum of squares between picture and decoded mean
};
VaeLoss vae_loss(const VaeConfig& config, const Scope& scope, Expr image);

// The latent is mu in eval mode of plain autoencoders and one draw of the posterior otherwise; the
// noise is the scope's stream "latent".
Model make_vae();

}  // namespace atelier
