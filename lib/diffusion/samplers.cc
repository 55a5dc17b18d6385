// Coefficients of the samplers.
#include "diffusion/samplers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace atelier {
namespace {

// What the network's errors may be multiplied by in a step, and the level of x0 that sampling
// starts at where the first would multiply them by more.
constexpr double kLargestGain = 10, kLeastLevel = 1e-4;

struct Level {
  double signal = 1, sigma = 0;  // of the clean picture
};

Level level_of(double alphas_cumprod) {
  return {std::sqrt(alphas_cumprod), std::sqrt(1 - alphas_cumprod)};
}
Level level_at(const NoiseSchedule& s, std::int64_t index) {
  return index < 0 ? Level{} : level_of(s.alphas_cumprod[std::size_t(index)]);
}

// A step from one level of the schedule to another (-1: the clean picture), without its mix.
SamplerStep step_between(const NoiseSchedule& s, std::int64_t from, std::int64_t to) {
  Level here = level_at(s, from), there = level_at(s, to);
  SamplerStep step;
  step.timestep = double(s.timesteps[std::size_t(from)]);
  step.signal = here.signal;
  step.sigma = here.sigma;
  step.next_signal = there.signal;
  step.next_sigma = there.sigma;
  return step;
}

SamplerStep ddpm_step(const NoiseSchedule& s, std::int64_t index, VarianceType variance,
                      std::span<const double> log_variance) {
  SamplerStep step = step_between(s, index, index - 1);
  auto i = std::size_t(index);
  step.next.x0 = s.posterior_mean_x0[i];
  step.next.x = s.posterior_mean_noised[i];
  step.log_variance_small = s.posterior_log_variance[i];
  step.log_beta = std::log(s.betas[i]);
  if (index == 0) return step;
  step.noise_scale = variance == VarianceType::learned_range ? 1 : std::exp(0.5 * log_variance[i]);
  return step;
}

SamplerStep ddim_step(const NoiseSchedule& s, std::int64_t from, std::int64_t to, double eta) {
  SamplerStep step = step_between(s, from, to);
  double level = s.alphas_cumprod[std::size_t(from)];
  // Of a step to a cleaner level; that to the clean picture has none, because next_sigma is 0.
  if (eta > 0) {
    double beta = 1 - level / (step.next_signal * step.next_signal);
    step.noise_scale = eta * step.next_sigma / step.sigma * std::sqrt(beta);
  }
  double kept = step.next_sigma * step.next_sigma - step.noise_scale * step.noise_scale;
  step.next.x0 = step.next_signal;
  step.next.noise = std::sqrt(std::max(kept, 0.0));
  return step;
}

double log_ratio(double signal, double sigma) { return std::log(signal / sigma); }

// memo holds the x0 of the step before, from which that of the middle of this step is extrapolated.
SamplerStep dpm2m_step(const NoiseSchedule& s, std::int64_t index) {
  SamplerStep step = step_between(s, index, index - 1);
  step.memo.x0 = 1;
  if (index == 0) {
    step.next.x0 = 1;
    return step;
  }
  double here = log_ratio(step.signal, step.sigma);
  double size = log_ratio(step.next_signal, step.next_sigma) - here;
  double gain = -step.next_signal * std::expm1(-size);
  step.next.x = step.next_sigma / step.sigma;
  step.next.x0 = gain;
  Level before = index + 1 < s.size() ? level_at(s, index + 1) : Level{0, 1};
  if (before.signal > 0) {
    double last = here - log_ratio(before.signal, before.sigma);
    double slope = size / (2 * last);
    step.next.x0 = gain * (1 + slope);
    step.next.memo = -gain * slope;
  }
  return step;
}

// A step along eps (which is ddim's), then one from the same place along the mean of the eps at
// both ends. With d the change of sigma / signal, x / signal + d (eps + eps') / 2 becomes, by x =
// signal x0 + sigma eps and move = next_signal d, what is written here: it divides by signal in
// move alone. Where the errors of eps' would be multiplied by too much, as from the cold end of a
// cosine schedule (Karras et al. begin at sigma / signal = 80, where it is 20,000), and from a
// level without signal, where d is infinite, the first step is all there is.
void add_heun_steps(const NoiseSchedule& s, std::int64_t index, std::vector<SamplerStep>& steps) {
  SamplerStep first = ddim_step(s, index, index - 1, 0);
  // Infinite, or not a number, from a level without signal.
  double move = first.next_sigma - first.next_signal * first.sigma / first.signal;
  if (index > 0 && std::abs(move) / 2 <= kLargestGain) {
    first.memo.x0 = first.next_signal;
    first.memo.noise = first.next_sigma - move / 2;
    SamplerStep second = step_between(s, index - 1, index - 1);
    second.next.memo = 1;
    second.next.noise = move / 2;
    steps.push_back(first);
    steps.push_back(second);
    return;
  }
  steps.push_back(first);
}

void check(const SamplerArgs& args) {
  if (!(args.eta >= 0 && args.eta <= 1)) {
    throw UsageError(fmt::format("--eta {}: expected 0 to 1", args.eta));
  }
  if (args.eta != 0 && args.sampler != Sampler::ddim) {
    throw UsageError(fmt::format("--eta {}: only the sampler ddim has one", args.eta));
  }
  if (!(args.temperature >= 0) || !std::isfinite(args.temperature)) {
    throw UsageError(fmt::format("--temperature {}: expected 0 or more", args.temperature));
  }
  if (args.temperature != 1 && args.sampler != Sampler::ddpm && args.eta == 0) {
    throw UsageError(fmt::format(
        "--temperature {}: there is no noise to scale; expected --sampler ddpm, or ddim with --eta",
        args.temperature));
  }
  if (!std::isfinite(args.guidance_scale)) {
    throw UsageError(fmt::format("--guidance-scale {}: expected a number", args.guidance_scale));
  }
}

std::int64_t well_conditioned(const NoiseSchedule& s) {
  return std::ranges::count_if(s.alphas_cumprod, [](double a) { return a >= kLeastLevel; });
}

double first_gain(const NoiseSchedule& s) {
  return std::sqrt(s.alphas_cumprod_before(s.size() - 1) / s.alphas_cumprod.back());
}

// Whether the first visited step multiplies errors in epsilon by more than kLargestGain.
bool grows_errors(const NoiseSchedule& visited, const VisitArgs& args) {
  return args.prediction_type == PredictionType::epsilon && !args.clipped &&
         first_gain(visited) > kLargestGain;
}

std::vector<std::int64_t> chosen_timesteps(std::int64_t limit, const VisitArgs& args) {
  if (!args.timesteps.empty()) return listed_timesteps(limit, args.timesteps);
  std::int64_t count = args.sample_steps == 0 ? limit : args.sample_steps;
  return spaced_timesteps(limit, count, args.spacing);
}

}  // namespace

