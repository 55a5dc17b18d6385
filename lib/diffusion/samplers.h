// Samplers as tables of coefficients: every step of every sampler is one linear form in what is
// known at its timestep, so that one plan runs them all and only 18 numbers change between steps.
//
//   x'    = next.x x + next.x0 x0 + next.noise eps + next.memo memo + noise_scale z
//   memo' = memo.x x + memo.x0 x0 + memo.noise eps + memo.memo memo
//
// x0 and eps are what the network says of x, z is fresh noise, and memo carries what multistep and
// two-stage methods need of the step before (zeros at the start). On the host, in double.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/choices.h"
#include "diffusion/noise_schedule.h"
#include "diffusion/prediction.h"

namespace atelier {

struct StepMix {
  double x = 0, x0 = 0, noise = 0, memo = 0;
};

struct SamplerStep {
  double timestep = 0;                     // of training: what the network is told
  double signal = 1, sigma = 0;            // level of x
  double next_signal = 1, next_sigma = 0;  // level of x'
  StepMix next, memo;
  // Standard deviation of what z adds; with a learned variance it multiplies the network's.
  double noise_scale = 0;
  double log_variance_small = 0, log_beta = 0;  // the range of a learned variance
  double guidance_scale = 1;                    // 1: none
};

// A step as the f32 [kStepCoefficients] that sampler_step() reads.
inline constexpr std::int64_t kStepCoefficients = 18;
std::array<float, kStepCoefficients> step_coefficients(const SamplerStep& step);

enum class Sampler { ddpm, ddim, dpm2m, heun };
inline constexpr Choice<Sampler> kSamplers[] = {{"ddpm", Sampler::ddpm},
                                                {"ddim", Sampler::ddim},
                                                {"dpm2m", Sampler::dpm2m},
                                                {"heun", Sampler::heun}};
Sampler parse_sampler(std::string_view text);  // UsageError naming them all

// Which timesteps a sampler visits.
struct VisitArgs {
  std::int64_t sample_steps = 0;  // how many; 0: all. heun evaluates all but one of them twice
  TimestepSpacing spacing = TimestepSpacing::trailing;
  std::vector<std::int64_t> timesteps = {};  // instead of the two above: the user's own list
  PredictionType prediction_type = PredictionType::epsilon;
  bool clipped = true;  // predicted pictures are clipped or thresholded
};

// The schedule that a sampler runs on. Where epsilon is predicted, nothing is clipped and the first
// step would multiply the network's errors by more than 10, as the end of a cosine schedule does
// (sqrt(a) is 5e-5 there), sampling starts at the first timestep whose a is 1e-4 or more: standard
// noise is then off by 1 % of a picture, and there are at most as many steps as timesteps are left.
// Throws UsageError for what spaced_timesteps(), listed_timesteps() and require_prediction_type()
// refuse, and for a list that starts beyond that.
NoiseSchedule visited_schedule(const NoiseSchedule& schedule, const VisitArgs& args);
// Whether the first step would do that, so that it starts later or a list may be refused.
bool starts_late(const NoiseSchedule& schedule, const VisitArgs& args);

struct SamplerArgs {
  Sampler sampler = Sampler::ddim;
  VarianceType variance_type = VarianceType::fixed_small;  // ddpm
  double eta = 0;          // ddim: 0 adds no noise, 1 as much as ddpm with fixed_small
  double temperature = 1;  // ddpm, and ddim with eta: multiplies the noise of every step
  double guidance_scale = 1;
};

// The steps from standard noise at the schedule's last timestep to a picture, in order; none of
// them adds noise at its end.
//   ddpm   ancestral (Ho et al. 2020): the posterior's mean at the predicted x0, and noise of the
//          chosen variance
//   ddim   Song et al. 2021, arXiv:2010.02502, equation 12
//   dpm2m  DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, algorithm 2): second order in
//          log(signal / sigma); the first and the last step are of first order
//   heun   Heun's method on the probability flow of x / signal against sigma / signal (Karras et
//          al. 2022, arXiv:2206.00364, algorithm 1): two steps here for each timestep but the last,
//          and but those where half the move would multiply the network's errors by more than 10:
//          the first of a cosine or sigmoid schedule, or with a zero terminal SNR
// Throws UsageError for eta outside 0..1 or of another sampler than ddim, for a negative
// temperature, and for a guidance scale that is not finite.
std::vector<SamplerStep> sampler_steps(const NoiseSchedule& visited, const SamplerArgs& args);

// The way back, from a picture to noise at the schedule's last timestep, of which ddim with eta 0
// makes the picture again, up to errors that fall with the number of steps: one step to each
// timestep, by the noise that the network sees at the one before (at the first, to begin with).
std::vector<SamplerStep> inversion_steps(const NoiseSchedule& visited);

// Whether any step reads what it remembers, and whether any adds noise: plans may leave them out.
bool needs_memo(std::span<const SamplerStep> steps);
bool needs_noise(std::span<const SamplerStep> steps);

}  // namespace atelier
