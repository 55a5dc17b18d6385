// Losses of the best network for Gaussian data, against closed forms.
//
// For data N(0, c^2) the best network is linear, so that every loss is quadratic in x0 and noise
// and its expectation is exactly the mean over the four rows (x0, noise) = (+-c, +-1) of a
// timestep.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "diffusion/known_networks.h"
#include "diffusion/objective.h"
#include "graph/ops.h"
#include "nn/support.h"
#include "run/plan.h"
#include "support/near.h"

using namespace atelier;
using testing::schedule_of;

namespace {

constexpr BetaSchedule kAll[] = {BetaSchedule::linear, BetaSchedule::cosine, BetaSchedule::sigmoid,
                                 BetaSchedule::scaled_linear};

// Expected losses, in the units of diffusion_losses().
struct Expected {
  double bound = 0;  // bits per dimension of all timesteps and the prior
  double mse = 0;    // mean over timesteps
};

// The four rows of every timestep of a schedule, and the network as a graph.
struct Gaussian {
  NoiseSchedule schedule;
  double c;
  DiffusionArgs args;
  Graph graph;
  std::map<std::string, Dense, std::less<>> inputs;
  Expr ranges;  // of a learned variance, [T, 1]

  Gaussian(const NoiseSchedule& s, double sd, DiffusionArgs what) : schedule(s), c(sd), args(what) {
    args.discretized = false;
    std::int64_t rows = 4 * s.size();
    std::vector<double> x0, noise, index;
    for (std::int64_t i = 0; i < rows; ++i) {
      x0.push_back(i & 1 ? c : -c);
      noise.push_back(i & 2 ? 1 : -1);
      index.push_back(double(i / 4));
    }
    Expr table = input("table", {s.size(), kTableColumns}, timestep_table(s, args));
    Expr picture = input("x0", {rows, 1}, x0);
    DiffusionLosses losses =
        diffusion_losses(args, network(), table, picture, input("index", {rows}, index, DType::i32),
                         input("noise", {rows, 1}, noise));
    graph.output("vlb", losses.vlb);
    graph.output("mse", losses.mse);
    graph.output("prior", prior_bits(s, picture));
    if (ranges) graph.output("slope", gradient(sum(losses.loss), ranges));
  }

  Expr input(const char* name, Shape shape, std::vector<double> values, DType dtype = DType::f32) {
    inputs[name] = testing::dense_of(shape, std::move(values), dtype);
    return graph.input(name, dtype, shape);
  }

  // The best prediction; with a learned variance the best of that too.
  Denoiser network() {
    Expr levels = input("levels", {schedule.size(), 2}, testing::levels_of(schedule));
    Expr mean = input("mean", {1, 1}, {0});
    Denoiser noise_of_x = testing::mixture_noise(levels, mean, c * c);
    if (args.variance_type == VarianceType::learned_range) {
      ranges = input("ranges", {schedule.size(), 1}, best_ranges());
    }
    return [=, this, ranges = ranges](Expr x, Expr timestep) {
      Expr at = cast(timestep, DType::i32);
      Expr level = take(levels, at);
      Expr s = slice(level, 1, 0, 1), n = slice(level, 1, 1, 2);
      Expr eps = noise_of_x(x, timestep), y = eps;
      if (args.prediction_type != PredictionType::epsilon) {
        Expr x0 = s * x * (c * c) / (square(s) * (c * c) + square(n));
        y = args.prediction_type == PredictionType::x0 ? x0 : s * eps - n * x0;
      }
      return ranges ? concat(std::array{y, take(ranges, at)}, 1) : y;
    };
  }
  std::vector<double> best_ranges() const {
    std::vector<double> ranges;
    for (std::size_t i = 0; i < schedule.betas.size(); ++i) {
      double a = schedule.alphas_cumprod[i];
      double unknown = c * c * (1 - a) / (a * c * c + 1 - a);  // variance of x0 given x
      double best = schedule.posterior_variance[i] +
                    schedule.posterior_mean_x0[i] * schedule.posterior_mean_x0[i] * unknown;
      double low = schedule.posterior_log_variance[i], high = std::log(schedule.betas[i]);
      ranges.push_back(2 * (std::log(best) - low) / (high - low) - 1);
    }
    return ranges;
  }

