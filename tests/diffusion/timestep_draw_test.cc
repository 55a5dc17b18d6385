// Draws of timesteps: frequencies, unbiased losses, and the history against a plain one.
#include "diffusion/timestep_draw.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "base/random.h"
#include "diffusion/support.h"
#include "graph/messages.h"
#include "nn/support.h"
#include "run/plan.h"
#include "support/near.h"

using namespace atelier;
using testing::dense_of;
using testing::value_of;

namespace {

constexpr std::int64_t kTimesteps = 12;

struct Recorded {
  std::vector<double> values, counts;
};

// The history as a list a timestep, newest last.
struct PlainHistory {
  std::vector<std::deque<double>> last{std::size_t(kTimesteps)};
  void record(std::span<const std::int32_t> timestep, std::span<const float> loss) {
    for (std::size_t i = 0; i < loss.size(); ++i) {
      std::deque<double>& list = last[std::size_t(timestep[i])];
      list.push_back(double(loss[i]));
      if (list.size() > std::size_t(kLossHistory)) list.pop_front();
    }
  }
  std::vector<double> probabilities() const {
    std::vector<double> p;
    double total = 0;
    for (const auto& list : last) {
      if (list.size() < std::size_t(kLossHistory)) {
        return std::vector<double>(std::size_t(kTimesteps), 1 / double(kTimesteps));
      }
      double squares = 0;
      for (double v : list) squares += v * v / double(kLossHistory);
      p.push_back(std::sqrt(squares));
      total += p.back();
    }
    for (double& v : p) v = v / total * 0.999 + 0.001 / double(kTimesteps);
    return p;
  }
};

// Records batches in a plan, as a trainer does: the history is in a store.
struct Recorder {
  Store store;
  std::unique_ptr<Plan> plan;

  explicit Recorder(std::int64_t rows) {
    store.create("values", {DType::f32, {kTimesteps, kLossHistory}});
    store.create("counts", {DType::f32, {kTimesteps}});
    Graph g;
    LossHistory now{g.slot("values", {DType::f32, {kTimesteps, kLossHistory}}),
                    g.slot("counts", {DType::f32, {kTimesteps}})};
    g.output("probabilities", timestep_probabilities(now));
    LossHistory next = record_losses(now, g.input("timestep", DType::i32, {rows}),
                                     g.input("loss", DType::f32, {rows}));
    g.update(now.values, next.values);
    g.update(now.counts, next.counts);
    plan = std::make_unique<Plan>(g, store);
  }
  void record(std::span<const std::int32_t> timestep, std::span<const float> loss) {
    std::ranges::copy(timestep, plan->input<std::int32_t>("timestep").begin());
    std::ranges::copy(loss, plan->input("loss").begin());
    plan->run();
  }
  std::vector<float> values(const char* name) const {
    auto span = store.values(name);
    return {span.begin(), span.end()};
  }
};

// A skewed law of timesteps.
std::vector<double> skewed() {
  std::vector<double> p;
  for (int i = 0; i < kTimesteps; ++i) p.push_back(1 / (1.0 + i));
  double total = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& v : p) v /= total;
  return p;
}

}  // namespace

