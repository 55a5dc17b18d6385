// gan-train: train generative adversarial networks.
#include <chrono>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "eval/sample_quality.h"
#include "infer/rows.h"
#include "train/signals.h"
#include "training_page.h"

using namespace atelier;

namespace {

// There is no likelihood, and samples are judged instead of held-out pictures.
const Names kUnused{"val_batches", "val_importance_samples", "val_importance_images"};

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
                                       "the same of the discriminator; auto: as the generator",
                                       {},
                                       {"auto", "adam", "rmsprop"}}),
        bind(discriminator_learning_rate,
             {.name = "discriminator_learning_rate",
              .help = "peak of the discriminator's learning rate, on the same schedule",
              .origin = "0: as the generator",
              .low = 0}),
    };
  }

  // UsageError for what cannot be meant, and for what was typed to no effect.
  void check(const Model& model, const TrainConfig& config, const Tool& tool) const {
    if (discriminator_learning_rate > 0 && !(config.learning_rate > 0))
      throw UsageError("--discriminator-learning-rate: --learning-rate 0 has no schedule to share");
    Attributes fields = to_attributes(model.fields);
    const std::string& own =
        discriminator_optimizer == "auto" ? optimizer : discriminator_optimizer;
    for (const char* flag : {"--adam-beta1", "--adam-beta2"}) {
      if (optimizer == "rmsprop" && own == "rmsprop" && tool.typed(flag))
        throw UsageError(std::string(flag) + " has no effect with --optimizer rmsprop");
    }
    bool clips = std::get<double>(*find(fields, "weight_clip")) > 0;
    if (clips && own == "adam" && config.adam_beta1 > 0)
      throw UsageError(
          "--weight-clip: momentum drives weights into the bound and keeps them there (Arjovsky et "
          "al. 2017); expected --discriminator-optimizer rmsprop or --adam-beta1 0");
  }

  // Of what is allowed and has done harm: on the ring of eight Gaussians, where the recipe of the
  // paper of unrolling does good, and in the long runs of others (StudioGAN's logs).
  // `judges`: samples are validated, so that one model can be better than another.
  void warn(const Model& fitted, const TrainConfig& config, bool judges) const {
    Attributes fields = to_attributes(fitted.fields);
    bool batch_norm = to_text(*find(fields, "discriminator_norm")) == "batch";
    bool keeps = config.keep_best && !config.run_dir.empty() && judges;
    if (batch_norm && !keeps) {
      logging::warning(std::string(!config.keep_best        ? "--no-keep-best"
                                   : config.run_dir.empty() ? "no --run-dir"
                                                            : "--val-samples 0") +
                       ": with --discriminator-norm batch networks collapse late, and the last "
                       "ones are all that is kept");
    }
    bool bound = std::get<double>(*find(fields, "weight_clip")) > 0 ||
                 (to_text(*find(fields, "penalty")) != "none" &&
                  std::get<double>(*find(fields, "gradient_penalty_weight")) > 0);
    if (to_text(*find(fields, "loss")) == "wasserstein" && !bound)
      logging::warning(
          "--loss wasserstein: nothing bounds the critic's slope, so that its loss is no distance "
          "and grows without end; expected --penalty gradient or --weight-clip");
    if (std::get<std::int64_t>(*find(fields, "unroll_steps")) == 0) return;
    if (to_text(*find(fields, "loss")) == "non-saturating")
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
    player.adam = {config.adam_beta1, config.adam_beta2, config.adam_eps, config.weight_decay};
    if (!generator && discriminator_learning_rate > 0)
      player.rate_factor = discriminator_learning_rate / config.learning_rate;
    const std::string& own =
        generator || discriminator_optimizer == "auto" ? optimizer : discriminator_optimizer;
    if (own == "rmsprop") {
      player.adam.beta1 = 0;
      player.adam.beta2 = 0.99;
      player.bias_correction = false;
    }
    return player;
  }
};

// How samples are judged while the networks are trained.
struct AssessConfig {
  std::int64_t val_samples = 2048;

