// Noise schedules against constants of the reference implementations and against the chain of
// single steps that they summarise.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "diffusion/noise_schedule.h"
#include "diffusion/support.h"
#include "support/near.h"

using namespace atelier;
using testing::schedule_of;

namespace {

struct Constant {
  BetaSchedule kind;
  std::int64_t num_timesteps, index;
  double alphas_cumprod;
};
// Computed outside by the papers' formulas in double precision; in all their published digits they
// are the constants of the reference implementations.
const Constant kConstants[] = {
    {BetaSchedule::linear, 1000, 250, 0.5214230306185},
    {BetaSchedule::linear, 1000, 500, 0.07779665836502},
    {BetaSchedule::linear, 1000, 999, 4.035829765375e-05},
    {BetaSchedule::linear, 4000, 3999, 4.246652275802e-05},
    {BetaSchedule::cosine, 1000, 250, 0.8458879864969},
    {BetaSchedule::cosine, 1000, 500, 0.4922851724488},
    {BetaSchedule::cosine, 1000, 999, 2.428766907035e-09},
    {BetaSchedule::sigmoid, 1000, 500, 0.4983428178821},
    {BetaSchedule::scaled_linear, 1000, 999, 0.004660098513077},
};

constexpr BetaSchedule kAll[] = {BetaSchedule::linear, BetaSchedule::cosine, BetaSchedule::sigmoid,
                                 BetaSchedule::scaled_linear};

double worst_of(double worst, double found, double expected) {
  return std::max(worst, std::abs(found - expected) / std::max(std::abs(expected), 1e-30));
}

// Of q(x_(i-1) | x_i, x0) by Bayes's rule: precisions of the step and of what came before add up.
double worst_posterior(const NoiseSchedule& s) {
  double worst = 0;
  for (std::int64_t i = 1; i < s.size(); ++i) {
    auto at = std::size_t(i);
    double before = s.alphas_cumprod[at - 1], beta = s.betas[at], alpha = 1 - beta;
    double variance = 1 / (alpha / beta + 1 / (1 - before));
    worst = worst_of(worst, s.posterior_variance[at], variance);
    worst = worst_of(worst, s.posterior_mean_noised[at], variance * std::sqrt(alpha) / beta);
    worst = worst_of(worst, s.posterior_mean_x0[at], variance * std::sqrt(before) / (1 - before));
    worst = worst_of(worst, std::exp(s.posterior_log_variance[at]), variance);
  }
  return worst;
}

// Mean factor and variance of x_i given x0, one step after another.
double worst_chain(const NoiseSchedule& s) {
  double worst = 0, factor = 1, variance = 0;
  for (std::size_t i = 0; i < s.betas.size(); ++i) {
    factor *= std::sqrt(1 - s.betas[i]);
    variance = (1 - s.betas[i]) * variance + s.betas[i];
    worst = worst_of(worst, std::sqrt(s.alphas_cumprod[i]), factor);
    worst = worst_of(worst, 1 - s.alphas_cumprod[i], variance);
  }
  return worst;
}

}  // namespace

TEST_CASE("schedules have the constants of the reference implementations") {
  double worst = 0;
  for (const Constant& c : kConstants) {
    INFO(int(c.kind), " ", c.num_timesteps, " at ", c.index);
    double found = schedule_of(c.kind, c.num_timesteps).alphas_cumprod[std::size_t(c.index)];
    CHECK(found == testing::near(c.alphas_cumprod, 1e-9));
    worst = worst_of(worst, found, c.alphas_cumprod);
  }
  NoiseSchedule cosine = schedule_of(BetaSchedule::cosine);
  CHECK(std::ranges::count_if(cosine.betas, [](double b) { return b > 0.999 - 1e-9; }) == 1);
  NoiseSchedule linear = schedule_of(BetaSchedule::linear);
  for (auto [found, expected] :
       {std::pair(cosine.betas[0], 4.128422482197e-05), std::pair(linear.betas.front(), 1e-4),
        std::pair(linear.betas.back(), 0.02)}) {
    CHECK(found == testing::near(expected, 1e-9));
    worst = worst_of(worst, found, expected);
  }
  fmt::print("summary: D1 schedules: {} constants, the worst {:.1e} of its size off\n",
             std::size(kConstants) + 3, worst);
}

TEST_CASE("the closed form of a schedule is the chain of its steps, and its posterior is Bayes's") {
  double chain = 0, posterior = 0;
  for (BetaSchedule kind : kAll) {
    NoiseSchedule all = schedule_of(kind);
    NoiseSchedule some = respace(all, spaced_timesteps(1000, 37, TimestepSpacing::trailing));
    for (const NoiseSchedule& s : {all, some}) {
      chain = std::max(chain, worst_chain(s));
      posterior = std::max(posterior, worst_posterior(s));
      CHECK(s.posterior_variance[0] == 0);
      CHECK(s.posterior_log_variance[0] == std::log(s.posterior_variance[1]));
      CHECK(s.posterior_mean_x0[0] == testing::near(1, 1e-12));
      CHECK(s.posterior_mean_noised[0] == 0);
    }
  }
  CHECK(chain < 1e-10);
  CHECK(posterior < 1e-8);
  fmt::print("summary: D2 schedules: chain of steps {:.1e}, posterior {:.1e} off the closed form\n",
             chain, posterior);
}

