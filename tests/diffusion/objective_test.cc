// Losses of diffusion models: weights, gradients of the hybrid loss, the likelihood of 8-bit
// levels, refusals.
#include "diffusion/objective.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "diffusion/support.h"
#include "graph/messages.h"
#include "nn/support.h"
#include "run/plan.h"
#include "support/near.h"

using namespace atelier;
using testing::dense_of;
using testing::schedule_of;
using testing::value_of;

namespace {

// Constants of a graph are f32, whatever evaluates it.
constexpr double kConstants = 2e-7;

// Losses of a network whose output is an input, on rows of random pictures [N, 2, C].
struct Case {
  static constexpr std::int64_t kRows = 5, kChannels = 3;
  Graph graph;
  OracleState state;
  NoiseSchedule schedule;
  Expr output;
  DiffusionLosses losses;

  Case(const NoiseSchedule& s, const DiffusionArgs& args,
       std::vector<double> index = {0, 1, 7, 15, 19})
      : schedule(s) {
    bool learned = args.variance_type == VarianceType::learned_range;
    Shape picture{kRows, 2, kChannels};
    output = input("output", picture.with(-1, learned ? 2 * kChannels : kChannels), "output");
    Expr table = input("table", {s.size(), kTableColumns}, timestep_table(s, args));
    Expr at = graph.input("index", DType::i32, {kRows});
    state.inputs["index"] = dense_of({kRows}, std::move(index), DType::i32);
    losses = diffusion_losses(
        args, [this](Expr, Expr) { return output; }, table, input("x0", picture, "x0"), at,
        input("noise", picture, "noise"));
  }
  Expr input(const char* name, Shape shape, const char* stream) {
    std::vector<float> values = testing::normal_values(shape.count(), stream);
    return input(name, shape, std::vector<double>(values.begin(), values.end()));
  }
  Expr input(const char* name, Shape shape, std::vector<double> values) {
    state.inputs[name] = dense_of(shape, std::move(values));
    return graph.input(name, DType::f32, shape);
  }
  std::vector<double> values(Expr e) { return value_of(e, state); }
  std::vector<double> slope(Expr e) { return values(gradient(sum(e), output)); }
};

// Bits of the 256 levels under a normal distribution, by the step to x0 of a table whose fixed
// variance is given.
std::vector<double> level_bits(double mean, double logvar, bool in_f32) {
  constexpr std::int64_t kLevels = 256;
  Graph g;
  OracleState state;
  std::vector<double> levels, noise(kLevels, 0), index(kLevels, 0), means(kLevels, mean);
  for (int i = 0; i < kLevels; ++i) levels.push_back(2 * i / 255.0 - 1);
  auto input = [&](const char* name, Shape shape, std::vector<double> values,
                   DType dtype = DType::f32) {
    state.inputs[name] = dense_of(shape, std::move(values), dtype);
    return g.input(name, dtype, shape);
  };
  Expr table = input("table", {1, kTableColumns}, {1, 0, 0, 1, 1, logvar, logvar});
  Expr given = input("mean", {kLevels, 1}, means);
  DiffusionLosses losses = diffusion_losses(
      {.prediction_type = PredictionType::x0}, [&](Expr, Expr) { return given; }, table,
      input("x0", {kLevels, 1}, levels), input("index", {kLevels}, index, DType::i32),
      input("noise", {kLevels, 1}, noise));
  if (!in_f32) return value_of(losses.vlb, state);
  g.output("bits", losses.vlb);
  g.output("slope", gradient(sum(losses.vlb), given));
  Store store;
  Plan plan(g, store);
  for (const char* name : {"table", "mean", "x0", "noise"}) {
    std::ranges::transform(state.inputs[name].v, plan.input(name).begin(),
                           [](double v) { return float(v); });
  }
  std::ranges::fill(plan.input<std::int32_t>("index"), 0);
  plan.run();
  auto bits = plan.output("bits"), slope = plan.output("slope");
  std::vector<double> all(bits.begin(), bits.end());
  for (float v : slope) CHECK(std::isfinite(v));
  return all;
}

}  // namespace

