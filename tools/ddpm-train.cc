// ddpm-train: train diffusion models.
#include <chrono>

#include "train/signals.h"
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
  declare_presets(tool, model);
  declare_training_and_reading(tool, config, reading);

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    check_before_reading(tool, sources, reading, config);
    TrainSets sets;
    read_train_sets(sources, reading, config, sets);
    fit(model, shape_of(sets, config), tool, config);

    Task task = task_of(model, tool, "ddpm-train", sets.train);
    task.started = started;
    if (!sets.train.real) task.sample_grid = seed_grid_of(model, config);
    return run_task(task, config, sets);
  });
}