TEST_CASE("the history keeps the last losses of every timestep, duplicates in order of rows") {
  constexpr std::int64_t kRows = 40;  // more than ten of some timesteps in one batch
  Recorder recorder(kRows);
  PlainHistory plain;
  RandomStream random(5, stream_of("history"));
  double worst = 0;
  int fuller = 0;
  for (int batch = 0; batch < 60; ++batch) {
    std::vector<std::int32_t> timestep;
    std::vector<float> loss;
    for (std::int64_t i = 0; i < kRows; ++i) {
      // The first timestep is drawn most: it overflows in single batches.
      double u = random.uniform();
      timestep.push_back(u < 0.4 ? 0 : std::int32_t(random.below(kTimesteps)));
      loss.push_back(float(0.1 + random.uniform() * (1 + timestep.back())));
    }
    fuller += std::ranges::count(timestep, 0) > kLossHistory;
    std::vector<double> expected = plain.probabilities();
    recorder.record(timestep, loss);
    plain.record(timestep, loss);
    auto found = recorder.plan->output("probabilities");
    for (std::size_t i = 0; i < expected.size(); ++i) {
      worst = std::max(worst, std::abs(double(found[i]) - expected[i]));
    }
    std::vector<float> values = recorder.values("values"), counts = recorder.values("counts");
    for (std::size_t t = 0; t < std::size_t(kTimesteps); ++t) {
      std::vector<double> kept, list(plain.last[t].begin(), plain.last[t].end());
      for (std::size_t k = 0; k < std::size_t(kLossHistory); ++k) {
        if (k < list.size()) kept.push_back(double(values[t * kLossHistory + k]));
      }
      std::ranges::sort(kept);
      std::ranges::sort(list);
      REQUIRE(kept == list);
      CHECK(counts[t] < 2 * kLossHistory);
      CHECK((counts[t] >= kLossHistory) == (list.size() == std::size_t(kLossHistory)));
    }
  }
  CHECK(fuller > 10);
  CHECK(worst < 1e-6);
  std::vector<double> last = plain.probabilities();
  CHECK(last[11] > 1.5 * last[0]);
  fmt::print(
      "summary: loss history: 60 batches of {}, {} of them with more than {} of one "
      "timestep, as a plain list; probabilities {:.1e} off\n",
      kRows, fuller, kLossHistory, worst);
}

TEST_CASE("timesteps are alike until each has a full history, and when no loss differs from zero") {
  Graph g;
  OracleState state;
  std::vector<double> values(std::size_t(kTimesteps * kLossHistory), 0.5);
  std::vector<double> counts(std::size_t(kTimesteps), 10);
  values[7] = 50;
  state.inputs["values"] = dense_of({kTimesteps, kLossHistory}, values);
  state.inputs["counts"] = dense_of({kTimesteps}, counts);
  Expr p = timestep_probabilities({g.input("values", DType::f32, {kTimesteps, kLossHistory}),
                                   g.input("counts", DType::f32, {kTimesteps})});
  std::vector<double> full = value_of(p, state);
  CHECK(full[0] > 0.5);
  CHECK(std::accumulate(full.begin(), full.end(), 0.0) == testing::near(1, 1e-6));
  state.inputs["counts"].v[3] = 9;
  for (double v : value_of(p, state)) CHECK(v == testing::near(1.0 / kTimesteps));
  state.inputs["counts"].v[3] = 10;
  std::ranges::fill(state.inputs["values"].v, 0.0);
  for (double v : value_of(p, state)) CHECK(v == testing::near(1.0 / kTimesteps));
}

TEST_CASE("drawn timesteps have their probabilities, and weighted losses are unbiased") {
  constexpr std::int64_t kDraws = 100000;
  std::vector<double> law = skewed();
  Graph g;
  Store store;
  Expr ids = iota(g, {kDraws}, {0}), clock = g.input("clock", DType::i32, {3});
  Expr uniform = random(ids, clock, {kDraws, kTimesteps}, stream_of("draws"));
  TimestepDraw draw = draw_timesteps(g.input("p", DType::f32, {kTimesteps}), uniform);
  g.output("timestep", draw.timestep);
  g.output("weight", draw.weight);
  Plan plan(g, store);
  std::ranges::transform(law, plan.input("p").begin(), [](double v) { return float(v); });
  std::ranges::copy(std::array{12, 0, 0}, plan.input<std::int32_t>("clock").begin());
  plan.run();
  auto timestep = plan.output<std::int32_t>("timestep");
  auto weight = plan.output("weight");

  std::vector<double> count(std::size_t(kTimesteps), 0);
  auto loss_of = [](std::int64_t t) { return std::exp(-double(t) / 4); };
  double sum = 0, squares = 0, mean_loss = 0;
  for (std::size_t i = 0; i < std::size_t(kDraws); ++i) {
    std::int32_t t = timestep[i];
    REQUIRE((t >= 0 && t < kTimesteps));
    CHECK(weight[i] == testing::near(1 / (kTimesteps * law[std::size_t(t)]), 1e-6));
    ++count[std::size_t(t)];
    double v = double(weight[i]) * loss_of(t);
    sum += v / kDraws;
    squares += v * v / kDraws;
  }
  double chi = 0;
  for (std::size_t t = 0; t < count.size(); ++t) {
    double wanted = law[t] * kDraws;
    chi += std::pow(count[t] - wanted, 2) / wanted;
    mean_loss += loss_of(std::int64_t(t)) / double(kTimesteps);
  }
  double error = std::sqrt((squares - sum * sum) / kDraws);
  double off = std::abs(sum - mean_loss) / error;
  CHECK(chi < 31.3);  // chi-square of 11 degrees, one in 1000
  CHECK(off < 3);
  // Without weights the loss is that of the law, far away.
  double unweighted = 0;
  for (std::size_t t = 0; t < law.size(); ++t) unweighted += law[t] * loss_of(std::int64_t(t));
  CHECK(std::abs(unweighted - mean_loss) > 10 * error);
  fmt::print(
      "summary: {} draws of {} timesteps: chi-square {:.1f} of 11 degrees, weighted loss "
      "{:.4f} for {:.4f}, {:.2f} standard errors\n",
      kDraws, kTimesteps, chi, sum, mean_loss, off);
}