TEST_CASE("min-SNR weights have the constants of their paper's formulas") {
  NoiseSchedule s = schedule_of(BetaSchedule::linear);
  double worst = 0;
  struct Row {
    std::size_t timestep;
    double snr, epsilon, x0, v;
  };
  for (const Row& row : {Row{100, 8.53666958, 0.58570851, 5, 0.52429205},
                         Row{250, 1.08952805, 1, 1.08952805, 0.52142303}}) {
    CHECK(s.snr[row.timestep] == testing::near(row.snr, 1e-6));
    auto check = [&](PredictionType type, double expected) {
      DiffusionArgs args{.prediction_type = type, .min_snr_gamma = 5};
      double found = timestep_table(s, args)[row.timestep * kTableColumns + 3];
      CHECK(std::abs(found - expected) < 1e-5 * expected);
      worst = std::max(worst, std::abs(found / expected - 1));
    };
    check(PredictionType::epsilon, row.epsilon);
    check(PredictionType::x0, row.x0);
    check(PredictionType::v, row.v);
  }
  auto first_below = [](const NoiseSchedule& of) {
    auto found = std::ranges::find_if(of.snr, [](double snr) { return snr < 5; });
    return found - of.snr.begin();
  };
  CHECK(first_below(s) == 130);
  CHECK(first_below(schedule_of(BetaSchedule::cosine)) == 261);
  CHECK(timestep_table(s, {})[3] == 1);
  fmt::print("summary: D8 min-SNR weights: {:.1e} off their constants; SNR below 5 from 130, 261\n",
             worst);
}

TEST_CASE("the three losses are weighted error, error and bound, and the bound") {
  NoiseSchedule s = schedule_of(BetaSchedule::cosine, 20);
  DiffusionArgs args{.prediction_type = PredictionType::v,
                     .variance_type = VarianceType::learned_range,
                     .min_snr_gamma = 5};
  Case simple(s, args);
  args.loss = DiffusionLoss::hybrid;
  Case hybrid(s, args);
  args.loss = DiffusionLoss::vlb;
  args.min_snr_gamma = 0;
  Case bound(s, args);
  std::vector<double> mse = simple.values(simple.losses.mse), vlb = bound.values(bound.losses.vlb);
  CHECK(simple.values(simple.losses.vlb) == vlb);
  CHECK(hybrid.values(hybrid.losses.vlb) == vlb);
  std::vector<double> of_simple = simple.values(simple.losses.loss);
  std::vector<double> of_hybrid = hybrid.values(hybrid.losses.loss);
  std::vector<double> of_bound = bound.values(bound.losses.loss);
  const std::size_t at[] = {0, 1, 7, 15, 19};
  for (std::size_t i = 0; i < mse.size(); ++i) {
    double weight = min_snr_weight(PredictionType::v, s.snr[at[i]], 5);
    CHECK(of_simple[i] == testing::near(weight * mse[i], 1e-12));
    CHECK(of_hybrid[i] == testing::near(weight * mse[i] + 0.02 * vlb[i], kConstants));
    CHECK(of_bound[i] == testing::near(20 * vlb[i], 1e-12));
  }
}

TEST_CASE("the hybrid loss trains the picture by the error and the variance by the bound") {
  NoiseSchedule s = schedule_of(BetaSchedule::linear, 30);
  DiffusionArgs args{.variance_type = VarianceType::learned_range, .loss = DiffusionLoss::hybrid};
  Case hybrid(s, args);
  args.loss = DiffusionLoss::vlb;
  Case bound(s, args);
  std::vector<double> of_loss = hybrid.slope(hybrid.losses.loss);
  std::vector<double> of_mse = hybrid.slope(hybrid.losses.mse);
  std::vector<double> of_bound = bound.slope(bound.losses.vlb);
  double picture = 0, variance = 0, least = INFINITY, spill = 0;
  for (std::size_t i = 0; i < of_loss.size(); ++i) {
    if (i % 6 < 3) {
      picture = std::max(picture, std::abs(of_loss[i] - of_mse[i]));
      spill = std::max(spill, std::abs(of_bound[i]));  // which the hybrid loss keeps out
    } else {
      variance = std::max(variance, std::abs(of_loss[i] / (0.03 * of_bound[i]) - 1));
      least = std::min(least, std::abs(of_bound[i]));
    }
  }
  CHECK(picture < 1e-12);
  CHECK(variance < kConstants);
  CHECK(least > 0);
  CHECK(spill > 1e-3);
  fmt::print("summary: slopes of the hybrid loss: picture {:.1e}, variance {:.1e} off\n", picture,
             variance);
}

