// Training loops on plans, as small as they can be: a model, rows of data, Adam.
#pragma once

#include <numeric>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "models/registry.h"
#include "nn/optimizers.h"
#include "nn/schedules.h"
#include "run/plan.h"

namespace atelier::testing {

inline Model fitted(const std::string& name, const Attributes& values, const DataShape& shape) {
  Model model = make_model(name);
  for (const auto& [wanted, value] : values) {
    for (const BoundField& field : model.fields) {
      if (field.name == wanted) field.set(value);
    }
  }
  model.fit(shape);
  return model;
}

inline std::vector<float> normal_rows(std::int64_t count, std::uint64_t seed) {
  RandomStream random(seed, stream_of("rows"));
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = float(random.normal());
  return values;
}

struct TrainingStep {
  Plan plan;
  std::int64_t rows;

  // `accumulate` 0: the whole step. 1: an earlier micro-batch; k > 1: the last of k.
  static TrainingStep make(Store& store, const Model& model, std::int64_t rows,
                           const OptimizerArgs& args = {}, int accumulate = 0,
                           bool keep_gradients = false) {
    Graph graph;
    Scope root(graph, store, Mode::train, noise_inputs(graph, rows));
    DataShape shape = model.data_shape();
    Expr image =
        graph.input("image", DType::f32, {rows, shape.height, shape.width, shape.channels});
    Objective objective = model.objective(root, {image, {}, optimizer_step(root)});
    std::vector<Expr> grads = gradient(objective.loss, root.params());
    graph.output("loss", objective.loss);
    if (keep_gradients) {
      std::vector<std::string> names = root.param_names();
      for (std::size_t i = 0; i < names.size(); ++i) graph.output("grad." + names[i], grads[i]);
    }
    if (accumulate == 1) {
      accumulate_gradients(root, grads);
    } else {
      if (accumulate > 1) grads = accumulated_mean(root, grads, accumulate);
      apply_optimizer(root, grads, graph.input("rate", DType::f32, {}), args);
    }
    return {Plan(graph, store), rows};
  }

  // The rows of `data` that `order` names; their noise is that of places `first_id` on.
  float run(std::span<const float> data, std::span<const std::int64_t> order, double rate,
            std::int64_t step, std::int32_t first_id = 0) {
    auto image = plan.input("image");
    std::size_t width = image.size() / std::size_t(rows);
    for (std::size_t i = 0; i < std::size_t(rows); ++i) {
      std::copy_n(data.begin() + std::ptrdiff_t(std::size_t(order[i]) * width), width,
                  image.begin() + std::ptrdiff_t(i * width));
    }
    if (plan.has_input("ids")) {
      auto ids = plan.input<std::int32_t>("ids");
      std::iota(ids.begin(), ids.end(), first_id);
      auto clock = plan.input<std::int32_t>("clock");
      clock[0] = 17;
      clock[1] = 0;
      clock[2] = std::int32_t(step);
    }
    if (plan.has_input("rate")) plan.input("rate")[0] = float(rate);
    plan.run();
    return plan.scalar("loss");
  }
};

// One thread while it lives: steps of microseconds gain nothing from a team, and lose much of it
// on a machine that is busy.
struct OneThread {
  OneThread() { set_threads(1); }
  ~OneThread() { set_threads(0); }
};

inline std::vector<std::int64_t> identity_order(std::int64_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return order;
}

inline void shuffle(std::vector<std::int64_t>& order, std::uint64_t seed, std::uint64_t epoch) {
  RandomStream random(seed, stream_of("shuffle"), epoch);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
}

}  // namespace atelier::testing
