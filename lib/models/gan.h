// Generative adversarial networks (Goodfellow et al. 2014, arXiv:1406.2661) with the losses and
// penalties of nn/adversarial.h: fully connected ones for vectors, and convolutional ones for
// pictures, DCGAN (Radford et al. 2015, arXiv:1511.06434) and the pair that WGAN-GP was published
// with (Gulrajani et al. 2017, arXiv:1704.00028).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"

namespace atelier {

struct GanConfig {
  std::string net = "auto";  // auto mlp dcgan
  std::int64_t latent_dim = 100;
  std::string hidden_dim = "128,128";  // mlp: widths, of both parts
  std::string activation = "relu";     // mlp
  std::string weight_init = "auto";    // auto default orthogonal he normal
  double weight_init_gain = 1;
  double input_divisor = 1;  // mlp: the discriminator sees values divided by this
  std::int64_t base_channels = 64, kernel_size = 4;
  bool bias = false;
  std::string discriminator_norm = "auto";  // auto batch layer none

  std::string loss = "non-saturating";
  std::string penalty = "none";  // none gradient dragan r1
  double gradient_penalty_weight = 10;
  bool one_sided_penalty = false;
  double weight_clip = 0;      // of the discriminator; 0: none
  double label_smoothing = 0;  // of real rows
  double instance_noise = 0;   // standard deviation at the start
  std::int64_t instance_noise_steps = 0;
  std::int64_t discriminator_steps = 1, unroll_steps = 0;

  bool class_conditional = false;

  // From the data; num_classes is 0 unless class_conditional.
  std::int64_t image_height = 0, image_width = 0, in_channels = 0, num_classes = 0;
  bool real = false;  // vectors, seen as they are; not pictures

  Fields fields();
  std::vector<std::int64_t> widths() const;    // of the mlp; UsageError if the text is none
  std::vector<std::int64_t> channels() const;  // dcgan: after each halving, the widest last
  // Takes the data's shape and settles what is "auto". Error for latents with sides.
  void choose(const DataShape& shape);
  void check() const;  // UsageError for combinations that cannot be
  // As Model has them.
  std::vector<std::pair<std::string, std::string>> idle() const;
  std::string no_slices() const;
};

// latent [N, Z] -> what the discriminator sees, [N,H,W,C]: pixels of -1..1, or vectors. `label` i32
// [N]: with class_conditional; an embedding of it joins the latent.
Expr gan_generate(const GanConfig& config, const Scope& scope, Expr latent, Expr label = {});
// [N,H,W,C] -> logits [N]; with class_conditional the features' product with an embedding of the
// label is added (Miyato and Koyama 2018, arXiv:1802.05637).
Expr gan_discriminate(const GanConfig& config, const Scope& scope, Expr x, Expr label = {});

Model make_gan();
Model make_gan(std::shared_ptr<GanConfig> config);  // whose fields are the model's

}  // namespace atelier