  // UsageError for figures of few samples, which choose by chance, and for rows that are held out
  // for none.
  void check(const TrainConfig& config) const {
    if (val_samples == 0 && !config.val_every.empty())
      throw UsageError("--val-every: samples are validated, but --val-samples is 0");
    if (val_samples > 0 && val_samples < 16) {
      throw UsageError("--val-samples " + std::to_string(val_samples) +
                       ": expected 0 or at least 16");
    }
    bool holds_out = !config.val_data.empty() || config.val_split > 0;
    if (val_samples == 0 && holds_out) {
      throw UsageError(std::string(config.val_data.empty() ? "--val-split" : "--val-data") +
                       ": what is held out judges samples, but --val-samples is 0");
    }
  }
  Fields fields() {
    return {
        bind(val_samples,
             {.name = "val_samples",
              .help = "samples a validation, whose distance to what is held out, or else to what "
                      "is trained on, chooses best.h5; 0: none",
              .low = 0,
              .high = 100000})};
  }
};

// Of seeds 0, 1, 2, ..: the same latents each time. Empty: `stop` said so. Error for vectors that
// are not finite, as for pictures.
std::vector<ReportedTerm> assess(Loaded model, const AssessConfig& config,
                                 const SampleQuality& quality, const std::function<bool()>& stop) {
  std::vector<std::int32_t> seeds(std::size_t(config.val_samples), 0);
  std::iota(seeds.begin(), seeds.end(), 0);
  if (model.data_shape().real) {
    std::vector<float> vectors;
    auto give = [&](std::int64_t, std::span<const float> vector) {
      vectors.insert(vectors.end(), vector.begin(), vector.end());
    };
    if (!model.sample_values(seeds, give, {}, stop)) return {};
    if (!all_finite(vectors)) throw Error(model.name() + ": draws vectors that are not finite");
    return quality.judge(vectors);
  }
  std::vector<std::uint8_t> pictures;
  auto give = [&](std::int64_t, std::span<const std::uint8_t> picture) {
    pictures.insert(pictures.end(), picture.begin(), picture.end());
  };
  if (!model.sample(seeds, give, {}, stop)) return {};
  return quality.judge(pictures);
}

// Rows of a data set.
struct Rows {
  const Dataset& set;
  std::span<const std::int64_t> indices;
};

// What samples are compared with: what was held out, or else what is trained on.
Rows reference_of(const TrainSets& sets) {
  const TrainData& data = sets.data;
  Rows rows = data.validation_indices.empty() ? Rows{*data.train, data.train_indices}
                                              : Rows{*data.validation, data.validation_indices};
  if (rows.indices.size() < 2) {
    throw Error(rows.set.source + ": expected at least 2 to judge samples by, found " +
                std::to_string(rows.indices.size()) + "; --val-samples 0 judges none");
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> sources;
  ReadOptions reading;
  TrainConfig config;
  AdversaryConfig adversaries;
  AssessConfig assessment;
  reading.real = true;
  // As DCGAN has them: with the momentum and the rate that suit likelihoods networks fight in
  // circles.
  config.learning_rate = 2e-4;
  config.adam_beta1 = 0.5;
  config.lr_schedule = "constant";
  Model model = make_model("gan");

  Tool tool("gan-train", "Train a generative adversarial network on pictures or vectors.");
  declare_data_and_output(tool, sources, config, kUnused);
  tool.fields(model.fields, "Model");
  tool.fields(adversaries.fields(), "Training");
  tool.fields(assessment.fields(), "Training");
  declare_presets(tool, model);
  declare_training_and_reading(tool, config, reading, kUnused);

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    adversaries.check(model, config, tool);
    assessment.check(config);
    check_before_reading(tool, sources, reading, config);
    TrainSets sets;
    read_train_sets(sources, reading, config, sets);
    fit(model, shape_of(sets, config), tool, config);
    adversaries.warn(model, config, assessment.val_samples > 0);

    Task task = task_of(model, tool, "gan-train", sets.train);
    task.started = started;
    task.training = to_attributes(adversaries.fields());
    for (const auto& entry : to_attributes(assessment.fields())) task.training.push_back(entry);
    for (const Player& player : model.players())
      task.players.push_back(adversaries.player(player, config));
    if (!sets.train.real) task.sample_grid = seed_grid_of(model, config);
    std::optional<SampleQuality> quality;
    if (assessment.val_samples > 0) {
      Rows reference = reference_of(sets);
      task.assess = [&, reference](Store& store, const std::string& prefix,
                                   const std::function<bool()>& stop) {
        if (!quality) quality.emplace(reference.set, reference.indices);
        return assess(Loaded(model, store, prefix), assessment, *quality, stop);
      };
    }
    return run_task(task, config, sets);
  });
}