TEST_CASE("the bound clips the pictures that it is told to clip") {
  NoiseSchedule s = schedule_of(BetaSchedule::linear, 30);
  Case free(s, {.prediction_type = PredictionType::x0, .discretized = false});
  Case clipped(s, {.prediction_type = PredictionType::x0, .discretized = false, .clip_x0 = 0.5});
  std::vector<double> whole = free.values(free.losses.x0), cut = clipped.values(clipped.losses.x0);
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(cut[i] == std::clamp(whole[i], -0.5, 0.5));
  CHECK(free.values(free.losses.mse) == clipped.values(clipped.losses.mse));
  CHECK(free.values(free.losses.vlb) != clipped.values(clipped.losses.vlb));
}

TEST_CASE("the terms of the bound of a network that is wrong are those of two Gaussians") {
  NoiseSchedule s = schedule_of(BetaSchedule::cosine, 20);
  Case one(s, {.prediction_type = PredictionType::x0,
               .variance_type = VarianceType::fixed_small,
               .discretized = false});
  std::vector<double> vlb = one.values(one.losses.vlb), y = one.state.inputs["output"].v;
  std::vector<double> x0 = one.state.inputs["x0"].v, noise = one.state.inputs["noise"].v;
  const std::size_t at[] = {0, 1, 7, 15, 19};
  double worst = 0;
  for (std::size_t r = 0; r < 5; ++r) {
    double bits = 0, variance = std::exp(s.posterior_log_variance[at[r]]);
    for (std::size_t j = 6 * r; j < 6 * r + 6; ++j) {
      // Means of posterior and model, both in full.
      double a = s.alphas_cumprod[at[r]];
      double noised = std::sqrt(a) * x0[j] + std::sqrt(1 - a) * noise[j];
      auto mean = [&](double picture) {
        return s.posterior_mean_x0[at[r]] * picture + s.posterior_mean_noised[at[r]] * noised;
      };
      double square = std::pow(mean(x0[j]) - mean(y[j]), 2) / (2 * variance);
      double log_normal = 0.5 * std::log(2 * std::numbers::pi * variance);
      if (at[r] == 0) square = std::pow(x0[j] - mean(y[j]), 2) / (2 * variance) + log_normal;
      bits += square / std::numbers::ln2 / 6;
    }
    worst = std::max(worst, std::abs(bits - vlb[r]) / bits);
  }
  CHECK(worst < kConstants);
}

TEST_CASE("the 256 levels of 8 bits have probabilities that sum to 1, close to the normal's") {
  double worst_sum = 0, worst_level = 0;
  for (double logvar : {-12.0, -9.2, -6.0, -2.0, 0.0, 3.0}) {
    for (double mean : {-1.0, -0.37, 0.0, 0.9, 1.6}) {
      INFO("logvar ", logvar, " mean ", mean);
      std::vector<double> bits = level_bits(mean, logvar, false);
      double sum = 0, sd = std::exp(logvar / 2);
      auto below = [&](double edge) { return 0.5 * std::erfc((mean - edge) / sd / std::sqrt(2)); };
      for (std::size_t i = 0; i < bits.size(); ++i) {
        double p = std::exp2(-bits[i]), x = 2 * double(i) / 255 - 1;
        double low = i == 0 ? 0 : below(x - 1.0 / 255), high = i == 255 ? 1 : below(x + 1.0 / 255);
        worst_level = std::max(worst_level, std::abs(p - (high - low)));
        sum += p;
      }
      CHECK(std::abs(sum - 1) < kConstants);
      worst_sum = std::max(worst_sum, std::abs(sum - 1));
    }
  }
  // Twice what the approximation of one edge is off.
  CHECK(worst_level < 4e-4);
  fmt::print(
      "summary: 8-bit levels: probabilities sum to 1 within {:.1e}, each {:.1e} off the "
      "normal's\n",
      worst_sum, worst_level);
}

