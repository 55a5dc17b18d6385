// Diffusion models (Ho et al. 2020, arXiv:2006.11239): a network that tells what was added to
// noised pictures or vectors; schedules, objectives and samplers are those of diffusion/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "models/dit.h"
#include "models/model.h"
#include "models/unet.h"

namespace atelier {

struct DdpmConfig {
  std::string net = "auto";  // auto unet dit mlp
  UnetConfig unet;
  DitConfig dit;  // embed_dim and depth are those of the mlp too
  std::string beta_schedule = "linear";
  std::int64_t num_timesteps = 1000;
  bool rescale_timesteps = false;  // the network is told them as if there were 1000
  double beta_start = 0, beta_end = 0;
  bool zero_terminal_snr = false;
  std::string prediction_type = "epsilon";    // epsilon x0 v
  std::string variance_type = "fixed-large";  // fixed-small fixed-large learned-range
  std::string loss = "simple";                // simple hybrid vlb
  double min_snr_gamma = 0;
  std::string timestep_sampler = "uniform";  // uniform loss-second-moment
  bool class_conditional = false;
  double class_dropout_prob = 0.1;  // of class-conditional training: the share trained without

  // From the data; num_classes is 0 unless class_conditional.
  std::int64_t image_height = 0, image_width = 0, in_channels = 0, num_classes = 0;
  bool real = false;          // vectors or latents, not pictures
  double scaling_factor = 1;  // of latents

  Fields fields();
  void choose(const DataShape& shape);  // takes the data's shape, settles what is "auto"
  void check() const;                   // UsageError for combinations that cannot be
  DiffusionSpec spec() const;
};

// noised f32 [N,H,W,C] (pixels -1..1, or vectors), timestep f32 [N], label i32 [N]: with
// class_conditional, num_classes being none -> [N,H,W,C], or 2C channels with a learned variance.
Expr ddpm_predict(const DdpmConfig& config, const Scope& scope, Expr noised, Expr timestep,
                  Expr label);

Model make_ddpm();
Model make_ddpm(std::shared_ptr<DdpmConfig> config);  // whose fields are the model's

}  // namespace atelier