  Expected summed(std::span<const double> vlb, std::span<const double> mse,
                  std::span<const double> prior) const {
    Expected sum;
    for (double v : vlb) sum.bound += v / 4;
    for (double v : mse) sum.mse += v / double(mse.size());
    for (double v : prior) sum.bound += v / double(prior.size());
    return sum;
  }
  Expected by_oracle() {
    OracleState state;
    state.inputs = inputs;
    auto out = run_oracle(graph, state);
    return summed(out["vlb"].v, out["mse"].v, out["prior"].v);
  }
  Expected by_plan() {
    Store store;
    Plan plan(graph, store);
    for (const auto& [name, dense] : inputs) {
      auto cast_to = [](auto& span, const std::vector<double>& v) {
        std::ranges::transform(v, span.begin(), [](double x) {
          return static_cast<typename std::remove_reference_t<decltype(span)>::element_type>(x);
        });
      };
      if (dense.type.dtype == DType::i32) {
        auto span = plan.input<std::int32_t>(name);
        cast_to(span, dense.v);
      } else {
        auto span = plan.input(name);
        cast_to(span, dense.v);
      }
    }
    plan.run();
    auto read = [&](const char* name) {
      auto span = plan.output(name);
      return std::vector<double>(span.begin(), span.end());
    };
    return summed(read("vlb"), read("mse"), read("prior"));
  }
};

Expected expected(const NoiseSchedule& s, double c, DiffusionArgs args) {
  return Gaussian(s, c, args).by_oracle();
}

// Of graphs whose constants are f32, in bits of a bound of some bits.
constexpr double kConstants = 2e-7;

// The bound after training the range of a learned variance, from the middle on, by the loss of
// `args` with Adam.
double trained_bound(const NoiseSchedule& s, double c, DiffusionArgs args, int steps) {
  constexpr double kRate = 0.1, kBeta1 = 0.9, kBeta2 = 0.99;
  Gaussian gaussian(s, c, args);
  std::vector<double>& range = gaussian.inputs["ranges"].v;
  std::vector<double> first(range.size(), 0.0), second(range.size(), 0.0);
  std::ranges::fill(range, 0.0);
  for (int step = 1; step <= steps; ++step) {
    OracleState state;
    state.inputs = gaussian.inputs;
    std::vector<double> slope = run_oracle(gaussian.graph, state)["slope"].v;
    double rate = kRate * (1 - double(step - 1) / steps);
    for (std::size_t i = 0; i < range.size(); ++i) {
      first[i] = kBeta1 * first[i] + (1 - kBeta1) * slope[i];
      second[i] = kBeta2 * second[i] + (1 - kBeta2) * slope[i] * slope[i];
      double mean = first[i] / (1 - std::pow(kBeta1, step));
      double spread = std::sqrt(second[i] / (1 - std::pow(kBeta2, step)));
      range[i] -= spread > 0 ? rate * mean / spread : 0;
    }
  }
  return gaussian.by_oracle().bound;
}

double entropy_bits(double c) {
  return 0.5 * std::log2(2 * std::numbers::pi * std::numbers::e * c * c);
}

// What is left where noise at the last timestep is not quite standard: KL of N(0, variance of x).
double prior_mismatch_bits(const NoiseSchedule& s, double c) {
  double above = s.alphas_cumprod.back() * (c * c - 1);
  return 0.5 * (above - std::log1p(above)) / std::numbers::ln2;
}

}  // namespace

