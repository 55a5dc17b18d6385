// Steps of samplers as graphs: clipping, thresholding, guidance, learned variance, known pixels.
#include "diffusion/sampler_step.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "diffusion/sampler_plan.h"
#include "graph/messages.h"
#include "nn/support.h"

using namespace atelier;
using testing::dense_of;
using testing::schedule_of;
using testing::value_of;

namespace {

std::vector<double> doubles(std::int64_t count, const char* stream, double scale = 1) {
  std::vector<double> values;
  for (float v : testing::normal_values(count, stream)) values.push_back(scale * double(v));
  return values;
}

// One step in f64 on pictures [3, 2, 2] of a network whose output is an input.
struct OneStep {
  static constexpr std::int64_t kRows = 3, kElements = 12;
  Graph graph;
  OracleState state;
  Shape shape{kRows, 2, 2};
  std::vector<double> x0 = doubles(kElements, "x0", 1.5), eps = doubles(kElements, "eps");
  std::vector<double> x, z = doubles(kElements, "z");

  explicit OneStep(const SamplerStep& step) {
    for (std::size_t i = 0; i < x0.size(); ++i) {
      x.push_back(step.signal * x0[i] + step.sigma * eps[i]);
    }
    auto c = step_coefficients(step);
    coefficients = input("step", {kStepCoefficients}, {c.begin(), c.end()});
    noised = input("x", shape, x);
    noise = input("z", shape, z);
  }
  Expr input(const char* name, Shape s, std::vector<double> values) {
    state.inputs[name] = dense_of(s, std::move(values));
    return graph.input(name, DType::f32, s);
  }
  // A network that knows picture and noise.
  Denoiser knowing(PredictionType type, const SamplerStep& step) {
    return [this, type, step](Expr, Expr) {
      std::vector<double> y = x0;
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (type == PredictionType::epsilon) y[i] = eps[i];
        if (type == PredictionType::v) y[i] = step.signal * eps[i] - step.sigma * x0[i];
      }
      return input(type == PredictionType::v ? "v" : "y", shape, y);
    };
  }
  double difference(Expr found, const std::function<double(std::size_t)>& expected) {
    std::vector<double> values = value_of(found, state);
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      worst = std::max(worst, std::abs(values[i] - expected(i)));
    }
    return worst;
  }
  Expr coefficients, noised, noise;
};

// Coefficients are rounded to float; pictures here are of size 1 to 4.
constexpr double kRounding = 1e-6;

std::vector<SamplerStep> steps_of(std::int64_t count, const SamplerArgs& args = {}) {
  return sampler_steps(respace(schedule_of(BetaSchedule::linear),
                               spaced_timesteps(1000, count, TimestepSpacing::trailing)),
                       args);
}

}  // namespace

TEST_CASE("all prediction types of one picture and noise lead to the same step") {
  SamplerStep step = steps_of(10, {.eta = 0.5})[4];
  for (auto type : {PredictionType::epsilon, PredictionType::x0, PredictionType::v}) {
    INFO(int(type));
    OneStep one(step);
    StepArgs args{.prediction_type = type, .clip_x0 = 0};
    SamplerState after =
        sampler_step(args, one.knowing(type, step), one.coefficients, {.x = one.noised}, one.noise);
    CHECK(one.difference(after.x, [&](std::size_t i) {
      return step.next.x0 * one.x0[i] + step.next.noise * one.eps[i] + step.noise_scale * one.z[i];
    }) < kRounding);
    CHECK(one.difference(after.x0, [&](std::size_t i) { return one.x0[i]; }) < kRounding);
  }
}

