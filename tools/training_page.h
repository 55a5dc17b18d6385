// What the pages of all trainers say alike: their options, and a model as the training loop's task.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/tool.h"
#include "infer/seed_grid.h"
#include "models/registry.h"
#include "train/checkpoints.h"
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
  auto inputs =
      paths_of(files_read(sources, reading), config.val_data, config.init, tool.config_path());
  refuse_overwriting(config.output, inputs);
  if (config.run_dir.empty()) refuse_overwriting(beside_output(config.output, "state"), inputs);
  refuse_overwriting(config.metrics, inputs, "--metrics");
  config.check_outputs();
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

}  // namespace atelier
