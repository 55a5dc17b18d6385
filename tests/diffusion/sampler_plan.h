// Samplers in plans.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "diffusion/known_networks.h"
#include "diffusion/sampler_step.h"
#include "run/plan.h"

namespace atelier::testing {

// A sampler as tools run it: one plan, x and memo in a store, one run a step.
class SamplerPlan {
 public:
  // What the network is made of; every named tensor of `tables` is a slot of the graph.
  struct Table {
    std::string name;
    Shape shape;
    std::vector<double> values;
  };
  using Network = std::function<Denoiser(Graph&, std::span<const Expr> tables)>;

  SamplerPlan(Shape shape, const StepArgs& args, std::span<const SamplerStep> steps,
              std::span<const Table> tables, const Network& network) {
    Graph graph;
    std::vector<Expr> slots;
    for (const Table& t : tables) slots.push_back(slot(graph, t.name, t.shape, t.values));
    SamplerState state{.x = slot(graph, "x", shape)};
    if (needs_memo(steps)) state.memo = slot(graph, "memo", shape);
    Expr noise;
    if (needs_noise(steps)) {
      Expr ids = graph.slot("ids", {DType::i32, {shape[0]}});
      store_->create("ids", ids.type());
      name_rows(0);
      noise = normal(ids, graph.input("clock", DType::i32, {3}), shape, stream_of("noise"));
    }
    Expr coefficients = graph.input("step", DType::f32, {kStepCoefficients});
    SamplerState after = sampler_step(args, network(graph, slots), coefficients, state, noise);
    graph.update(state.x, after.x);
    if (state.memo) graph.update(state.memo, after.memo);
    plan_ = std::make_unique<Plan>(graph, *store_);
  }

  // Ids of the rows: first, first + 1, ..
  void name_rows(std::int32_t first) {
    auto ids = store_->values<std::int32_t>("ids");
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = first + std::int32_t(i);
  }

  // From x through the steps, the first of which draws the noise of number `first`.
  std::vector<float> walk(std::span<const float> x, std::span<const SamplerStep> steps,
                          std::size_t first = 0) {
    auto start = store_->values("x");
    std::copy(x.begin(), x.end(), start.begin());
    if (store_->has("memo")) std::ranges::fill(store_->values("memo"), 0.0f);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      std::ranges::copy(step_coefficients(steps[i]), plan_->input("step").begin());
      if (plan_->has_input("clock")) {
        auto clock = plan_->input<std::int32_t>("clock");
        clock[0] = 7, clock[1] = 0, clock[2] = std::int32_t(first + i);
      }
      plan_->run();
    }
    const Store& store = *store_;
    auto end = store.values("x");
    return {end.begin(), end.end()};
  }

 private:
  Expr slot(Graph& graph, const std::string& name, Shape shape,
            const std::vector<double>& values = {}) {
    store_->create(name, {DType::f32, shape});
    auto stored = store_->values(name);
    for (std::size_t i = 0; i < values.size(); ++i) stored[i] = float(values[i]);
    return graph.slot(name, {DType::f32, shape});
  }

  std::unique_ptr<Store> store_ = std::make_unique<Store>();
  std::unique_ptr<Plan> plan_;
};

// A sampler plan on the exact noise of a mixture, at the levels of the training schedule.
inline SamplerPlan mixture_plan(const NoiseSchedule& schedule, std::int64_t rows,
                                const std::vector<double>& means, std::int64_t dimensions,
                                double variance, std::span<const SamplerStep> steps,
                                StepArgs args = {.clip_x0 = 0}) {
  std::int64_t modes = std::int64_t(means.size()) / dimensions;
  SamplerPlan::Table tables[] = {{"levels", {schedule.size(), 2}, levels_of(schedule)},
                                 {"means", {modes, dimensions}, means}};
  return SamplerPlan(
      {rows, dimensions}, args, steps, tables,
      [variance](Graph&, std::span<const Expr> t) { return mixture_noise(t[0], t[1], variance); });
}

}  // namespace atelier::testing