TEST_CASE("with the best mean and variance the bound is the entropy of Gaussian data") {
  double worst = 0, worst_single = 0;
  DiffusionArgs args{.variance_type = VarianceType::learned_range};
  for (BetaSchedule kind : kAll) {
    for (std::int64_t timesteps : {100, 1000}) {
      NoiseSchedule s = schedule_of(kind, timesteps);
      for (double c : {1.0, 0.5, 0.1}) {
        INFO(int(kind), " ", timesteps, " ", c);
        double excess = expected(s, c, args).bound - entropy_bits(c);
        CHECK(std::abs(excess) < 1e-5);
        excess -= prior_mismatch_bits(s, c);
        CHECK(std::abs(excess) < kConstants);
        worst = std::max(worst, std::abs(excess));
      }
    }
    Gaussian gaussian(schedule_of(kind), 0.5, args);
    double excess = gaussian.by_plan().bound - entropy_bits(0.5);
    CHECK(std::abs(excess) < 1e-5);
    worst_single = std::max(worst_single, std::abs(excess));
  }
  for (auto type : {PredictionType::x0, PredictionType::v}) {
    args.prediction_type = type;
    double excess = expected(schedule_of(BetaSchedule::cosine), 0.5, args).bound;
    CHECK(std::abs(excess - entropy_bits(0.5)) < kConstants);
  }
  NoiseSchedule zero = make_noise_schedule({.zero_terminal_snr = true});
  args.prediction_type = PredictionType::v;
  args.variance_type = VarianceType::fixed_large;
  CHECK(std::isfinite(expected(zero, 0.5, args).bound));
  fmt::print(
      "summary: D3 bound minus entropy of Gaussian data: {:.1e} bits in f64, {:.1e} in f32 plans\n",
      worst, worst_single);
}

TEST_CASE("fixed variances cost as many bits as they do in closed form") {
  struct Row {
    BetaSchedule kind;
    std::int64_t num_timesteps;
    double c, large, small;
  };
  constexpr Row kRows[] = {
      {BetaSchedule::linear, 1000, 0.5, 0.165433, 0.822229},
      {BetaSchedule::cosine, 1000, 0.5, 0.185203, 0.764619},
      {BetaSchedule::linear, 4000, 0.5, 0.204790, 0.702969},
      {BetaSchedule::cosine, 4000, 0.5, 0.210858, 0.683545},
      {BetaSchedule::linear, 100, 0.5, 0.047648, 1.835396},
      {BetaSchedule::linear, 1000, 1, 0.164038, 0.834736},
      {BetaSchedule::linear, 1000, 0.25, 0.170654, 0.798178},
  };
  double worst = 0;
  for (const Row& row : kRows) {
    INFO(int(row.kind), " ", row.num_timesteps, " ", row.c);
    NoiseSchedule s = schedule_of(row.kind, row.num_timesteps);
    auto excess = [&](VarianceType type) {
      return expected(s, row.c, {.variance_type = type}).bound - entropy_bits(row.c);
    };
    double large = excess(VarianceType::fixed_large), small = excess(VarianceType::fixed_small);
    CHECK(std::abs(large - row.large) < 1e-6);
    CHECK(std::abs(small - row.small) < 1e-6);
    worst = std::max({worst, std::abs(large - row.large), std::abs(small - row.small)});
    // Of standard normal data every step but that to x0 is right with the large variance.
    if (row.c == 1) {
      double ratio = s.posterior_variance[1] / s.betas[0];
      double first = 0.5 * (std::log(ratio) - 1 + 1 / ratio) / std::numbers::ln2;
      CHECK(large == testing::near(first, 1e-6));
    }
  }
  fmt::print(
      "summary: D4 excess bits of fixed variances, {} schedules: {:.1e} off their constants\n",
      std::size(kRows), worst);
}

