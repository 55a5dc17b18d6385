// What the pages of all trainers say alike: their options, a model fitted to the data, and that
// model as the training loop's task.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/tool.h"
#include "infer/seed_grid.h"
#include "models/registry.h"
#include "reading_page.h"
#include "train/checkpoints.h"
#include "train/train_plans.h"
#include "train/train_sets.h"
#include "train/trainer.h"

namespace atelier {

inline void declare_data_and_output(Tool& tool, std::vector<std::string>& sources,
                                    TrainConfig& config, const Names& unused = {}) {
  tool.operands("DATA", sources, "pictures: HDF5 file, folder, tar, idx, or - for standard input",
                false);
  tool.fields(except(config.reporting_fields(), unused), "Output",
              {{"output", "-o"}, {"dry_run", "-n"}});
  tool.optional_value("--resume", config.resume, "auto", "FILE",
                      "go on where a checkpoint, or the newest of the run directory, ends",
                      "Output");
  tool.incidental("--resume");
}

inline void declare_presets(Tool& tool, const Model& model) {
  std::vector<std::pair<std::string, Attributes>> presets;
  for (const Preset& preset : model.presets) presets.emplace_back(preset.name, preset.values);
  tool.presets(presets);
}

inline void declare_training_and_reading(Tool& tool, TrainConfig& config, ReadOptions& reading,
                                         const Names& unused = {}) {
  tool.fields(except(config.training_fields(), unused), "Training", {{"batch_size", "-b"}});
  tool.fields(reading.fields(), "Reading");
  tool.config_file();
  tool.settle([&] { config.settle([&](std::string_view option) { return tool.source(option); }); });
}

// Refuses what cannot be meant before anything is read.
inline void check_before_reading(const Tool& tool, const std::vector<std::string>& sources,
                                 const ReadOptions& reading, TrainConfig& config) {
  if (sources.empty() && reading.synthetic.empty()) throw UsageError("DATA is missing");
  refuse_idle_drawing(tool, reading);
  auto inputs =
      paths_of(files_read(sources, reading), config.val_data, config.init, tool.config_path());
  require_one_stdin(paths_of(inputs, config.resume));
  refuse_overwriting(config.output, inputs);
  if (config.run_dir.empty()) refuse_overwriting(beside_output(config.output, "state"), inputs);
  refuse_overwriting(config.metrics, inputs, "--metrics");
  for (const std::string& source : sources) config.refuse_run_file("DATA", source);
  config.refuse_run_file("--val-data", config.val_data);
  config.check_outputs();
}

// What the data decide of a model.
inline DataShape shape_of(const TrainSets& sets, const TrainConfig& config) {
  return {.height = sets.train.height,
          .width = sets.train.width,
          .channels = sets.train.channels,
          .num_classes = sets.train.num_classes(),
          .binary = config.binarize != "none",
          .real = sets.train.real,
          .scaling_factor = sets.train.scaling_factor,
          .least_rows = least_rows(config, std::int64_t(sets.data.train_indices.size())),
          .source = sets.train.source};
}

// Fits the model; then refuses what was typed to no effect, as a file or a variable may serve
// several models, and micro-batches that would train for something else.
inline void fit(const Model& model, const DataShape& shape, const Tool& tool,
                const TrainConfig& config) {
  auto net = std::ranges::find(model.fields, "net", &BoundField::name);
  bool by_data = net != model.fields.end() && to_text(net->value()) == "auto";
  model.fit(shape);
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  for (const auto& [name, with] : model.idle ? model.idle() : Pairs{}) {
    for (const BoundField& field : model.fields) {
      if (field.name == name && tool.typed(field.flag()))
        throw UsageError(
            field.flag() + " has no effect with " + with +
            (by_data && with.starts_with("--net ") ? ", which the data's size chose" : ""));
    }
  }
  std::string whole = model.no_slices ? model.no_slices() : "";
  if (config.grad_accum_steps == 1 || whole.empty()) return;
  throw UsageError("--grad-accum-steps " + std::to_string(config.grad_accum_steps) + ": " + whole);
}

// Task::sample_grid of a model that draws pictures. Both must outlive it.
inline auto seed_grid_of(const Model& model, const TrainConfig& config) {
  return [&](Store& store, const std::string& prefix, const std::string& path,
             const std::function<bool()>& stop) {
    return draw_seed_grid(Loaded(model, store, prefix), config.sample_grid, path, stop);
  };
}

// The model's functions, its configuration and what was done to the pictures.
inline Task task_of(const Model& model, const Tool& tool, const std::string& program,
                    const Dataset& data) {
  Task task;
  task.program = program;
  task.config = {{"model", model.name}};
  for (const auto& entry : to_attributes(model.fields)) task.config.push_back(entry);
  task.preprocess = data.preprocess;
  if (data.latents) task.preprocess.emplace_back("vae", data.vae);  // what decodes the samples
  bool of_classes = model.classify || model.data_shape().num_classes > 0;
  if (of_classes) task.label_names = data.label_names;
  task.objective = model.objective;
  task.features = model.features;
  task.contrast = model.contrast;
  task.validation = model.validation;
  task.resolved_toml = tool.resolved_toml();
  return task;
}

// Trains, and says what is to be the exit status.
inline int run_task(const Task& task, const TrainConfig& config, const TrainSets& sets) {
  int status = train(task, config, sets.data);
  return status == kExitDone && sets.skipped() ? kExitSkipped : status;
}

}  // namespace atelier
