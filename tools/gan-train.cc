// gan-train: train generative adversarial networks.
#include <chrono>
#include <numeric>
#include <optional>

#include "adversaries.h"
#include "base/error.h"
#include "base/log.h"
#include "eval/sample_quality.h"
#include "infer/rows.h"
#include "train/signals.h"
#include "training_page.h"

using namespace atelier;

namespace {

// There is no likelihood, and samples are judged instead of held-out pictures.
const Names kUnused{"val_every", "val_batches", "val_importance_samples", "val_importance_images"};

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
                      "is trained on, chooses best.h5; 0: none, else at least 16",
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
  auto gan = std::make_shared<GanConfig>();
  Model model = make_gan(gan);

  Tool tool("gan-train", "Train a generative adversarial network on pictures or vectors.");
  declare_data_and_output(tool, sources, config, kUnused);
  tool.fields(model.fields, "Model");
  tool.fields(adversaries.fields(), "Training");
  tool.fields(assessment.fields(), "Training");
  tool.fields({bind(config.val_every,
                    {"val_every",
                     "judge samples every so many updates, or epochs as 2epochs; empty: each "
                     "epoch, or 200 updates where that is more"})},
              "Training");
  declare_presets(tool, model);
  declare_training_and_reading(tool, config, reading, kUnused);

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    adversaries.check(*gan, config, tool);
    assessment.check(config);
    check_before_reading(tool, sources, reading, config);
    TrainSets sets;
    read_train_sets(sources, reading, config, sets);
    fit(model, shape_of(sets, config), tool, config);
    adversaries.warn(*gan, config, assessment.val_samples > 0);

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
