// What the tests of loaded models share: a small model with random weights, random pictures.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "infer/training.h"

namespace atelier::testing {

inline const DataShape kShape{9, 7, 3, 0};

inline Model small_vae(bool variational = true) {
  using Text = std::string;
  return fitted("vae",
                {{"net", Text("conv")},
                 {"channels", Text("8,12")},
                 {"latent_dim", std::int64_t{4}},
                 {"variational", variational}},
                kShape);
}

// Random weights.
inline void initialise(Store& store, const Model& model) {
  Graph graph;
  Scope root(graph, store, Mode::train, noise_inputs(graph, 2));
  Expr image = graph.input("image", DType::f32, {2, kShape.height, kShape.width, kShape.channels});
  model.objective(root, {image, {}, {}});
}

inline Dataset random_dataset(std::int64_t size, const DataShape& shape, std::string_view stream) {
  Dataset data;
  data.source = "random";
  data.size = size;
  data.height = shape.height;
  data.width = shape.width;
  data.channels = shape.channels;
  auto bytes = std::make_shared<std::vector<std::byte>>(std::size_t(size * data.row_bytes()));
  RandomStream random(3, stream_of(stream));
  for (std::byte& b : *bytes) b = std::byte(random.below(256));
  data.pixels = *bytes;
  data.storage = bytes;
  return data;
}

inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace atelier::testing
