// Coefficients of the samplers: identities between them, orders of convergence on the flow of a
// Gaussian, what is refused.
#include "diffusion/samplers.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "diffusion/support.h"
#include "support/near.h"

using namespace atelier;
using testing::schedule_of;

namespace {

// A step on a picture of one number whose x0 and noise are known, in double.
struct Number {
  double x, memo = 0;
};
Number stepped(const SamplerStep& s, Number at, double x0, double noise, double z = 0) {
  auto mixed = [&](const StepMix& mix) {
    return mix.x * at.x + mix.x0 * x0 + mix.noise * noise + mix.memo * at.memo;
  };
  return {mixed(s.next) + s.noise_scale * z, mixed(s.memo)};
}

// Data N(0, c^2): what the best network says of x at a level.
double best_noise(const SamplerStep& s, double x, double c) {
  return s.sigma * x / (s.signal * s.signal * c * c + s.sigma * s.sigma);
}

// From the first timestep of `steps` as far as they go. The flow of a Gaussian scales x by its
// standard deviation, which is known at every level.
double flow_error(std::span<const SamplerStep> steps, double c) {
  auto sd = [c](double signal, double sigma) { return std::hypot(signal * c, sigma); };
  Number at{1.3};
  for (const SamplerStep& s : steps) {
    double noise = best_noise(s, at.x, c);
    at = stepped(s, at, (at.x - s.sigma * noise) / s.signal, noise);
  }
  double ratio = sd(steps.back().next_signal, steps.back().next_sigma) /
                 sd(steps.front().signal, steps.front().sigma);
  return std::abs(at.x / 1.3 - ratio);
}

// From timestep 999 to 199 in strides; the steps to the clean picture are left out.
std::vector<SamplerStep> strided(Sampler sampler, std::int64_t stride) {
  NoiseSchedule all = schedule_of(BetaSchedule::linear);
  std::vector<std::int64_t> kept;
  for (std::int64_t t = 199; t < 1000; t += stride) kept.push_back(t);
  std::vector<SamplerStep> steps = sampler_steps(respace(all, kept), {.sampler = sampler});
  steps.pop_back();
  return steps;
}

}  // namespace

TEST_CASE("DDIM with eta 1 on all timesteps is DDPM with the posterior's variance") {
  double worst = 0;
  for (BetaSchedule kind : {BetaSchedule::linear, BetaSchedule::cosine, BetaSchedule::sigmoid}) {
    NoiseSchedule s = schedule_of(kind);
    auto ddpm = sampler_steps(s, {.sampler = Sampler::ddpm});
    auto ddim = sampler_steps(s, {.sampler = Sampler::ddim, .eta = 1});
    REQUIRE(ddpm.size() == 1000);
    REQUIRE(ddim.size() == 1000);
    for (std::size_t i = 0; i < ddpm.size(); ++i) {
      double x0 = 0.4, noise = -0.7, z = 1.1, x = ddpm[i].signal * x0 + ddpm[i].sigma * noise;
      double one = stepped(ddpm[i], {x}, x0, noise, z).x;
      double other = stepped(ddim[i], {x}, x0, noise, z).x;
      worst = std::max(worst, std::abs(one - other));
    }
  }
  CHECK(worst < 1e-10);
  fmt::print("summary: D12 DDIM with eta 1 against DDPM, step by step: {:.1e}\n", worst);
}

TEST_CASE("every sampler keeps a picture and its noise at the levels of the schedule") {
  NoiseSchedule s = respace(schedule_of(BetaSchedule::cosine),
                            spaced_timesteps(1000, 23, TimestepSpacing::linspace));
  for (Sampler sampler : {Sampler::ddim, Sampler::heun, Sampler::dpm2m}) {
    INFO(int(sampler));
    auto steps = sampler_steps(s, {.sampler = sampler});
    // Of Heun's the last is one, and the first, from the cold end.
    CHECK(steps.size() == (sampler == Sampler::heun ? 2 * 23 - 2 : 23));
    double x0 = 0.4, noise = -0.7;
    Number at{steps[0].signal * x0 + steps[0].sigma * noise};
    double worst = 0;
    for (const SamplerStep& step : steps) {
      at = stepped(step, at, x0, noise);
      worst = std::max(worst, std::abs(at.x - step.next_signal * x0 - step.next_sigma * noise));
    }
    CHECK(worst < 1e-9);
    CHECK(at.x == testing::near(x0, 1e-12));
    CHECK(steps.back().next_signal == 1);
  }
}

