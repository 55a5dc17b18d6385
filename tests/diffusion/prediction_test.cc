// What predictions mean: identities of the conversions, refusals.
#include "diffusion/prediction.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "diffusion/support.h"
#include "graph/messages.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

constexpr PredictionType kTypes[] = {PredictionType::epsilon, PredictionType::x0,
                                     PredictionType::v};

// Pictures and noise of every level of a schedule, one row each.
struct Rows {
  Graph graph;
  OracleState state;
  Expr x0, noise, signal, sigma;
  NoiseLevel level;

  explicit Rows(const NoiseSchedule& s) {
    std::int64_t rows = s.size();
    x0 = input("x0", {rows, 2, 1, 3}, normal_doubles(rows * 6, "x0"));
    noise = input("noise", x0.shape(), normal_doubles(rows * 6, "noise"));
    std::vector<double> signals, sigmas;
    for (double a : s.alphas_cumprod) {
      signals.push_back(std::sqrt(a));
      sigmas.push_back(std::sqrt(1 - a));
    }
    signal = input("signal", {rows}, signals);
    sigma = input("sigma", {rows}, sigmas);
    level = {per_row(signal, x0), per_row(sigma, x0)};
  }
  Expr input(const char* name, Shape shape, std::vector<double> values) {
    state.inputs[name] = testing::dense_of(shape, std::move(values));
    return graph.input(name, DType::f32, shape);
  }
  static std::vector<double> normal_doubles(std::int64_t count, const char* stream) {
    std::vector<float> values = testing::normal_values(count, stream);
    return {values.begin(), values.end()};
  }
  // The largest difference, in units of `unit` a row if it is given.
  double difference(Expr a, Expr b, const std::vector<double>& unit = {}) {
    std::vector<double> x = testing::value_of(a, state), y = testing::value_of(b, state);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      worst = std::max(worst, std::abs(x[i] - y[i]) / (unit.empty() ? 1 : unit[i / 6]));
    }
    return worst;
  }
};

}  // namespace

TEST_CASE("a perfect prediction of any type gives back picture and noise") {
  double worst = 0;
  for (BetaSchedule kind : {BetaSchedule::linear, BetaSchedule::cosine}) {
    Rows rows(testing::schedule_of(kind));
    Expr noised = add_noise(rows.x0, rows.noise, rows.level);
    for (PredictionType type : kTypes) {
      INFO(int(kind), " ", int(type));
      Expr target = prediction_target(type, rows.x0, rows.noise, rows.level);
      double picture = rows.difference(x0_of(type, target, noised, rows.level), rows.x0);
      double noise = rows.difference(noise_of(type, target, noised, rows.level), rows.noise);
      CHECK(picture < 1e-6);
      CHECK(noise < 1e-6);
      worst = std::max({worst, picture, noise});
    }
  }
  fmt::print("summary: D7 conversions of predictions: {:.1e} off in f64\n", worst);
}

TEST_CASE("noised pictures and v keep the length of picture and noise") {
  Rows rows(testing::schedule_of(BetaSchedule::linear, 50));
  Expr noised = add_noise(rows.x0, rows.noise, rows.level);
  Expr v = prediction_target(PredictionType::v, rows.x0, rows.noise, rows.level);
  Expr lengths = square(noised) + square(v);
  CHECK(rows.difference(lengths, square(rows.x0) + square(rows.noise)) < 1e-12);
}

TEST_CASE("a learned variance lies between the posterior's and beta, by the range -1 to 1") {
  NoiseSchedule s = testing::schedule_of(BetaSchedule::cosine, 20);
  Graph g;
  OracleState state;
  std::vector<double> small = s.posterior_log_variance, large;
  for (double beta : s.betas) large.push_back(std::log(beta));
  state.inputs["small"] = testing::dense_of({20, 1}, small);
  state.inputs["large"] = testing::dense_of({20, 1}, large);
  state.inputs["range"] = testing::dense_of({1, 3}, {-1, 1, 0});
  Expr range = g.input("range", DType::f32, {1, 3});
  Expr low = g.input("small", DType::f32, {20, 1}), high = g.input("large", DType::f32, {20, 1});
  std::vector<double> logs = testing::value_of(learned_log_variance(range, low, high), state);
  double worst = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(logs[3 * i] == testing::near(small[i], 1e-12));
    CHECK(logs[3 * i + 1] == testing::near(large[i], 1e-12));
    CHECK(logs[3 * i + 2] == testing::near((small[i] + large[i]) / 2, 1e-12));
    worst = std::max(worst, std::abs(logs[3 * i + 2] - (small[i] + large[i]) / 2));
  }
  fmt::print("summary: A12 a range of 0: {:.1e} off the geometric mean of both variances\n", worst);
}