TEST_CASE("levels that are all but impossible have finite bits and slopes in f32") {
  double worst = 0;
  for (double logvar : {-14.0, -9.2, -2.0, 2.0}) {
    for (double mean : {-1.5, -0.2, 1.0}) {
      INFO("logvar ", logvar, " mean ", mean);
      std::vector<double> found = level_bits(mean, logvar, true);
      std::vector<double> exact = level_bits(mean, logvar, false);
      for (std::size_t i = 0; i < found.size(); ++i) {
        double error = std::abs(found[i] - exact[i]) / std::max(exact[i], 1.0);
        REQUIRE(std::isfinite(found[i]));
        CHECK(error < 1e-4);
        worst = std::max(worst, error);
      }
    }
  }
  fmt::print("summary: bits of impossible 8-bit levels: {:.1e} off in f32\n", worst);
}

TEST_CASE("objectives refuse what does not fit together") {
  NoiseSchedule s = schedule_of(BetaSchedule::linear, 30);
  NoiseSchedule zero = make_noise_schedule({.zero_terminal_snr = true});
  CHECK_THROWS_AS(timestep_table(s, {.loss = DiffusionLoss::hybrid}), UsageError);
  CHECK_THROWS_AS(timestep_table(s, {.loss = DiffusionLoss::vlb, .min_snr_gamma = 5}), UsageError);
  CHECK_THROWS_AS(timestep_table(s, {.min_snr_gamma = -1}), UsageError);
  CHECK_THROWS_AS(timestep_table(s, {.clip_x0 = -1}), UsageError);
  CHECK_THROWS_AS(timestep_table(zero, {}), UsageError);
  CHECK_NOTHROW(timestep_table(zero, {.prediction_type = PredictionType::v}));
  CHECK_THROWS_AS(parse_diffusion_loss("l2"), UsageError);
  CHECK(parse_diffusion_loss("hybrid") == DiffusionLoss::hybrid);

  using testing::f;
  using testing::i;
  Denoiser same = [](Expr x, Expr) { return x; };
  auto made = [&](Graph& g, Expr table, Expr x0, Expr index, Expr noise) {
    (void)g;
    diffusion_losses({}, same, table, x0, index, noise);
  };
  const testing::Refusal refusals[] = {
      {"another table",
       [&](Graph& g) {
         Expr x = f(g, "x", {4, 3});
         made(g, f(g, "t", {20, 3}), x, i(g, "i", {4}), x);
       },
       {"diffusion_losses", "the table is none of timestep_table()", "f32[20,3]"}},
      {"indices of other rows",
       [&](Graph& g) {
         Expr x = f(g, "x", {4, 3});
         made(g, f(g, "t", {20, kTableColumns}), x, i(g, "i", {5}), x);
       },
       {"expected an index i32 [N]"}},
      {"timesteps for indices",
       [&](Graph& g) {
         Expr x = f(g, "x", {4, 3});
         made(g, f(g, "t", {20, kTableColumns}), x, f(g, "i", {4}), x);
       },
       {"expected an index i32 [N]"}},
      {"noise of another shape",
       [&](Graph& g) {
         made(g, f(g, "t", {20, kTableColumns}), f(g, "x", {4, 3}), i(g, "i", {4}),
              f(g, "n", {4, 2}));
       },
       {"the noise is not like x0"}},
      {"no noise",
       [&](Graph& g) {
         made(g, f(g, "t", {20, kTableColumns}), f(g, "x", {4, 3}), i(g, "i", {4}), {});
       },
       {"an operand is absent"}},
  };
  testing::check_refusals(refusals, "objective_test.cc");
}
