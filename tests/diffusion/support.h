// What all tests of diffusion share.
#pragma once

#include <vector>

#include "base/random.h"
#include "diffusion/noise_schedule.h"

namespace atelier::testing {

inline NoiseSchedule schedule_of(BetaSchedule kind, std::int64_t num_timesteps = 1000) {
  return make_noise_schedule({.beta_schedule = kind, .num_timesteps = num_timesteps});
}

inline std::vector<float> normal_values(std::int64_t count, const char* stream) {
  RandomStream random(3, stream_of(stream));
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = float(random.normal());
  return values;
}

}  // namespace atelier::testing
