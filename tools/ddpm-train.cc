// ddpm-train: train diffusion models.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "data/pixels.h"
#include "eval/baselines.h"
#include "eval/covariance_baselines.h"
#include "eval/remarks.h"
#include "infer/denoising.h"
#include "train/signals.h"
#include "training_page.h"

using namespace atelier;

namespace {

// Its likelihood is bounded, but not by a weight that importance sampling averages.
const Names kUnused{"val_importance_samples", "val_importance_images"};

// The eigenvectors of a covariance of 3072 numbers (32x32 in colour) take half a minute.
constexpr std::int64_t kMostWienerColumns = 3072, kMostWienerRows = 5000;
constexpr std::int64_t kMostScaleRows = 1000;
constexpr double kLeastScaled = 0.5;

// Mean square error of the best linear denoiser of the data, in units of the model's prediction:
// fitted to what is trained on and judged on what is held out, if that is something.
std::optional<double> wiener_mse(const Model& model, const TrainData& data, Binarize binarize) {
  const Dataset& train = *data.train;
  bool holds_out = data.validation && data.validation_indices.size() >= 2;
  auto fitted = evenly_spaced(data.train_indices, kMostWienerRows);
  auto judged = holds_out ? evenly_spaced(data.validation_indices, kMostWienerRows) : fitted;
  if (train.height * train.width * train.channels > kMostWienerColumns || fitted.size() < 2)
    return {};
  DiffusionSpec spec = model.diffusion();
  WienerFilter filter = wiener_filter(train, fitted, holds_out ? *data.validation : train, judged,
                                      spec.scale, binarize);
  return mean_errors(spec.schedule, [&](double a) { return filter.v_error(a); })
      .of(spec.args.prediction_type);
}

// The noise has as many directions as numbers: those beyond the width can be told of no layer.
void warn_of_narrow_mlp(const Model& model) {
  Attributes fields = to_attributes(model.fields);
  if (to_text(*find(fields, "net")) != "mlp") return;
  DataShape shape = model.data_shape();
  std::int64_t numbers = shape.height * shape.width * shape.channels;
  auto width = std::get<std::int64_t>(*find(fields, "embed_dim"));
  if (numbers <= width) return;
  logging::warning("--net mlp: noise of " + std::to_string(numbers) + " numbers goes through " +
                   std::to_string(width) + "; expected --embed-dim of at least as many");
}

// Of three digits or so.
std::string short_text(double value) {
  double unit = std::pow(10, std::floor(std::log10(std::max(value, 1e-30))) - 2);
  return to_text(std::round(value / unit) * unit);
}

// A factor that is no inverse of the deviation, such as the deviation itself: noise of deviation 1
// would then hide nothing, or all.
void warn_of_scale(const TrainData& data) {
  const Dataset& train = *data.train;
  if (!train.latents) return;
  auto some = evenly_spaced(data.train_indices, kMostScaleRows);
  std::vector<float> values(some.size() * std::size_t(train.height * train.width * train.channels));
  PixelReader(train).read(some, values);
  double sum = 0, squares = 0, count = double(values.size());
  for (float v : values) sum += v, squares += double(v) * v;
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
  Model model = make_model("ddpm");

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
    warn_of_narrow_mlp(model);
    warn_of_scale(sets.data);

    Task task = task_of(model, tool, "ddpm-train", sets.train);
    task.started = started;
    if (!sets.train.real) task.sample_grid = seed_grid_of(model, config);
    std::optional<double> wiener;
    if (!config.dry_run) wiener = wiener_mse(model, sets.data, parse_binarize(config.binarize));
    if (wiener) {
      task.baselines = {{"wiener_mse", "mean square", *wiener}};
      task.judge = [&](std::span<const ReportedTerm> terms) {
        auto mse = std::ranges::find(terms, "mse", &ReportedTerm::name);
        return Judgement{{}, judge_denoiser(mse->value, *wiener)};
      };
    }
    return run_task(task, config, sets);
  });
}