TEST_CASE("a respaced schedule keeps the levels and tells the network the training timesteps") {
  NoiseSchedule all = schedule_of(BetaSchedule::cosine);
  std::vector<std::int64_t> kept{3, 100, 101, 998};
  NoiseSchedule some = respace(all, kept);
  CHECK(some.timesteps == kept);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK(some.alphas_cumprod[i] == all.alphas_cumprod[std::size_t(kept[i])]);
  }
  CHECK(some.betas[0] == 1 - all.alphas_cumprod[3]);
  CHECK(some.betas[3] == 1 - all.alphas_cumprod[998] / all.alphas_cumprod[101]);
  std::vector<std::int64_t> last{1, 3};
  CHECK(respace(some, last).timesteps == std::vector<std::int64_t>{100, 998});
  std::vector<std::int64_t> one{2};
  NoiseSchedule single = respace(some, one);
  CHECK(single.posterior_log_variance[0] == std::log(1 - all.alphas_cumprod[101]));
}

TEST_CASE("a zero terminal SNR leaves nothing at the end and the start as it was") {
  for (BetaSchedule kind : kAll) {
    NoiseSchedule plain = schedule_of(kind);
    NoiseSchedule zero = make_noise_schedule({.beta_schedule = kind, .zero_terminal_snr = true});
    CHECK(zero.alphas_cumprod.back() == 0);
    CHECK(zero.betas.back() == 1);
    CHECK(zero.snr.back() == 0);
    CHECK(zero.zero_terminal_snr());
    CHECK(!plain.zero_terminal_snr());
    CHECK(zero.alphas_cumprod[0] == testing::near(plain.alphas_cumprod[0], 1e-12));
    CHECK(worst_chain(zero) < 1e-10);
    CHECK(std::isfinite(zero.posterior_log_variance.back()));
  }
}

TEST_CASE("timesteps are spaced as the samplers of the field space them") {
  using List = std::vector<std::int64_t>;
  CHECK(spaced_timesteps(1000, 10, TimestepSpacing::leading) ==
        List{0, 100, 200, 300, 400, 500, 600, 700, 800, 900});
  CHECK(spaced_timesteps(1000, 10, TimestepSpacing::trailing) ==
        List{99, 199, 299, 399, 499, 599, 699, 799, 899, 999});
  CHECK(spaced_timesteps(1000, 5, TimestepSpacing::linspace) == List{0, 250, 500, 749, 999});
  CHECK(spaced_timesteps(1000, 1, TimestepSpacing::linspace) == List{999});
  CHECK(spaced_timesteps(1000, 1, TimestepSpacing::trailing) == List{999});
  for (std::int64_t n : {1, 2, 7, 10, 1000}) {
    for (std::int64_t count = 1; count <= n; ++count) {
      for (auto spacing :
           {TimestepSpacing::leading, TimestepSpacing::linspace, TimestepSpacing::trailing}) {
        List kept = spaced_timesteps(n, count, spacing);
        bool fits = std::int64_t(kept.size()) == count && kept.front() >= 0 && kept.back() < n &&
                    std::ranges::adjacent_find(kept, std::ranges::greater_equal{}) == kept.end();
        REQUIRE_MESSAGE(fits, n, " ", count, " ", int(spacing));
      }
    }
  }
  List falling{999, 500, 20}, rising{20, 500, 999};
  CHECK(listed_timesteps(1000, falling) == rising);
  CHECK(listed_timesteps(1000, rising) == rising);
}

TEST_CASE("schedules that cannot be are refused as misuse") {
  auto made = [](NoiseScheduleArgs args) { make_noise_schedule(args); };
  CHECK_THROWS_AS(made({.num_timesteps = 0}), UsageError);
  CHECK_THROWS_AS(made({.num_timesteps = -5}), UsageError);
  CHECK_THROWS_AS(made({.num_timesteps = 1, .zero_terminal_snr = true}), UsageError);
  CHECK_THROWS_AS(made({.num_timesteps = 20}), UsageError);  // beta_end would be 1
  CHECK_NOTHROW(made({.num_timesteps = 21}));
  CHECK_THROWS_AS(made({.beta_start = 0.03}), UsageError);
  CHECK_THROWS_AS(made({.beta_start = -1e-4}), UsageError);
  CHECK_THROWS_AS(made({.beta_end = std::nan("")}), UsageError);
  CHECK_THROWS_WITH_AS(
      parse_beta_schedule("quadratic"),
      "--beta-schedule 'quadratic': expected linear, cosine, sigmoid, scaled-linear", UsageError);
  CHECK(parse_beta_schedule("scaled-linear") == BetaSchedule::scaled_linear);
  CHECK_THROWS_AS(parse_timestep_spacing("even"), UsageError);
  CHECK(parse_timestep_spacing("trailing") == TimestepSpacing::trailing);
  NoiseSchedule s = schedule_of(BetaSchedule::linear, 100);
  using List = std::vector<std::int64_t>;
  for (const List& list : {List{}, List{5, 5}, List{3, 2, 4}, List{-1, 4}, List{4, 100}}) {
    CHECK_THROWS_AS(listed_timesteps(100, list), UsageError);
    CHECK_THROWS_AS(respace(s, list), UsageError);
  }
  CHECK_THROWS_AS(respace(s, List{4, 3}), UsageError);
  for (std::int64_t count : {-1, 0, 101}) {
    CHECK_THROWS_AS(spaced_timesteps(100, count, TimestepSpacing::leading), UsageError);
  }
}
