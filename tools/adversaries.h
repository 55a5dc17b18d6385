// The two networks of gan-train as each other's adversaries: their optimizers, and which
// combinations with losses and norms are refused or warned of.
#pragma once

#include <string>

#include "base/error.h"
#include "base/log.h"
#include "cli/tool.h"
#include "models/gan.h"
#include "train/trainer.h"

namespace atelier {

// How the two networks are trained, each by an optimizer of its own.
struct AdversaryConfig {
  std::string optimizer = "adam", discriminator_optimizer = "auto";
  double discriminator_learning_rate = 0;

  Fields fields() {
    return {
        bind(optimizer, {"optimizer",
                         "adam, or RMSProp with decay 0.99, as WGAN has it",
                         {},
                         {"adam", "rmsprop"}}),
        bind(discriminator_optimizer, {"discriminator_optimizer",
                                       "the same of the discriminator; auto: the generator's",
                                       {},
                                       {"auto", "adam", "rmsprop"}}),
        bind(discriminator_learning_rate,
             {.name = "discriminator_learning_rate",
              .help = "peak of the discriminator's learning rate, on the same schedule; 0: the "
                      "generator's",
              .low = 0}),
    };
  }

  // UsageError for what cannot be meant, and for what was typed to no effect.
  void check(const GanConfig& gan, const TrainConfig& config, const Tool& tool) const {
    if (discriminator_learning_rate > 0 && !(config.learning_rate > 0))
      throw UsageError("--discriminator-learning-rate: --learning-rate 0 has no schedule to share");
    const std::string& own = of_discriminator();
    for (const char* flag : {"--adam-beta1", "--adam-beta2"}) {
      if (optimizer == "rmsprop" && own == "rmsprop" && tool.typed(flag))
        throw UsageError(std::string(flag) + " has no effect with --optimizer rmsprop");
    }
    if (gan.weight_clip > 0 && own == "adam" && config.adam_beta1 > 0)
      throw UsageError(
          "--weight-clip: momentum drives weights into the bound and keeps them there (Arjovsky et "
          "al. 2017); expected --discriminator-optimizer rmsprop or --adam-beta1 0");
  }

  // Of what is allowed and has done harm: on the ring of eight Gaussians, where the recipe of the
  // paper of unrolling does good, and in the long runs of others (StudioGAN's logs).
  // `gan`: fitted to the data. `judges`: samples are validated, so that one model can be better
  // than another.
  void warn(const GanConfig& gan, const TrainConfig& config, bool judges) const {
    bool batch_norm = gan.discriminator_norm == "batch";
    bool keeps = config.keep_best && !config.run_dir.empty() && judges;
    if (batch_norm && !keeps) {
      logging::warning(std::string(!config.keep_best        ? "--no-keep-best"
                                   : config.run_dir.empty() ? "no --run-dir"
                                                            : "--val-samples 0") +
                       ": with --discriminator-norm batch networks collapse late, and the last "
                       "ones are all that is kept");
    }
    bool bound = gan.weight_clip > 0 || (gan.penalty != "none" && gan.gradient_penalty_weight > 0);
    if (gan.loss == "wasserstein" && !bound)
      logging::warning(
          "--loss wasserstein: nothing bounds the critic's slope, so that its loss is no distance "
          "and grows without end; expected --penalty gradient or --weight-clip");
    if (gan.loss == "wasserstein" && batch_norm)
      logging::warning(
          "--loss wasserstein: with --discriminator-norm batch a row has no slope of its own, so "
          "that there is no distance_estimate; expected layer or none");
    if (gan.unroll_steps == 0) return;
    if (gan.loss == "non-saturating")
      logging::warning(
          "--unroll-steps: with --loss non-saturating looking ahead has done harm; the paper has "
          "minimax");
    if (discriminator_learning_rate == 0 || discriminator_learning_rate >= config.learning_rate)
      logging::warning(
          "--unroll-steps: looking ahead has done harm where the discriminator is as fast as the "
          "generator; expected --discriminator-learning-rate of about a tenth of --learning-rate");
    if (batch_norm)
      logging::warning(
          "--unroll-steps: through --discriminator-norm batch the generator learns what it makes "
          "of the statistics of its own batch; expected layer or none");
  }

  TrainedPlayer player(const Player& of_model, const TrainConfig& config) const {
    bool generator = of_model.name == "generator";
    TrainedPlayer player{of_model};
    player.adam = config.adam_args();
    if (!generator && discriminator_learning_rate > 0)
      player.rate_factor = discriminator_learning_rate / config.learning_rate;
    const std::string& own = generator ? optimizer : of_discriminator();
    if (own == "rmsprop") {
      player.adam.beta1 = 0;
      player.adam.beta2 = 0.99;
      player.bias_correction = false;
    }
    return player;
  }

 private:
  const std::string& of_discriminator() const {
    return discriminator_optimizer == "auto" ? optimizer : discriminator_optimizer;
  }
};

}  // namespace atelier
