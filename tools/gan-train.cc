// gan-train: train generative adversarial networks.
#include <chrono>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "eval/sample_quality.h"
#include "train/signals.h"
#include "train/train_plans.h"
#include "training_page.h"

using namespace atelier;

namespace {

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

  // UsageError for what cannot be meant.
  void check(const Model& model, const TrainConfig& config) const {
    if (discriminator_learning_rate > 0 && !(config.learning_rate > 0))
      throw UsageError("--discriminator-learning-rate: --learning-rate 0 has no schedule to share");
    Attributes fields = to_attributes(model.fields);
    const std::string& own =
        discriminator_optimizer == "auto" ? optimizer : discriminator_optimizer;
    bool clips = std::get<double>(*find(fields, "weight_clip")) > 0;
    if (clips && own == "adam" && config.adam_beta1 > 0)
      throw UsageError(
          "--weight-clip: momentum drives weights into the bound and keeps them there (Arjovsky et "
          "al. "
          "2017); expected --discriminator-optimizer rmsprop or --adam-beta1 0");
    if (std::get<std::int64_t>(*find(fields, "unroll_steps")) > 0 &&
        to_text(*find(fields, "loss")) == "non-saturating")
      logging::warning(
          "--unroll-steps: with --loss non-saturating looking ahead has done harm; the paper has "
          "minimax");
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

  // Figures of few samples choose by chance.
  void check() const {
    if (val_samples == 0 || val_samples >= 16) return;
    throw UsageError("--val-samples " + std::to_string(val_samples) +
                     ": expected 0 or at least 16");
  }
  Fields fields() {
    return {bind(val_samples,
                 {.name = "val_samples",
                  .help = "samples a validation, whose distance to the pictures trained on chooses "
                          "best.h5; 0: none",
                  .low = 0,
                  .high = 100000})};
  }
};

// Of seeds 0, 1, 2, ..: the same latents each time. Empty: `stop` said so.
std::vector<ReportedTerm> assess(Loaded model, const AssessConfig& config,
                                 const SampleQuality& quality, const std::function<bool()>& stop) {
  std::vector<std::int32_t> seeds(std::size_t(config.val_samples), 0);
  std::iota(seeds.begin(), seeds.end(), 0);
  std::vector<std::uint8_t> pictures;
  auto give = [&](std::int64_t, std::span<const std::uint8_t> picture) {
    pictures.insert(pictures.end(), picture.begin(), picture.end());
  };
  if (!model.sample(seeds, give, {}, stop)) return {};
  return quality.judge(pictures);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> sources;
  ReadOptions reading;
  TrainConfig config;
  AdversaryConfig adversaries;
  AssessConfig assessment;
  reading.real = true;
  Model model = make_model("gan");

  Tool tool("gan-train", "Train a generative adversarial network on pictures or vectors.");
  declare_data_and_output(tool, sources, config);
  tool.fields(model.fields, "Model");
  tool.fields(adversaries.fields(), "Training");
  tool.fields(assessment.fields(), "Training");
  std::vector<std::pair<std::string, Attributes>> presets;
  for (const Preset& preset : model.presets) presets.emplace_back(preset.name, preset.values);
  tool.presets(presets);
  declare_training_and_reading(tool, config, reading);

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    adversaries.check(model, config);
    assessment.check();
    check_before_reading(tool, sources, reading, config);
    TrainSets sets;
    read_train_sets(sources, reading, config, sets);
    model.fit({.height = sets.train.height,
               .width = sets.train.width,
               .channels = sets.train.channels,
               .num_classes = sets.train.num_classes(),
               .real = sets.train.real,
               .least_rows = least_rows(config, std::int64_t(sets.data.train_indices.size())),
               .source = sets.train.source});

    Task task = task_of(model, tool, "gan-train", sets.train);
    task.started = started;
    task.training = to_attributes(adversaries.fields());
    for (const auto& entry : to_attributes(assessment.fields())) task.training.push_back(entry);
    for (const Player& player : model.players())
      task.players.push_back(adversaries.player(player, config));
    if (!sets.train.real)
      task.sample_grid = [&](Store& store, const std::string& prefix, const std::string& path,
                             const std::function<bool()>& stop) {
        return draw_seed_grid(Loaded(model, store, prefix), config.sample_grid, path, stop);
      };
    std::optional<SampleQuality> quality;
    if (assessment.val_samples > 0 && !sets.train.real) {
      task.assess = [&](Store& store, const std::string& prefix,
                        const std::function<bool()>& stop) {
        if (!quality) quality.emplace(*sets.data.train, sets.data.train_indices);
        return assess(Loaded(model, store, prefix), assessment, *quality, stop);
      };
    }
    int status = train(task, config, sets.data);
    return status == kExitDone && sets.skipped() ? kExitSkipped : status;
  });
}