TEST_CASE("a clipped picture has its noise derived again, whatever was predicted") {
  SamplerStep step = steps_of(10)[4];
  double worst = 0;
  for (auto type : {PredictionType::epsilon, PredictionType::x0, PredictionType::v}) {
    INFO(int(type));
    OneStep one(step);
    StepArgs args{.prediction_type = type, .clip_x0 = 0.8};
    SamplerState after =
        sampler_step(args, one.knowing(type, step), one.coefficients, {.x = one.noised});
    auto clipped = [&](std::size_t i) { return std::clamp(one.x0[i], -0.8, 0.8); };
    double error = one.difference(after.x, [&](std::size_t i) {
      double eps = (one.x[i] - step.signal * clipped(i)) / step.sigma;
      return step.next.x0 * clipped(i) + step.next.noise * eps;
    });
    CHECK(error < kRounding);
    CHECK(one.difference(after.x0, clipped) < kRounding);
    worst = std::max(worst, error);
    auto beyond = std::ranges::count_if(one.x0, [](double v) { return std::abs(v) > 0.8; });
    CHECK(beyond > 0);
    CHECK(beyond < OneStep::kElements);
  }
  fmt::print("summary: clipped steps: {:.1e} off noise derived again\n", worst);
}

TEST_CASE("a learned variance scales the noise of a step by what the network says") {
  SamplerArgs sampler{.sampler = Sampler::ddpm, .variance_type = VarianceType::learned_range};
  auto steps = steps_of(10, sampler);
  for (std::size_t at : {std::size_t{3}, steps.size() - 1}) {
    const SamplerStep& step = steps[at];
    OneStep one(step);
    std::vector<double> range = doubles(OneStep::kElements, "range"), output;
    for (std::size_t i = 0; i < range.size(); i += 2) {
      output.insert(output.end(), {one.eps[i], one.eps[i + 1], range[i], range[i + 1]});
    }
    Denoiser network = [&](Expr, Expr) { return one.input("y", {3, 2, 4}, output); };
    StepArgs args{.variance_type = VarianceType::learned_range, .clip_x0 = 0};
    SamplerState after =
        sampler_step(args, network, one.coefficients, {.x = one.noised}, one.noise);
    CHECK(one.difference(after.x, [&](std::size_t i) {
      double fraction = (range[i] + 1) / 2;
      double logvar = fraction * step.log_beta + (1 - fraction) * step.log_variance_small;
      double added = at + 1 == steps.size() ? 0 : std::exp(0.5 * logvar) * one.z[i];
      return step.next.x0 * one.x0[i] + step.next.x * one.x[i] + added;
    }) < kRounding);
  }
}

TEST_CASE("quantiles of rows are those of sorted elements") {
  constexpr std::int64_t kRows = 6, kElements = 37;
  std::vector<double> values = doubles(kRows * kElements, "quantiles");
  for (double& v : values) v = std::abs(float(v));
  for (std::size_t j = 0; j < kElements; ++j) {
    values[kElements + j] = double(j % 3);                                 // many equal
    values[2 * kElements + j] = 0;                                         // nothing but zeros
    values[3 * kElements + j] *= 1e-6;                                     // tiny
    values[4 * kElements + j] = j == 7 ? 1e4 : values[4 * kElements + j];  // one far out
  }
  double worst = 0;
  for (double q : {0.0, 0.1, 0.5, 0.9, 0.95, 0.995, 1.0}) {
    INFO("quantile ", q);
    Graph g;
    Store store;
    Expr x = g.input("x", DType::f32, {kRows, kElements});
    g.output("y", quantile_per_row(x, q));
    Plan plan(g, store);
    std::ranges::transform(values, plan.input("x").begin(), [](double v) { return float(v); });
    plan.run();
    for (std::size_t r = 0; r < kRows; ++r) {
      INFO("row ", r);
      std::vector<double> sorted(values.begin() + std::ptrdiff_t(r * kElements),
                                 values.begin() + std::ptrdiff_t((r + 1) * kElements));
      std::ranges::sort(sorted);
      double rank = q * double(kElements - 1), below = std::floor(rank);
      double low = sorted[std::size_t(below)], high = sorted[std::size_t(std::ceil(rank))];
      double expected = low + (rank - below) * (high - low);
      double error = std::abs(double(plan.output("y")[r]) - expected);
      CHECK(error <= 2e-7 * sorted.back());
      worst = std::max(worst, error / std::max(sorted.back(), 1e-30));
    }
  }
  fmt::print("summary: quantiles without sorting: {:.1e} of the largest element off\n", worst);
}

