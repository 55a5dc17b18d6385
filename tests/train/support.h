// A small task of the trainer: a normalised linear map of tiny pictures, on data made in memory.
#pragma once

#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "nn/layers.h"
#include "train/trainer.h"

namespace atelier::testing {

// f32 pictures of 2x2x1; picture i holds i + 1 everywhere.
struct SmallSet {
  std::vector<float> values;
  Dataset set;

  explicit SmallSet(std::int64_t count) {
    set.source = "small";
    set.size = count;
    set.height = set.width = 2;
    set.channels = 1;
    set.dtype = DType::f32;
    for (std::int64_t i = 0; i < 4 * count; ++i) values.push_back(float(i / 4 + 1));
    set.pixels = std::as_bytes(std::span(values));
  }
};

inline std::vector<std::int64_t> first(std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

// The loss takes logarithms: a picture with a negative number makes it NaN.
inline Objective small_objective(const Scope& scope, const Batch& batch) {
  std::int64_t rows = batch.image.shape()[0];
  Expr x = log(reshape(batch.image, {rows, 4}));
  Expr y = batch_norm(scope / "norm", linear(scope / "map", x, 3));
  Objective objective{reshape(mean(square(y - 1.0)), {}), "squares", {}};
  objective.terms.push_back({"brightness", "of pixels", mean(batch.image)});
  return objective;
}

inline Task small_task() {
  Task task;
  task.program = "small-train";
  task.config = {{"model", std::string("small")}};
  task.objective = small_objective;
  return task;
}

inline TrainConfig small_config() {
  TrainConfig config;
  config.steps = 10;
  config.epochs = -1;
  config.batch_size = 8;
  config.run_dir = "run";
  return config;
}

}  // namespace atelier::testing
