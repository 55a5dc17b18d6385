// The options that samples of diffusion models have.
#include "infer/sample_args.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "diffusion/samplers.h"

namespace atelier {

Fields SampleArgs::diffusion_fields() {
  return {
      bind(sampler,
           {"sampler", "ancestral, DDIM, DPM-Solver++ 2M, or Heun, which evaluates twice a step",
            "Song et al. 2021", names_of(kSamplers)}),
      bind(sample_steps,
           {.name = "sample_steps",
            .help = "timesteps that are visited, 0: all; default 50, or all if there are fewer",
            .low = 0}),
      bind(timestep_spacing,
           {"timestep_spacing", "which ones: from the clean end, both ends, or the noisy end",
            "Lin et al. 2023", names_of(kTimestepSpacings)}),
      bind(timesteps, {.name = "timesteps",
                       .help = "the timesteps themselves, as 999,666,333,0",
                       .filled = true}),
      bind(eta, {.name = "eta",
                 .help = "ddim: noise added in each step, in units of ddpm's with the posterior's "
                         "variance; 0: none",
                 .low = 0,
                 .high = 1}),
      bind(temperature, {.name = "temperature",
                         .help = "factor of the noise that ddpm, and ddim with eta, add in each "
                                 "step; below 1: more alike",
                         .low = 0,
                         .high = 100}),
      bind(guidance_scale,
           {.name = "guidance_scale",
            .help = "s of p(none) + s (p(class) - p(none)), p being predictions; 1: no guidance",
            .origin = "Ho and Salimans 2022, whose w is s - 1",
            .low = -1000,
            .high = 1000}),
      bind(clip, {"clip_x0", "clipping predicted pictures to the range of pixels"}),
      bind(threshold_quantile,
           {.name = "threshold_quantile",
            .help = "dynamic thresholding at this quantile of each prediction; 0: none",
            .origin = "Saharia et al. 2022 have 0.995",
            .low = 0,
            .high = 1}),
      bind(trajectory, {.name = "trajectory",
                        .help = "this many pictures of the way to each sample in a row, from 2 "
                                "to one more than steps; 0: none",
                        .low = 0,
                        .high = 1000}),
      bind(trajectory_of, {"trajectory_of",
                           "of what: the predicted picture, or the noised one",
                           {},
                           {"x0", "noised"}}),
  };
}

Fields SampleArgs::deterministic_fields() {
  Fields fields;
  for (BoundField field : diffusion_fields()) {
    bool random = field.name == "eta" || field.name == "temperature";
    if (random || field.name.starts_with("trajectory")) continue;
    if (field.name == "sampler") {
      field.help = "DDIM, DPM-Solver++ 2M, or Heun, which evaluates twice a step";
      std::erase(field.choices, "ddpm");
    }
    fields.push_back(field);
  }
  return fields;
}

void SampleArgs::settle(const OptionSources& source) {
  if (timesteps.empty()) return;
  const SampleArgs usual;
  // Files that repeat a run hold every option, most of them as they are anyway.
  auto strength = [&](const char* option, bool is_usual) {
    OptionSource found = source(option);
    return is_usual && found != OptionSource::typed ? OptionSource::usual : found;
  };
  OptionSource listed = source("timesteps");
  OptionSource counted = strength("sample-steps", sample_steps == usual.sample_steps);
  OptionSource spaced = strength("timestep-spacing", timestep_spacing == usual.timestep_spacing);
  OptionSource other = std::max(counted, spaced);
  if (other > listed) {
    timesteps.clear();
    return;
  }
  // Variables may be meant for several calls; a file or a command is one.
  if (other == listed && listed != OptionSource::variable)
    throw UsageError(fmt::format("--timesteps and --{} exclude each other",
                                 counted == other ? "sample-steps" : "timestep-spacing"));
  sample_steps = usual.sample_steps;
  timestep_spacing = usual.timestep_spacing;
}

void require_deterministic(const SampleArgs& args) {
  if (args.sampler == "ddpm")
    throw UsageError("--sampler ddpm: draws noise in every step; expected ddim, dpm2m or heun");
  if (args.eta != 0)
    throw UsageError(fmt::format("--eta {}: draws noise in every step; expected 0", args.eta));
}

}  // namespace atelier
