// Steps on one plan.
#include "infer/walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/log.h"
#include "base/parse.h"
#include "infer/classes.h"
#include "infer/rows.h"

namespace atelier {
namespace {

std::vector<std::int64_t> parse_timesteps(const std::string& text) {
  if (text.empty()) return {};
  return parse_counts(text, {"--timesteps", "999,666,333,0", 0});
}

void require_guidable(const Loaded& model, const DiffusionSpec& spec, const SampleArgs& args) {
  auto refuse = [&](const char* reason) {
    throw Error(
        fmt::format("{}: --guidance-scale {}: {}", model.name(), args.guidance_scale, reason));
  };
  if (!draws_classes(model)) refuse("this model knows no classes to guide to");
  if (!spec.knows_none)
    refuse("this model never saw pictures without their class (class_dropout_prob 0)");
  if (args.label == kNoClass)
    throw UsageError(
        fmt::format("--guidance-scale {}: there is no class to guide to", args.guidance_scale));
}

}  // namespace

Course course_of(const Loaded& model, const SampleArgs& args) {
  Course course{.spec = model.model().diffusion(), .visited = {}, .step = {}};
  const DiffusionSpec& spec = course.spec;
  class_of(model, args.label, 0);  // refuses what the model does not have
  if (args.guidance_scale != 1) require_guidable(model, spec, args);
  if (args.truncation != 1)
    throw UsageError(
        fmt::format("--truncation {}: pictures of this model have no one latent", args.truncation));
  bool clips = args.clip && spec.bounded;
  if (args.threshold_quantile > 0 && !clips) {
    throw UsageError(fmt::format(
        "--threshold-quantile {}: {}, so there is no range to scale into", args.threshold_quantile,
        spec.bounded ? "--no-clip-x0 clips nothing" : "what is no picture is never clipped"));
  }
  std::int64_t usual = std::min(kUsualSteps, spec.schedule.size());
  VisitArgs visit{.sample_steps = args.sample_steps < 0 ? usual : args.sample_steps,
                  .spacing = parse_timestep_spacing(args.timestep_spacing),
                  .timesteps = parse_timesteps(args.timesteps),
                  .prediction_type = spec.args.prediction_type,
                  .clipped = clips};
  course.visited = visited_schedule(spec.schedule, visit);
  if (visit.timesteps.empty() && starts_late(spec.schedule, visit)) {
    logging::info(fmt::format(
        "{}: samples begin at timestep {}, of {}: from beyond it errors in epsilon grow too much",
        model.name(), course.visited.timesteps.back(), spec.schedule.size()));
  }
  course.step = {.prediction_type = spec.args.prediction_type,
                 .variance_type = spec.args.variance_type,
                 .clip_x0 = clips ? 1.0 : 0.0,
                 .threshold_quantile = args.threshold_quantile,
                 .guided = args.guidance_scale != 1};
  return course;
}

Walk::Walk(const Loaded& model, std::int64_t rows, const Course& course,
           std::vector<SamplerStep> steps, Options options)
    : model_(model), rows_(rows), steps_(std::move(steps)) {
  DataShape data = model.data_shape();
  shape_ = {rows, data.height, data.width, data.channels};
  plan_.emplace(model.plan(rows, [&](const Scope& s) { return build(s, course, options); }));
  // Rows of classes overwrite it; those that guidance adds keep it.
  if (plan_->has_input("label"))
    std::ranges::fill(plan_->input<std::int32_t>("label"), std::int32_t(data.num_classes));
}

Expr Walk::build(const Scope& scope, const Course& course, Options options) const {
  Graph& graph = scope.graph();
  std::int64_t passes = course.step.guided ? 2 : 1;
  Expr label = draws_classes(model_) ? graph.input("label", DType::i32, {passes * rows_}) : Expr{};
  Denoiser network = [&](Expr noised, Expr timestep) {
    return model_.model().denoise(scope, noised, timestep, {.label = label});
  };
  SamplerState state{graph.input("x", DType::f32, shape_)};
  if (needs_memo(steps_)) state.memo = graph.input("memo", DType::f32, shape_);
  Expr noise = needs_noise(steps_) ? scope.normal("step", shape_) : Expr{};
  KnownPixels known;
  if (options.keeps) {
    known.mask = graph.input("known_mask", DType::f32, shape_.with(-1, 1));
    known.x0 = graph.input("known", DType::f32, shape_);
    known.noise = needs_noise(steps_) ? scope.normal("known", shape_)
                                      : graph.input("known_noise", DType::f32, shape_);
  }
  Expr coefficients = graph.input("coefficients", DType::f32, {kStepCoefficients});
  SamplerState next = sampler_step(course.step, network, coefficients, state, noise, known);
  if (next.memo) graph.output("memo", next.memo);
  if (options.watches) graph.output("x0", next.x0);
  return next.x;
}

void Walk::set_class(std::int64_t row, std::int32_t label) {
  if (plan_->has_input("label")) plan_->input<std::int32_t>("label")[std::size_t(row)] = label;
}

bool Walk::run(std::span<const std::int32_t> ids, const Events& events, std::int64_t repeats) {
  Plan& plan = *plan_;
  bool memo = plan.has_input("memo");
  if (memo) std::ranges::fill(plan.input("memo"), 0.0f);
  if (plan.has_input("known_noise")) std::ranges::copy(x(), plan.input("known_noise").begin());
  std::int32_t draw = 0;
  for (std::size_t k = 0; k < steps_.size(); ++k) {
    for (std::int64_t left = repeats; left > 0; --left, ++draw) {
      if (events.stop && events.stop()) return false;
      write_noise(plan, ids);
      if (plan.has_input("clock")) plan.input<std::int32_t>("clock")[2] = draw;
      std::ranges::copy(step_coefficients(steps_[k]), plan.input("coefficients").begin());
      plan.run();
      if (left == 1 && events.evaluated) events.evaluated(k);
      std::ranges::copy(plan.output("y"), x().begin());
      if (memo) std::ranges::copy(plan.output("memo"), plan.input("memo").begin());
      if (left > 1) noise_again(steps_[k], events.noise(draw + 1));
    }
  }
  return true;
}

// From where a step ended back to the level that it began at.
void Walk::noise_again(const SamplerStep& step, std::span<const float> noise) {
  double kept = step.signal / step.next_signal, left = kept * step.next_sigma;
  double added = std::sqrt(std::max(step.sigma * step.sigma - left * left, 0.0));
  std::span<float> values = x();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = float(kept * double(values[i]) + added * double(noise[i]));
}

std::span<float> Walk::row_of(const char* input, std::int64_t row) {
  std::span<float> all = plan_->input(input);
  std::size_t size = all.size() / std::size_t(rows_);
  return all.subspan(std::size_t(row) * size, size);
}

}  // namespace atelier