TEST_CASE("dynamic thresholding scales a row that goes beyond the range, and leaves others alone") {
  SamplerStep step = steps_of(10)[4];
  OneStep one(step);
  for (std::size_t i = 0; i < 4; ++i) one.x0[i] = 0.2 * double(i);  // row 0 stays inside
  StepArgs args{.prediction_type = PredictionType::x0, .threshold_quantile = 0.75};
  SamplerState after = sampler_step(args, one.knowing(PredictionType::x0, step), one.coefficients,
                                    {.x = one.noised});
  std::vector<double> bounds;
  for (std::size_t r = 0; r < 3; ++r) {
    std::vector<double> row;
    for (std::size_t i = 0; i < 4; ++i) row.push_back(std::abs(one.x0[4 * r + i]));
    std::ranges::sort(row);
    bounds.push_back(std::max(1.0, row[2] + 0.25 * (row[3] - row[2])));
  }
  CHECK(bounds[0] == 1);
  CHECK(std::max(bounds[1], bounds[2]) > 1);
  CHECK(one.difference(after.x0, [&](std::size_t i) {
    double s = bounds[i / 4];
    return std::clamp(one.x0[i], -s, s) / s;
  }) < kRounding);
}

TEST_CASE("known pixels are put back at the level of each step, and exactly at the last") {
  auto steps = steps_of(10);
  for (std::size_t at : {std::size_t{2}, steps.size() - 1}) {
    const SamplerStep& step = steps[at];
    OneStep one(step);
    std::vector<double> picture = doubles(OneStep::kElements, "known"), mask{1, 0, 0, 1, 1, 0};
    Expr known = one.input("known", one.shape, picture);
    Expr masks = one.input("mask", {3, 2, 1}, mask);
    StepArgs args{.clip_x0 = 0};
    SamplerState free = sampler_step(args, one.knowing(PredictionType::epsilon, step),
                                     one.coefficients, {.x = one.noised});
    SamplerState after =
        sampler_step(args, one.knowing(PredictionType::epsilon, step), one.coefficients,
                     {.x = one.noised}, {}, {.mask = masks, .x0 = known, .noise = one.noise});
    std::vector<double> without = value_of(free.x, one.state);
    CHECK(one.difference(after.x, [&](std::size_t i) {
      double put_back = step.next_signal * picture[i] + step.next_sigma * one.z[i];
      return mask[i / 2] > 0 ? put_back : without[i];
    }) < kRounding);
    if (at + 1 == steps.size()) {
      CHECK(value_of(after.x, one.state)[0] == picture[0]);
    }
  }
}

TEST_CASE("one plan runs every sampler, as double on the host does") {
  constexpr double kSpread = 0.5;
  NoiseSchedule all = schedule_of(BetaSchedule::linear);
  auto multistep = steps_of(25, {.sampler = Sampler::dpm2m});
  auto plan = testing::mixture_plan(all, 8, {0.3}, 1, kSpread * kSpread, multistep);
  std::vector<float> start = testing::normal_values(8, "start");
  double worst = 0;
  for (Sampler sampler : {Sampler::ddim, Sampler::dpm2m, Sampler::heun}) {
    INFO(int(sampler));
    auto steps = steps_of(25, {.sampler = sampler});
    std::vector<float> found = plan.walk(start, steps);
    for (std::size_t i = 0; i < found.size(); ++i) {
      double x = start[i], memo = 0;
      for (const SamplerStep& s : steps) {
        double spread = s.signal * s.signal * kSpread * kSpread + s.sigma * s.sigma;
        double eps = s.sigma * (x - s.signal * 0.3) / spread, x0 = (x - s.sigma * eps) / s.signal;
        auto mixed = [&](const StepMix& m) {
          return m.x * x + m.x0 * x0 + m.noise * eps + m.memo * memo;
        };
        double next = mixed(s.next);
        memo = mixed(s.memo);
        x = next;
      }
      worst = std::max(worst, std::abs(double(found[i]) - x));
    }
  }
  CHECK(worst < 2e-5);
  fmt::print("summary: one plan, three samplers: {:.1e} off double\n", worst);
}

