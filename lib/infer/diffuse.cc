// From noise to pictures, step by step, and back.
#include "infer/diffuse.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "data/pixels.h"
#include "infer/classes.h"
#include "infer/rows.h"
#include "infer/walk.h"

namespace atelier {

void require_diffusion(const Loaded& model) {
  if (model.model().denoise) return;
  throw Error(
      fmt::format("{}: this is no diffusion model, whose pictures begin as noise", model.name()));
}

namespace {

std::int64_t picture_size(const Loaded& model) {
  DataShape data = model.data_shape();
  return data.height * data.width * data.channels;
}

Plan noise_plan(const Loaded& model, std::int64_t rows) {
  DataShape data = model.data_shape();
  return model.plan(rows, [&](const Scope& scope) {
    return scope.normal("start", {rows, data.height, data.width, data.channels});
  });
}

void to_noised_units(const DiffusionSpec& spec, std::span<float> values) {
  for (float& v : values) v = float(spec.scale * double(v) + spec.offset);
}

void to_data_units(const DiffusionSpec& spec, std::span<float> values) {
  for (float& v : values) v = float((double(v) - spec.offset) / spec.scale);
  if (!spec.bounded) return;
  for (float& v : values) v = std::clamp(v, 0.0f, 1.0f);
}

// Pictures of the ways of a batch: of `count` evenly spaced states of `steps` steps, the last being
// the end. Without a trajectory that is all there is.
class Snapshots {
 public:
  Snapshots(const SampleArgs& args, std::size_t steps, std::size_t rows, std::size_t row)
      : count_(std::size_t(std::max<std::int64_t>(args.trajectory, 1))), steps_(steps), row_(row) {
    if (args.trajectory == 1 || count_ > steps + 1)
      throw UsageError(fmt::format("--trajectory {}: expected 2 to {} pictures of {} steps",
                                   args.trajectory, steps + 1, steps));
    values_.resize(rows * count_ * row);
  }
  // Takes the state after so many steps, if it is one of those shown.
  void take(std::size_t state, std::span<const float> x) {
    for (std::size_t k = 0; k < count_; ++k) {
      if (state_of(k) != state) continue;
      for (std::size_t at = 0; at < x.size(); at += row_)
        std::ranges::copy(x.subspan(at, row_),
                          values_.begin() + std::ptrdiff_t(at * count_ + k * row_));
    }
  }
  std::span<float> of_row(std::size_t row) {
    return std::span(values_).subspan(row * count_ * row_, count_ * row_);
  }

 private:
  std::size_t state_of(std::size_t k) const {
    return count_ == 1 ? steps_ : (2 * k * steps_ + count_ - 1) / (2 * (count_ - 1));
  }
  std::size_t count_, steps_, row_;
  std::vector<float> values_;
};

std::vector<SamplerStep> steps_of(const Course& course, const SampleArgs& args,
                                  const DiffuseOptions& options) {
  std::vector<SamplerStep> steps =
      sampler_steps(course.visited, {.sampler = parse_sampler(args.sampler),
                                     .variance_type = course.spec.args.variance_type,
                                     .eta = args.eta,
                                     .temperature = args.temperature,
                                     .guidance_scale = args.guidance_scale});
  if (options.repeats == 1 || !needs_memo(steps)) return steps;
  throw UsageError(fmt::format(
      "--sampler {}: its steps build on each other and cannot be repeated; expected ddpm or ddim",
      args.sampler));
}

// A batch of rows on its way, over and over again.
class Sampling {
 public:
  Sampling(const Loaded& model, std::int64_t rows, const SampleArgs& args,
           const DiffuseOptions& options, const std::function<bool()>& stop)
      : model_(model),
        args_(args),
        options_(options),
        stop_(stop),
        course_(course_of(model, args)),
        steps_(steps_of(course_, args, options)),
        watches_(args.trajectory > 0 && args.trajectory_of == "x0"),
        snapshots_(args, steps_.size(), std::size_t(rows), std::size_t(picture_size(model))),
        walk_(model, rows, course_, steps_, {bool(options.known), watches_}) {
    if (!options.start || options.repeats > 1) noise_.emplace(noise_plan(model, rows));
  }

  // Rows of these places, whose seeds are `ids`; false: it was stopped.
  bool run(std::span<const std::int64_t> places, std::span<const std::int32_t> ids) {
    auto noise = [&](std::int32_t draw) -> std::span<const float> {
      write_noise(*noise_, ids);
      noise_->input<std::int32_t>("clock")[2] = draw;
      noise_->run();
      return noise_->output("y");
    };
    auto evaluated = [&](std::size_t step) {
      snapshots_.take(step, watches_ ? walk_.x0() : walk_.x());
    };
    if (!options_.start) std::ranges::copy(noise(0), walk_.x().begin());
    for (std::size_t i = 0; i < places.size(); ++i) begin(std::int64_t(i), places[i], ids[i]);
    if (!walk_.run(ids, {stop_, evaluated, noise}, options_.repeats)) return false;
    snapshots_.take(steps_.size(), walk_.x());
    return true;
  }

