// ddpm-train: train diffusion models.
#include <chrono>

#include "base/error.h"
#include "train/signals.h"
#include "train/train_plans.h"
#include "training_page.h"

using namespace atelier;

int main(int argc, char** argv) {
  std::vector<std::string> sources;
  ReadOptions reading;
  TrainConfig config;
  reading.real = true;
  Model model = make_model("ddpm");

  Tool tool("ddpm-train", "Train a diffusion model on pictures, vectors or latents.");
  declare_data_and_output(tool, sources, config);
  tool.fields(model.fields, "Model");
  std::vector<std::pair<std::string, Attributes>> presets;
  for (const Preset& preset : model.presets) presets.emplace_back(preset.name, preset.values);
  tool.presets(presets);
  declare_training_and_reading(tool, config, reading);

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    check_before_reading(tool, sources, reading, config);
    TrainSets sets;
    read_train_sets(sources, reading, config, sets);
    model.fit({.height = sets.train.height,
               .width = sets.train.width,
               .channels = sets.train.channels,
               .num_classes = sets.train.num_classes(),
               .real = sets.train.real,
               .scaling_factor = sets.train.scaling_factor,
               .least_rows = least_rows(config, std::int64_t(sets.data.train_indices.size())),
               .source = sets.train.source});

    Task task = task_of(model, tool, "ddpm-train", sets.train);
    task.started = started;
    if (!sets.train.real)
      task.sample_grid = [&](Store& store, const std::string& prefix, const std::string& path,
                             const std::function<bool()>& stop) {
        return draw_seed_grid(Loaded(model, store, prefix), config.sample_grid, path, stop);
      };
    int status = train(task, config, sets.data);
    return status == kExitDone && sets.skipped() ? kExitSkipped : status;
  });
}
