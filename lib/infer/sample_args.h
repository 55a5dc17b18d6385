// How samples are drawn.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/fields.h"

namespace atelier {

inline constexpr std::int64_t kUsualSteps = 50;  // or all timesteps of fewer
inline constexpr std::int64_t kNoClass = -2;     // of SampleArgs::label: pictures of no class

struct SampleArgs {
  std::int64_t batch_size = 64;
  // Class of all, of a model that draws classes; -1: seed modulo classes; or kNoClass.
  std::int64_t label = -1;
  double truncation = 1;  // as DrawArgs
  // Of diffusion models (diffusion/samplers.h, diffusion/sampler_step.h).
  std::string sampler = "ddim";
  std::int64_t sample_steps = -1;  // 0: all; -1: 50, or all of fewer
  std::string timestep_spacing = "trailing";
  std::string timesteps = {};  // "999,666,333,0", instead of steps and spacing
  double eta = 0, temperature = 1, guidance_scale = 1;
  bool clip = true;  // of predicted pictures; vectors are never clipped
  double threshold_quantile = 0;
  // Instead of each sample so many pictures of the way to it, the last being the sample: what x was
  // taken for ("x0"), or x itself ("noised"). 0: the sample alone.
  std::int64_t trajectory = 0;
  std::string trajectory_of = "x0";

  // Those of diffusion models, as options of programs; the second without what is not
  // deterministic, and without trajectories.
  Fields diffusion_fields();
  Fields deterministic_fields();
  // Of timesteps on the one hand, and their number and spacing on the other, what comes from nearer
  // by stays (OptionSource); of two variables the timesteps. UsageError if both are typed, or both
  // in a file.
  void settle(const OptionSources& source);
};

// UsageError for samplers that draw noise after the start, so that it does not say how they end.
void require_deterministic(const SampleArgs& args);

}  // namespace atelier