std::array<float, kStepCoefficients> step_coefficients(const SamplerStep& s) {
  return {float(s.timestep),    float(s.signal),         float(s.sigma),
          float(s.next_signal), float(s.next_sigma),     float(s.next.x),
          float(s.next.x0),     float(s.next.noise),     float(s.next.memo),
          float(s.memo.x),      float(s.memo.x0),        float(s.memo.noise),
          float(s.memo.memo),   float(s.noise_scale),    float(s.log_variance_small),
          float(s.log_beta),    float(s.guidance_scale), float(1 - s.guidance_scale)};
}

Sampler parse_sampler(std::string_view text) { return chosen(kSamplers, "--sampler", text); }

bool starts_late(const NoiseSchedule& schedule, const VisitArgs& args) {
  return grows_errors(respace(schedule, chosen_timesteps(schedule.size(), args)), args);
}

NoiseSchedule visited_schedule(const NoiseSchedule& schedule, const VisitArgs& args) {
  require_prediction_type(schedule, args.prediction_type);
  NoiseSchedule visited = respace(schedule, chosen_timesteps(schedule.size(), args));
  if (!grows_errors(visited, args)) return visited;
  VisitArgs within = args;
  std::int64_t limit = std::max<std::int64_t>(well_conditioned(schedule), 1);
  within.sample_steps = std::min(args.sample_steps, limit);
  if (!args.timesteps.empty() &&
      visited.timesteps.back() > schedule.timesteps[std::size_t(limit - 1)]) {
    throw UsageError(fmt::format(
        "--timesteps {}: the first step multiplies errors in epsilon by {:.0f}; "
        "expected to begin at {} at most without clipping",
        visited.timesteps.back(), first_gain(visited), schedule.timesteps[std::size_t(limit - 1)]));
  }
  return respace(schedule, chosen_timesteps(limit, within));
}

std::vector<SamplerStep> sampler_steps(const NoiseSchedule& s, const SamplerArgs& args) {
  check(args);
  std::vector<double> log_variance;
  if (args.sampler == Sampler::ddpm && args.variance_type != VarianceType::learned_range) {
    log_variance = log_variances(s, args.variance_type);
  }
  std::vector<SamplerStep> steps;
  for (std::int64_t index = s.size() - 1; index >= 0; --index) {
    switch (args.sampler) {
      case Sampler::ddpm:
        steps.push_back(ddpm_step(s, index, args.variance_type, log_variance));
        break;
      case Sampler::ddim:
        steps.push_back(ddim_step(s, index, index - 1, args.eta));
        break;
      case Sampler::dpm2m:
        steps.push_back(dpm2m_step(s, index));
        break;
      case Sampler::heun:
        add_heun_steps(s, index, steps);
        break;
    }
  }
  for (SamplerStep& step : steps) {
    step.noise_scale *= args.temperature;
    step.guidance_scale = args.guidance_scale;
  }
  return steps;
}

std::vector<SamplerStep> inversion_steps(const NoiseSchedule& s) {
  // The clean picture has no noise to read: it is read as if it were at the first timestep.
  SamplerStep first = step_between(s, 0, 0);
  first.next.x = first.signal;
  first.next.noise = first.sigma;
  std::vector<SamplerStep> steps{first};
  for (std::int64_t index = 0; index + 1 < s.size(); ++index) {
    steps.push_back(ddim_step(s, index, index + 1, 0));
  }
  return steps;
}

bool needs_memo(std::span<const SamplerStep> steps) {
  return std::ranges::any_of(steps, [](const SamplerStep& s) { return s.next.memo != 0; });
}

bool needs_noise(std::span<const SamplerStep> steps) {
  return std::ranges::any_of(steps, [](const SamplerStep& s) { return s.noise_scale != 0; });
}

}  // namespace atelier
