// A diffusion model on its way through noise levels: one plan for all steps, nothing is allocated
// between them. Private to this floor.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "diffusion/sampler_step.h"
#include "infer/infer.h"

namespace atelier {

// What a model and a user's choices make of a walk, settled before anything is compiled.
struct Course {
  DiffusionSpec spec;
  NoiseSchedule visited;
  StepArgs step;
};

// UsageError for choices that do not suit each other or the model, Error naming the file for
// guidance or a class that it cannot have.
Course course_of(const Loaded& model, const SampleArgs& args);

class Walk {
 public:
  struct Options {
    bool keeps = false;    // pixels are known beforehand
    bool watches = false;  // x0() is wanted
  };
  Walk(const Loaded& model, std::int64_t rows, const Course& course, std::vector<SamplerStep> steps,
       Options options);

  // Of all rows, or of one: where the walk stands, in the units of what is noised.
  std::span<float> x() { return plan_->input("x"); }
  std::span<float> x(std::int64_t row) { return row_of("x", row); }
  // With Options::watches: what the last step took x for.
  std::span<const float> x0() const { return plan_->output("x0"); }
  // With Options::keeps: the known picture, units as x, and its mask [H*W], 1 where it is known.
  std::span<float> known(std::int64_t row) { return row_of("known", row); }
  std::span<float> known_mask(std::int64_t row) { return row_of("known_mask", row); }
  // The number of classes being none; nothing for models without classes.
  void set_class(std::int64_t row, std::int32_t label);

  struct Events {
    std::function<bool()> stop = {};                       // asked before each step
    std::function<void(std::size_t step)> evaluated = {};  // x() is still that before the step
    // Standard normal numbers for x(), others for each `draw`; only with `repeats`.
    std::function<std::span<const float>(std::int32_t draw)> noise = {};
  };
  // Takes x() through all steps, each so many times (DiffuseOptions::repeats); false: it was
  // stopped. `ids`: whose noise steps add.
  bool run(std::span<const std::int32_t> ids, const Events& events, std::int64_t repeats = 1);

 private:
  Expr build(const Scope& scope, const Course& course, Options options) const;
  void noise_again(const SamplerStep& step, std::span<const float> noise);
  std::span<float> row_of(const char* input, std::int64_t row);

  const Loaded& model_;
  std::int64_t rows_;
  std::vector<SamplerStep> steps_;
  Shape shape_;
  std::optional<Plan> plan_;
};

}  // namespace atelier