TEST_CASE("the fixed variances are the posterior's and beta, save the first of the large") {
  NoiseSchedule s = testing::schedule_of(BetaSchedule::linear);
  std::vector<double> large = log_variances(s, VarianceType::fixed_large);
  CHECK(log_variances(s, VarianceType::fixed_small) == s.posterior_log_variance);
  CHECK(large[0] == s.posterior_log_variance[1]);
  CHECK(large.size() == s.betas.size());
  bool betas = true;
  for (std::size_t i = 1; i < large.size(); ++i) betas = betas && large[i] == std::log(s.betas[i]);
  CHECK(betas);
  CHECK_THROWS_AS(log_variances(s, VarianceType::learned_range), UsageError);
}

TEST_CASE("the channels of a network's output are prediction, then range") {
  Graph g;
  OracleState state;
  state.inputs["y"] = testing::dense_of({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  Expr y = g.input("y", DType::f32, {1, 2, 4}), x = g.input("x", DType::f32, {1, 2, 2});
  Prediction parts = split_prediction(y, x, VarianceType::learned_range);
  CHECK(testing::value_of(parts.pred, state) == std::vector<double>{1, 2, 5, 6});
  CHECK(testing::value_of(parts.range, state) == std::vector<double>{3, 4, 7, 8});
  Prediction whole = split_prediction(x, x, VarianceType::fixed_small);
  CHECK(whole.pred == x);
  CHECK(!whole.range);
}

TEST_CASE("operands that do not fit are refused with their shapes and the place of the call") {
  using testing::f;
  const testing::Refusal refusals[] = {
      {"noise of another shape",
       [](Graph& g) {
         Expr s = f(g, "s", {});
         add_noise(f(g, "x", {4, 3}), f(g, "n", {4, 2}), {s, s});
       },
       {"add_noise", "pictures have different shapes", "f32[4,3]", "f32[4,2]"}},
      {"absent level",
       [](Graph& g) {
         add_noise(f(g, "x", {4, 3}), f(g, "n", {4, 3}), {});
       },
       {"an operand is absent"}},
      {"no channels",
       [](Graph& g) {
         Expr s = f(g, "s", {});
         x0_of(PredictionType::v, f(g, "x", {4}), f(g, "n", {4}), {s, s});
       },
       {"x0_of", "expected [N, .., C]"}},
      {"rows of another number",
       [](Graph& g) {
         per_row(f(g, "r", {3}), f(g, "x", {4, 2}));
       },
       {"per_row", "f32[3]"}},
      {"a network without the channels of its variance",
       [](Graph& g) {
         split_prediction(f(g, "y", {4, 3}), f(g, "x", {4, 3}), VarianceType::learned_range);
       },
       {"the network gives [4,3], expected [4,6] for a learned variance"}},
      {"a network with too many channels",
       [](Graph& g) {
         split_prediction(f(g, "y", {4, 6}), f(g, "x", {4, 3}), VarianceType::fixed_large);
       },
       {"the network gives [4,6], expected [4,3]"}},
  };
  testing::check_refusals(refusals, "prediction_test.cc");
}

TEST_CASE("names of predictions and variances are read, others refused") {
  CHECK(parse_prediction_type("v") == PredictionType::v);
  CHECK(parse_prediction_type("epsilon") == PredictionType::epsilon);
  CHECK(parse_prediction_type("x0") == PredictionType::x0);
  CHECK_THROWS_AS(parse_prediction_type("noise"), UsageError);
  CHECK(parse_variance_type("learned-range") == VarianceType::learned_range);
  CHECK(parse_variance_type("fixed-small") == VarianceType::fixed_small);
  CHECK(parse_variance_type("fixed-large") == VarianceType::fixed_large);
  CHECK_THROWS_AS(parse_variance_type("learned"), UsageError);
  NoiseSchedule zero = make_noise_schedule({.zero_terminal_snr = true});
  CHECK_THROWS_AS(require_prediction_type(zero, PredictionType::epsilon), UsageError);
  CHECK_NOTHROW(require_prediction_type(zero, PredictionType::v));
  CHECK_NOTHROW(
      require_prediction_type(testing::schedule_of(BetaSchedule::cosine), PredictionType::epsilon));
}