  // What came of a row, in the units of the data.
  std::span<const float> row(std::size_t index) {
    std::span<float> values = snapshots_.of_row(index);
    to_data_units(course_.spec, values);
    return values;
  }

 private:
  void begin(std::int64_t row, std::int64_t place, std::int32_t seed) {
    if (options_.start) options_.start(place, walk_.x(row));
    walk_.set_class(row,
                    options_.label ? options_.label(place) : class_of(model_, args_.label, seed));
    if (!options_.known) return;
    options_.known(place, walk_.known(row), walk_.known_mask(row));
    to_noised_units(course_.spec, walk_.known(row));
  }

  const Loaded& model_;
  const SampleArgs& args_;
  const DiffuseOptions& options_;
  const std::function<bool()>& stop_;
  Course course_;
  std::vector<SamplerStep> steps_;
  bool watches_;
  Snapshots snapshots_;
  Walk walk_;
  std::optional<Plan> noise_;
};

}  // namespace

bool diffuse(const Loaded& model, std::span<const std::int32_t> seeds,
             const std::function<void(std::int64_t index, std::span<const float>)>& give,
             const SampleArgs& args, const std::function<bool()>& stop,
             const DiffuseOptions& options) {
  require_diffusion(model);
  auto total = std::int64_t(seeds.size()), rows = std::min<std::int64_t>(args.batch_size, total);
  if (rows < 1) return true;
  Sampling sampling(model, rows, args, options, stop);
  for (std::int64_t first = 0; first < total; first += rows) {
    std::int64_t count = std::min(rows, total - first);
    // A batch that is not full repeats its first row.
    std::vector<std::int64_t> places(std::size_t(rows), first);
    std::iota(places.begin(), places.begin() + count, first);
    std::vector<std::int32_t> ids;
    for (std::int64_t place : places) ids.push_back(seeds[std::size_t(place)]);
    if (!sampling.run(places, ids)) return false;
    for (std::int64_t i = 0; i < count; ++i) give(first + i, sampling.row(std::size_t(i)));
  }
  return true;
}

std::vector<float> start_noise(const Loaded& model, std::span<const std::int32_t> seeds) {
  require_diffusion(model);
  std::vector<float> noise;
  if (seeds.empty()) return noise;
  Plan plan = noise_plan(model, 1);
  for (std::int32_t seed : seeds) {
    write_noise(plan, {&seed, 1});
    plan.run();
    std::span<const float> y = plan.output("y");
    noise.insert(noise.end(), y.begin(), y.end());
  }
  return noise;
}

std::vector<float> invert(const Loaded& model, const Dataset& data,
                          std::span<const std::int64_t> indices, const SampleArgs& args) {
  require_diffusion(model);
  require_deterministic(args);
  model.require_fit(data);
  std::int64_t rows = std::min<std::int64_t>(args.batch_size, std::int64_t(indices.size()));
  std::vector<float> noise;
  if (rows < 1) return noise;
  SampleArgs settled = args;
  settled.label = label_of_pictures(model, data, args.label);
  Course course = course_of(model, settled);
  std::vector<std::int32_t> labels = classes_of_pictures(model, data, args.label);
  std::vector<SamplerStep> steps = inversion_steps(course.visited);
  for (SamplerStep& step : steps) step.guidance_scale = args.guidance_scale;
  Walk walk(model, rows, course, std::move(steps), {});
  PixelReader reader(data, model.binarize());
  for (std::int64_t first = 0; first < std::int64_t(indices.size()); first += rows) {
    std::int64_t count = std::min(rows, std::int64_t(indices.size()) - first);
    std::vector<std::int64_t> batch(std::size_t(rows), indices[std::size_t(first)]);
    std::copy_n(indices.begin() + first, count, batch.begin());
    reader.read(batch, walk.x());
    to_noised_units(course.spec, walk.x());
    for (std::int64_t i = 0; i < rows; ++i)
      walk.set_class(i, labels[std::size_t(batch[std::size_t(i)])]);
    walk.run({}, {});
    std::span<const float> y = walk.x().first(std::size_t(count) * std::size_t(reader.row()));
    noise.insert(noise.end(), y.begin(), y.end());
  }
  return noise;
}

}  // namespace atelier
