// ddpm-train: train diffusion models.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>

#include "base/error.h"
#include "base/log.h"
#include "data/pixels.h"
#include "diffusion/samplers.h"
#include "eval/baselines.h"
#include "eval/covariance_baselines.h"
#include "eval/remarks.h"
#include "infer/denoising.h"
#include "infer/sample_args.h"
#include "models/ddpm.h"
#include "train/signals.h"
#include "training_page.h"

using namespace atelier;

namespace {

// Its likelihood is bounded, but not by a weight that importance sampling averages.
const Names kUnused{"val_importance_samples", "val_importance_images"};

// The eigenvectors of a covariance of 3072 numbers (32x32 in colour) take half a minute.
constexpr std::int64_t kMostWienerColumns = 3072, kMostWienerRows = 5000;
constexpr std::int64_t kMostScaleRows = 1000;
constexpr double kLeastScaled = 0.5, kLeastRoot = 0.2;

// Mean square errors of the best linear denoiser of the data, in units of the model's prediction:
// over all timesteps, and over each quarter of them. Fitted to what is trained on and judged on
// what is held out; if nothing is, fitted to every other row and judged on the rest, as on its own
// rows the filter is too good where they are few. None, which is noted, where a covariance cannot
// be or would take too long.
std::vector<ReportedTerm> wiener_errors(const DdpmConfig& ddpm, const TrainData& data,
                                        Binarize binarize) {
  const Dataset& train = *data.train;
  bool holds_out = data.validation && data.validation_indices.size() >= 2;
  std::vector<std::int64_t> fitted, judged;
  if (holds_out) {
    fitted = evenly_spaced(data.train_indices, kMostWienerRows);
    judged = evenly_spaced(data.validation_indices, kMostWienerRows);
  } else {
    auto both = evenly_spaced(data.train_indices, 2 * kMostWienerRows);
    for (std::size_t i = 0; i + 1 < both.size(); i += 2) {
      fitted.push_back(both[i]);
      judged.push_back(both[i + 1]);
    }
  }
  std::string reason = no_covariance(
      std::int64_t(fitted.size()), train.height * train.width * train.channels, kMostWienerColumns);
  if (!reason.empty()) {
    logging::note("no linear denoiser to compare with: " + reason);
    return {};
  }
  DiffusionSpec spec = ddpm.spec();
  WienerFilter filter = wiener_filter(train, fitted, holds_out ? *data.validation : train, judged,
                                      spec.scale, binarize);
  std::int64_t count = spec.schedule.size();
  auto between = [&](std::int64_t first, std::int64_t last) {
    auto errors = mean_errors(
        spec.schedule, [&](double a) { return filter.v_error(a); }, first, last);
    return errors.of(spec.args.prediction_type);
  };
  std::vector<ReportedTerm> terms{{"wiener_mse", "mean square", between(0, count)}};
  for (int quarter = 0; quarter < kTimestepQuarters; ++quarter) {
    std::int64_t first = quarter_edge(count, quarter), last = quarter_edge(count, quarter + 1);
    if (first < last)
      terms.push_back(
          {"wiener_mse_q" + std::to_string(quarter + 1), "mean square", between(first, last)});
  }
  return terms;
}

void warn(const DdpmConfig& ddpm) {
  // The noise has as many directions as numbers: those beyond the width can be told of no layer.
  std::int64_t numbers = ddpm.image_height * ddpm.image_width * ddpm.in_channels;
  std::int64_t width = ddpm.dit.embed_dim;
  if (ddpm.net == "mlp" && numbers > width)
    logging::warning("--net mlp: noise of " + std::to_string(numbers) + " numbers goes through " +
                     std::to_string(width) + "; expected --embed-dim of at least as many");
  // Almost nothing is left there of the data, and samples of numbers without bounds are not
  // clipped.
  DiffusionSpec spec = ddpm.spec();
  if (starts_late(spec.schedule, {.sample_steps = std::min(kUsualSteps, spec.schedule.size()),
                                  .prediction_type = spec.args.prediction_type,
                                  .clipped = spec.bounded}))
    logging::warning("--prediction-type epsilon: from the last timesteps of --beta-schedule " +
                     ddpm.beta_schedule +
                     " errors grow too much for samples to begin there; expected v");
}

// Of three digits.
std::string short_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

// Vectors in units of their own, or a factor that is no inverse of the deviation of latents, such
// as the deviation itself: noise of deviation 1 would then hide nothing, or all.
void warn_of_scale(const TrainData& data) {
  const Dataset& train = *data.train;
  if (!train.real) return;
  auto some = evenly_spaced(data.train_indices, kMostScaleRows);
  std::vector<float> values(some.size() * std::size_t(train.height * train.width * train.channels));
  PixelReader(train).read(some, values);
  double sum = 0, squares = 0, count = double(values.size());
  for (float v : values) sum += v, squares += double(v) * v;
  if (!train.latents) {
    double root = std::sqrt(squares / count);
    if (root >= kLeastRoot && root <= 1 / kLeastRoot) return;
    logging::warning(train.source + ": the root mean square of the vectors is " + short_text(root) +
                     "; expected about 1, which the noise has: scale and centre them");
    return;
  }
  double deviation = std::sqrt(std::max(squares / count - (sum / count) * (sum / count), 0.0));
  double scaled = deviation * train.scaling_factor;
  if (scaled >= kLeastScaled && scaled <= 1 / kLeastScaled) return;
  logging::warning(train.source + ": scaling_factor " + to_text(train.scaling_factor) +
                   " makes the deviation of the latents " + short_text(scaled) +
                   "; expected about 1, as the inverse of their own, " + short_text(deviation) +
                   ", does");
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> sources;
  ReadOptions reading;
  TrainConfig config;
  reading.real = true;
  auto ddpm = std::make_shared<DdpmConfig>();
  Model model = make_ddpm(ddpm);

  Tool tool("ddpm-train", "Train a diffusion model on pictures, vectors or latents.");
  declare_data_and_output(tool, sources, config, kUnused);
  tool.fields(model.fields, "Model");
  declare_presets(tool, model);
  declare_training_and_reading(tool, config, reading, kUnused);

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    check_before_reading(tool, sources, reading, config);
    TrainSets sets;
    read_train_sets(sources, reading, config, sets);
    fit(model, shape_of(sets, config), tool, config);
    if (model.data_shape().num_classes > 0) require_labels(sets, "--class-conditional");
    warn(*ddpm);
    warn_of_scale(sets.data);

    Task task = task_of(model, tool, "ddpm-train", sets.train);
    task.started = started;
    if (!sets.train.real) task.sample_grid = seed_grid_of(model, config);
    if (!config.dry_run)
      task.baselines = wiener_errors(*ddpm, sets.data, parse_binarize(config.binarize));
    if (!task.baselines.empty()) {
      task.judge = [wiener = task.baselines[0].value](std::span<const ReportedTerm> terms) {
        auto mse = std::ranges::find(terms, "mse", &ReportedTerm::name);
        return Judgement{{}, judge_denoiser(mse->value, wiener)};
      };
    }
    return run_task(task, config, sets);
  });
}