TEST_CASE("DDIM with eta 1 and DDPM take the same step in a plan given the same noise") {
  NoiseSchedule all = schedule_of(BetaSchedule::linear);
  auto ddpm = steps_of(250, {.sampler = Sampler::ddpm});
  auto ddim = steps_of(250, {.eta = 1});
  auto plan = testing::mixture_plan(all, 16, {-1, 0.5}, 1, 0.01, ddpm);
  std::vector<float> x = testing::normal_values(16, "start");
  double worst = 0;
  for (std::size_t i = 0; i < ddpm.size(); ++i) {
    std::vector<float> one = plan.walk(x, {&ddpm[i], 1}, i), other = plan.walk(x, {&ddim[i], 1}, i);
    for (std::size_t j = 0; j < x.size(); ++j) {
      worst = std::max(worst, std::abs(double(one[j]) - double(other[j])));
    }
    x = one;
  }
  CHECK(worst < 1e-6);
  fmt::print("summary: D12 DDIM with eta 1 against DDPM in a plan: {:.1e}\n", worst);
}

TEST_CASE("operands of a step that do not fit are refused") {
  using testing::f;
  Denoiser same = [](Expr x, Expr) { return x; };
  auto step = [&](Graph& g, SamplerState state, Expr noise = {}, KnownPixels known = {}) {
    sampler_step({}, same, f(g, "step", {kStepCoefficients}), state, noise, known);
  };
  const testing::Refusal refusals[] = {
      {"coefficients of something else",
       [&](Graph& g) {
         sampler_step({}, same, f(g, "c", {4}), {.x = f(g, "x", {2, 3})});
       },
       {"sampler_step", "coefficients", "f32[4]"}},
      {"a vector", [&](Graph& g) { step(g, {.x = f(g, "x", {2})}); }, {"expected [N, .., C]"}},
      {"memo of another shape",
       [&](Graph& g) {
         step(g, {.x = f(g, "x", {2, 3}), .memo = f(g, "m", {2, 4})});
       },
       {"memo is not like x"}},
      {"noise of another shape",
       [&](Graph& g) {
         step(g, {.x = f(g, "x", {2, 3})}, f(g, "z", {3, 3}));
       },
       {"the noise is not like x"}},
      {"known pixels without noise",
       [&](Graph& g) {
         Expr x = f(g, "x", {2, 3});
         step(g, {.x = x}, {}, {.mask = f(g, "mask", {2, 1}), .x0 = x});
       },
       {"the noise of known pixels is not like x"}},
      {"a mask of other pixels",
       [&](Graph& g) {
         Expr x = f(g, "x", {2, 4, 3});
         step(g, {.x = x}, {}, {.mask = f(g, "mask", {2, 5, 1}), .x0 = x, .noise = x});
       },
       {"the mask of known pixels"}},
      {"the quantile of a scalar",
       [&](Graph& g) { quantile_per_row(f(g, "x", {}), 0.5); },
       {"quantile_per_row", "expected [N, ..]"}},
      {"a quantile beyond 1",
       [&](Graph& g) {
         quantile_per_row(f(g, "x", {2, 3}), 1.1);
       },
       {"expected 0 <= q <= 1"}},
      {"a guided network that forgets the second half",
       [&](Graph& g) {
         Denoiser half = [](Expr x, Expr) { return slice(x, 0, 0, 2); };
         sampler_step({.guided = true}, half, f(g, "step", {kStepCoefficients}),
                      {.x = f(g, "x", {2, 3})});
       },
       {"the network gives [2,3], expected [4,3]"}},
  };
  testing::check_refusals(refusals, "sampler_step_test.cc");
  auto refused = [&](StepArgs args) {
    Graph g;
    sampler_step(args, same, f(g, "step", {kStepCoefficients}), {.x = f(g, "x", {2, 3})});
  };
  CHECK_THROWS_AS(refused({.clip_x0 = -1}), UsageError);
  CHECK_THROWS_AS(refused({.threshold_quantile = 1.5}), UsageError);
  CHECK_THROWS_AS(refused({.threshold_quantile = -0.5}), UsageError);
  CHECK_THROWS_AS(refused({.clip_x0 = 0, .threshold_quantile = 0.9}), UsageError);
}