TEST_CASE("uniform timesteps cover all of them alike, ends included") {
  Graph g;
  OracleState state;
  // The least and the largest uniform number, and the middle of each timestep's share.
  std::vector<double> u{0, 1 - 0x1p-24};
  for (int i = 0; i < 1000; ++i) u.push_back((i + 0.5) / 1000);
  state.inputs["u"] = dense_of({1002}, u);
  std::vector<double> t =
      value_of(uniform_timesteps(g.input("u", DType::f32, {1002}), 1000), state);
  CHECK(t[0] == 0);
  CHECK(t[1] == 999);
  for (std::size_t i = 0; i < 1000; ++i) REQUIRE(t[i + 2] == double(i));

  constexpr std::int64_t kDraws = 50000, kFew = 7;
  Graph many;
  Store store;
  Expr ids = iota(many, {kDraws}, {0}), clock = many.input("clock", DType::i32, {3});
  Expr drawn = uniform_timesteps(random(ids, clock, {kDraws}, stream_of("uniform")), kFew);
  many.output("t", drawn);
  Plan plan(many, store);
  std::ranges::copy(std::array{2, 0, 0}, plan.input<std::int32_t>("clock").begin());
  plan.run();
  std::vector<double> count(std::size_t(kFew), 0);
  for (std::int32_t v : plan.output<std::int32_t>("t")) ++count.at(std::size_t(v));
  double chi = 0, wanted = double(kDraws) / kFew;
  for (double c : count) chi += (c - wanted) * (c - wanted) / wanted;
  CHECK(chi < 22.5);  // chi-square of 6 degrees, one in 1000
}

TEST_CASE("draws and histories refuse operands that do not fit") {
  using testing::f;
  using testing::i;
  const testing::Refusal refusals[] = {
      {"a history of another length",
       [](Graph& g) {
         timestep_probabilities({f(g, "v", {12, 9}), f(g, "c", {12})});
       },
       {"timestep_probabilities", "f32[12,9]"}},
      {"counts of other timesteps",
       [](Graph& g) {
         timestep_probabilities({f(g, "v", {12, 10}), f(g, "c", {11})});
       },
       {"f32[11]"}},
      {"uniform numbers of other timesteps",
       [](Graph& g) {
         draw_timesteps(f(g, "p", {12}), f(g, "u", {4, 11}));
       },
       {"draw_timesteps", "expected [T] and [N, T]"}},
      {"losses of other rows",
       [](Graph& g) {
         record_losses({f(g, "v", {12, 10}), f(g, "c", {12})}, i(g, "t", {4}), f(g, "l", {5}));
       },
       {"record_losses", "expected timesteps i32 [N] and losses f32 [N]"}},
      {"a matrix of uniform numbers",
       [](Graph& g) {
         uniform_timesteps(f(g, "u", {4, 2}), 10);
       },
       {"uniform_timesteps"}},
      {"no timesteps",
       [](Graph& g) { uniform_timesteps(f(g, "u", {4}), 0); },
       {"at least one timestep"}},
  };
  testing::check_refusals(refusals, "timestep_draw_test.cc");
}
