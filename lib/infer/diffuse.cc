// From noise to pictures, step by step.
#include "infer/diffuse.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "diffusion/sampler_step.h"
#include "infer/rows.h"

namespace atelier {
namespace {

class Diffusion {
 public:
  Diffusion(const Loaded& model, std::int64_t rows, const SampleArgs& args)
      : model_(model), rows_(rows), args_(args), spec_(model.model().diffusion()) {
    DataShape data = model.data_shape();
    shape_ = {rows, data.height, data.width, data.channels};
    classes_ = data.num_classes;
    guided_ = args.guidance_scale != 1;
    if (guided_ && classes_ == 0) {
      throw Error(fmt::format("{}: --guidance-scale {}: this model knows no classes to guide to",
                              model.name(), args.guidance_scale));
    }
    if (guided_ && !spec_.knows_none) {
      throw Error(
          fmt::format("{}: --guidance-scale {}: this model never saw pictures without their "
                      "class (class_dropout_prob 0)",
                      model.name(), args.guidance_scale));
    }
    if (args.truncation != 1)
      throw UsageError(fmt::format("--truncation {}: pictures of this model have no one latent",
                                   args.truncation));
    bool clips = args.clip && spec_.bounded;
    NoiseSchedule visited =
        visited_schedule(spec_.schedule, {.sample_steps = args.sample_steps,
                                          .spacing = parse_timestep_spacing(args.timestep_spacing),
                                          .timesteps = args.timesteps,
                                          .prediction_type = spec_.args.prediction_type,
                                          .clipped = clips || args.threshold_quantile > 0});
    steps_ = sampler_steps(visited, {.sampler = parse_sampler(args.sampler),
                                     .variance_type = spec_.args.variance_type,
                                     .eta = args.eta,
                                     .guidance_scale = args.guidance_scale});
    step_args_ = {.prediction_type = spec_.args.prediction_type,
                  .variance_type = spec_.args.variance_type,
                  .clip_x0 = clips ? 1.0 : 0.0,
                  .threshold_quantile = args.threshold_quantile,
                  .guided = guided_};
    start_.emplace(model.plan(rows, [&](const Scope& s) { return s.normal("start", shape_); }));
    step_.emplace(model.plan(rows, [&](const Scope& s) { return build(s); }));
  }

  // x of the rows' seeds; valid until the next call, empty if `stop` said so. Nothing is allocated
  // between steps.
  std::span<const float> run(std::span<const std::int32_t> seeds,
                             const std::function<bool()>& stop) {
    write_noise(*start_, seeds);
    start_->run();
    std::span<float> x = step_->input("x");
    std::ranges::copy(start_->output("y"), x.begin());
    bool memo = step_->has_input("memo");
    if (memo) std::ranges::fill(step_->input("memo"), 0.0f);
    if (step_->has_input("label")) fill_labels(seeds);
    for (std::size_t k = 0; k < steps_.size(); ++k) {
      if (stop && stop()) return {};
      write_noise(*step_, seeds);
      if (step_->has_input("clock")) step_->input<std::int32_t>("clock")[2] = std::int32_t(k);
      std::ranges::copy(step_coefficients(steps_[k]), step_->input("coefficients").begin());
      step_->run();
      std::ranges::copy(step_->output("y"), step_->input("x").begin());
      if (memo) std::ranges::copy(step_->output("memo"), step_->input("memo").begin());
    }
    return step_->output("y");
  }

 private:
  Expr build(const Scope& scope) {
    Graph& graph = scope.graph();
    std::int64_t passes = guided_ ? 2 : 1;
    Expr label = classes_ > 0 ? graph.input("label", DType::i32, {passes * rows_}) : Expr{};
    Denoiser network = [&](Expr noised, Expr timestep) {
      return model_.model().denoise(scope, noised, timestep, {.label = label});
    };
    SamplerState state{graph.input("x", DType::f32, shape_)};
    if (needs_memo(steps_)) state.memo = graph.input("memo", DType::f32, shape_);
    Expr noise = needs_noise(steps_) ? scope.normal("step", shape_) : Expr{};
    Expr coefficients = graph.input("coefficients", DType::f32, {kStepCoefficients});
    SamplerState next = sampler_step(step_args_, network, coefficients, state, noise);
    if (next.memo) graph.output("memo", next.memo);
    return next.x;
  }

  // The classes, then as many times none.
  void fill_labels(std::span<const std::int32_t> seeds) {
    auto labels = step_->input<std::int32_t>("label");
    std::ranges::fill(labels, std::int32_t(classes_));
    for (std::size_t i = 0; i < seeds.size(); ++i)
      labels[i] = class_of(model_, args_.label, seeds[i]);
  }

  const Loaded& model_;
  std::int64_t rows_;
  const SampleArgs& args_;
  DiffusionSpec spec_;
  Shape shape_;
  std::int64_t classes_ = 0;
  bool guided_ = false;
  std::vector<SamplerStep> steps_;
  StepArgs step_args_;
  std::optional<Plan> start_, step_;
};

}  // namespace

bool diffuse(const Loaded& model, std::span<const std::int32_t> seeds,
             const std::function<void(std::int64_t index, std::span<const float>)>& give,
             const SampleArgs& args, const std::function<bool()>& stop) {
  std::int64_t rows = std::min<std::int64_t>(args.batch_size, std::int64_t(seeds.size()));
  if (rows < 1) return true;
  class_of(model, args.label, 0);  // refuses what the model does not have
  Diffusion diffusion(model, rows, args);
  DiffusionSpec spec = model.model().diffusion();
  std::vector<float> picture;
  for (std::size_t first = 0; first < seeds.size(); first += std::size_t(rows)) {
    std::size_t count = std::min(std::size_t(rows), seeds.size() - first);
    std::vector<std::int32_t> ids(std::size_t(rows), seeds[first]);
    std::copy_n(seeds.begin() + std::ptrdiff_t(first), count, ids.begin());
    std::span<const float> y = diffusion.run(ids, stop);
    if (y.empty()) return false;
    std::size_t row = y.size() / std::size_t(rows);
    for (std::size_t i = 0; i < count; ++i) {
      auto values = y.subspan(i * row, row);
      picture.assign(values.begin(), values.end());
      for (float& v : picture) v = float((double(v) - spec.offset) / spec.scale);
      if (spec.bounded)
        for (float& v : picture) v = std::clamp(v, 0.0f, 1.0f);
      give(std::int64_t(first + i), picture);
    }
  }
  return true;
}

}  // namespace atelier