TEST_CASE("Heun's second half multiplies errors by no more than 10") {
  double most = 0;
  for (BetaSchedule kind : {BetaSchedule::linear, BetaSchedule::cosine, BetaSchedule::sigmoid}) {
    for (std::int64_t count : {2, 3, 5, 10, 25, 50, 250, 1000}) {
      NoiseSchedule s =
          respace(schedule_of(kind), spaced_timesteps(1000, count, TimestepSpacing::trailing));
      auto steps = sampler_steps(s, {.sampler = Sampler::heun});
      // One at the end, and at most one at the beginning of many and two of few.
      CHECK(std::int64_t(steps.size()) >= 2 * count - (count > 3 ? 2 : 3));
      for (const SamplerStep& step : steps) {
        if (step.next.memo != 0) most = std::max(most, std::abs(step.next.noise));
      }
    }
  }
  CHECK(most <= 10);
  fmt::print("summary: Heun: errors are multiplied by at most {:.1f}\n", most);
}

TEST_CASE("inversion goes up the levels that DDIM comes down") {
  NoiseSchedule s = respace(schedule_of(BetaSchedule::linear),
                            spaced_timesteps(1000, 10, TimestepSpacing::trailing));
  auto up = inversion_steps(s);
  REQUIRE(up.size() == 10);
  double x0 = 0.4, noise = -0.7;
  Number at{x0};
  for (std::size_t i = 0; i < up.size(); ++i) {
    CHECK(up[i].timestep == double(s.timesteps[i == 0 ? 0 : i - 1]));
    CHECK(up[i].next_sigma == std::sqrt(1 - s.alphas_cumprod[i]));
    at = stepped(up[i], at, x0, noise);
    CHECK(at.x == testing::near(up[i].next_signal * x0 + up[i].next_sigma * noise));
  }
  CHECK(up.back().next_signal == std::sqrt(s.alphas_cumprod.back()));
  CHECK(!needs_noise(up));
}

TEST_CASE("samplers converge to the flow of a Gaussian in their orders") {
  struct Row {
    Sampler sampler;
    const char* name;
    double order;
  };
  for (const Row& row : {Row{Sampler::ddim, "ddim", 1}, Row{Sampler::dpm2m, "dpm2m", 2},
                         Row{Sampler::heun, "heun", 2}}) {
    INFO(row.name);
    double order = 0;
    std::string line;
    // Of wider data the leading terms of dpm2m's error cancel, and its order looks higher.
    for (double c : {0.25, 0.5}) {
      double before = 0;
      for (std::int64_t stride : {40, 20, 10, 5}) {
        double error = flow_error(strided(row.sampler, stride), c);
        if (stride == 5) order = std::log2(before / error);
        before = error;
      }
      line += fmt::format(" c {}: error {:.1e} in 160 steps, order {:.2f};", c, before, order);
      CHECK(order == testing::near(row.order, 0.1));
    }
    fmt::print("summary: {} on the flow of a Gaussian:{}\n", row.name, line);
  }
}

TEST_CASE("on a Gaussian DDPM ends too narrow with the small variance, too wide with the large") {
  // The best network is linear, so the variance of x follows from step to step in closed form.
  auto final_sd = [](const NoiseSchedule& s, VarianceType variance, double c) {
    double var = 1;
    for (const SamplerStep& step :
         sampler_steps(s, {.sampler = Sampler::ddpm, .variance_type = variance})) {
      double noise = best_noise(step, 1, c);
      double factor = stepped(step, {1}, (1 - step.sigma * noise) / step.signal, noise).x;
      var = factor * factor * var + step.noise_scale * step.noise_scale;
    }
    return std::sqrt(var);
  };
  constexpr double kSd = 0.1;
  double small_before = 0, large_before = 1;
  for (std::int64_t count : {50, 100, 250, 1000}) {
    NoiseSchedule s = respace(schedule_of(BetaSchedule::linear),
                              spaced_timesteps(1000, count, TimestepSpacing::linspace));
    double small = final_sd(s, VarianceType::fixed_small, kSd);
    double large = final_sd(s, VarianceType::fixed_large, kSd);
    CHECK(small < kSd);
    CHECK(large > kSd);
    CHECK(small > small_before);
    CHECK(large < large_before);
    small_before = small, large_before = large;
    fmt::print("summary: DDPM on a Gaussian of sd 0.1, {} steps: sd {:.4f} small, {:.4f} large\n",
               count, small, large);
  }
}

TEST_CASE("the last step adds no noise, and temperature scales that of the others") {
  NoiseSchedule s = schedule_of(BetaSchedule::linear, 100);
  for (auto variance :
       {VarianceType::fixed_small, VarianceType::fixed_large, VarianceType::learned_range}) {
    SamplerArgs args{.sampler = Sampler::ddpm, .variance_type = variance};
    auto steps = sampler_steps(s, args);
    args.temperature = 0.5;
    auto cooler = sampler_steps(s, args);
    CHECK(steps.back().noise_scale == 0);
    CHECK(needs_noise(steps));
    CHECK(!needs_memo(steps));
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
      CHECK(steps[i].noise_scale > 0);
      CHECK(cooler[i].noise_scale == steps[i].noise_scale / 2);
    }
  }
  auto small = sampler_steps(s, {.sampler = Sampler::ddpm});
  auto large =
      sampler_steps(s, {.sampler = Sampler::ddpm, .variance_type = VarianceType::fixed_large});
  CHECK(small[0].noise_scale == testing::near(std::sqrt(s.posterior_variance[99])));
  CHECK(large[0].noise_scale == testing::near(std::sqrt(s.betas[99])));
  CHECK(!needs_noise(sampler_steps(s, {})));
  CHECK(needs_memo(sampler_steps(s, {.sampler = Sampler::dpm2m})));
}