TEST_CASE(
    "D16: of one mean network the bound is least with a learned variance, then the large one") {
  struct Row {
    BetaSchedule kind;
    std::int64_t num_timesteps;
    double c;
  };
  int schedules = 0;
  for (BetaSchedule kind : kAll) {
    for (const Row& row : {Row{kind, 100, 0.5}, Row{kind, 1000, 0.5}, Row{kind, 1000, 0.25}}) {
      INFO(int(row.kind), " ", row.num_timesteps, " ", row.c);
      NoiseSchedule s = schedule_of(row.kind, row.num_timesteps);
      auto bound = [&](VarianceType type) {
        return expected(s, row.c, {.variance_type = type}).bound;
      };
      double large = bound(VarianceType::fixed_large), small = bound(VarianceType::fixed_small);
      CHECK(bound(VarianceType::learned_range) < large);
      CHECK(large < small);
      ++schedules;
    }
  }
  // What the hybrid loss makes of the range, the network's mean being as it is.
  NoiseSchedule s = schedule_of(BetaSchedule::linear, 100);
  double best = expected(s, 0.5, {.variance_type = VarianceType::learned_range}).bound;
  double large = expected(s, 0.5, {.variance_type = VarianceType::fixed_large}).bound;
  double learned = trained_bound(
      s, 0.5, {.variance_type = VarianceType::learned_range, .loss = DiffusionLoss::hybrid}, 200);
  CHECK(learned - best > -1e-9);
  CHECK(learned - best < 1e-3);
  CHECK(learned < large);
  fmt::print(
      "summary: D16 excess bits, learned < large < small of {} schedules; trained by the hybrid "
      "loss {:.1e} above the best, large {:.6f}\n",
      schedules, learned - best, large - best);
}

TEST_CASE("the prior's term is the divergence of the last timestep from standard noise") {
  struct Row {
    BetaSchedule kind;
    double x0, bits;
  };
  for (const Row& row :
       {Row{BetaSchedule::linear, 0.5, 7.28e-6}, Row{BetaSchedule::cosine, 0.5, 4.4e-10},
        Row{BetaSchedule::linear, 1, 2.91e-5}, Row{BetaSchedule::scaled_linear, 1, 0.00337}}) {
    Graph g;
    OracleState state;
    state.inputs["x0"] = testing::dense_of({1, 2}, {row.x0, -row.x0});
    Expr bits = prior_bits(schedule_of(row.kind), g.input("x0", DType::f32, {1, 2}));
    double found = testing::value_of(bits, state)[0];
    CHECK(found == testing::near(row.bits, 0.01));
    fmt::print("summary: D5 prior bits, schedule {}, x0 +-{}: {:.3g}\n", int(row.kind), row.x0,
               found);
  }
}

TEST_CASE("the squared error of the best prediction is what its posterior variance says") {
  double worst = 0;
  NoiseSchedule linear = schedule_of(BetaSchedule::linear);
  NoiseSchedule cosine = schedule_of(BetaSchedule::cosine);
  auto check = [&](PredictionType type, double c, double on_linear, double on_cosine) {
    DiffusionArgs args{.prediction_type = type};
    double found = expected(linear, c, args).mse, other = expected(cosine, c, args).mse;
    CHECK(std::abs(found - on_linear) < 1e-6);
    CHECK(std::abs(other - on_cosine) < 1e-6);
    worst = std::max({worst, std::abs(found - on_linear), std::abs(other - on_cosine)});
  };
  check(PredictionType::epsilon, 1, 0.275513, 0.495578);
  check(PredictionType::epsilon, 0.5, 0.173053, 0.327653);
  check(PredictionType::epsilon, 0.25, 0.098639, 0.193401);
  check(PredictionType::epsilon, 0.1, 0.041431, 0.083845);
  check(PredictionType::v, 1, 1, 1);
  check(PredictionType::v, 0.5, 0.379790, 0.495740);
  double inverse = 0;  // x0: c^2 (1 - a) / (a c^2 + 1 - a)
  for (double a : linear.alphas_cumprod) inverse += 0.25 * (1 - a) / (0.25 * a + 1 - a) / 1000;
  CHECK(expected(linear, 0.5, {.prediction_type = PredictionType::x0}).mse ==
        testing::near(inverse, 1e-9));
  fmt::print("summary: D6 least squared errors on Gaussian data: {:.1e} off their constants\n",
             worst);
}