TEST_CASE("a zero terminal SNR leaves every coefficient finite and starts at the picture") {
  NoiseSchedule s = respace(make_noise_schedule({.zero_terminal_snr = true}),
                            spaced_timesteps(1000, 7, TimestepSpacing::trailing));
  for (Sampler sampler : {Sampler::ddpm, Sampler::ddim, Sampler::dpm2m, Sampler::heun}) {
    INFO(int(sampler));
    auto steps = sampler_steps(s, {.sampler = sampler});
    for (const SamplerStep& step : steps) {
      for (float c : step_coefficients(step)) CHECK(std::isfinite(c));
    }
    double x0 = 0.4, noise = -0.7;
    Number at{noise};
    for (const SamplerStep& step : steps) at = stepped(step, at, x0, noise);
    CHECK(at.x == testing::near(x0, 1e-12));
  }
}

TEST_CASE(
    "unclipped epsilon starts where its errors are not blown up, everything else at the end") {
  NoiseSchedule cosine = schedule_of(BetaSchedule::cosine);
  VisitArgs args{.sample_steps = 100, .clipped = false};
  NoiseSchedule guarded = visited_schedule(cosine, args);
  std::int64_t first = guarded.timesteps.back();
  CHECK(guarded.size() == 100);
  CHECK(cosine.alphas_cumprod[std::size_t(first)] >= 1e-4);
  CHECK(cosine.alphas_cumprod[std::size_t(first + 1)] < 1e-4);
  auto gain = [](const NoiseSchedule& s) {
    return std::sqrt(s.alphas_cumprod_before(s.size() - 1) / s.alphas_cumprod.back());
  };
  args.clipped = true;
  NoiseSchedule whole = visited_schedule(cosine, args);
  CHECK(whole.timesteps.back() == 999);
  CHECK(gain(whole) > 300);
  CHECK(gain(guarded) < 5);
  fmt::print("summary: first of 100 steps of a cosine schedule: gain {:.0f} at 999, {:.1f} at {}\n",
             gain(whole), gain(guarded), first);
  args.clipped = false;
  args.prediction_type = PredictionType::v;
  CHECK(visited_schedule(cosine, args).timesteps.back() == 999);
  args.prediction_type = PredictionType::epsilon;
  CHECK(visited_schedule(schedule_of(BetaSchedule::linear), args).timesteps.back() == 999);
  args.sample_steps = 0;
  CHECK(visited_schedule(cosine, args).timesteps.back() == first);
  CHECK(visited_schedule(cosine, args).size() == first + 1);
  args.timesteps = {999, 500, 0};
  CHECK_THROWS_AS(visited_schedule(cosine, args), UsageError);
  args.timesteps = {first, 500, 0};
  CHECK(visited_schedule(cosine, args).timesteps == std::vector<std::int64_t>{0, 500, first});
}

TEST_CASE("samplers refuse what they cannot do") {
  NoiseSchedule s = schedule_of(BetaSchedule::linear, 100);
  auto made = [&](SamplerArgs args) { sampler_steps(s, args); };
  CHECK_THROWS_AS(made({.eta = -0.1}), UsageError);
  CHECK_THROWS_AS(made({.eta = 1.5}), UsageError);
  CHECK_THROWS_AS(made({.eta = std::nan("")}), UsageError);
  CHECK_THROWS_AS(made({.sampler = Sampler::ddpm, .eta = 0.5}), UsageError);
  CHECK_THROWS_AS(made({.temperature = -1}), UsageError);
  CHECK_THROWS_AS(made({.temperature = INFINITY}), UsageError);
  CHECK_THROWS_AS(made({.guidance_scale = INFINITY}), UsageError);
  CHECK_THROWS_AS(parse_sampler("euler"), UsageError);
  CHECK(parse_sampler("dpm2m") == Sampler::dpm2m);
  CHECK(parse_sampler("heun") == Sampler::heun);
  CHECK_THROWS_AS(visited_schedule(s, {.sample_steps = 101}), UsageError);
  CHECK_THROWS_AS(visited_schedule(s, {.timesteps = {3, 3}}), UsageError);
  NoiseSchedule zero = make_noise_schedule({.zero_terminal_snr = true});
  CHECK_THROWS_AS(visited_schedule(zero, {}), UsageError);
  CHECK_NOTHROW(visited_schedule(zero, {.prediction_type = PredictionType::v}));
}
