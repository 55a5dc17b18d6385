// Adam, clipping, averages, accumulation and schedules against closed forms and plain loops.
#include "nn/optimizers.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "nn/init.h"
#include "nn/schedules.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

// One parameter "w" and its update by a gradient that is an input.
struct Step {
  Graph graph;
  Store store;
  OptimizerResult result;
  OracleState state;

  Step(Shape shape, const OptimizerArgs& args, double start = 1) {
    Scope root(graph, store, Mode::train);
    Expr w = root.param("w", shape, constant(start));
    Expr g = graph.input("g", DType::f32, w.shape());
    Expr rate = graph.input("rate", DType::f32, {});
    result = apply_optimizer(root, {&g, 1}, rate, args);
    graph.output("step", result.step);
    if (result.grad_norm) graph.output("norm", result.grad_norm);
    state = testing::state_of(store);
  }
  std::map<std::string, Dense, std::less<>> run(std::vector<double> g, double rate) {
    state.inputs["g"] = testing::dense_of(store.at("w").type.shape, std::move(g));
    state.inputs["rate"] = testing::dense_of({}, {rate});
    return run_oracle(graph, state);
  }
  double slot(const std::string& name) { return state.slots.at(name).v[0]; }
};

}  // namespace

TEST_CASE("Adam with bias correction and decoupled decay follows its paper") {
  Step step({1, 1}, {.adam = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1}});
  double w = 1, m = 0, v = 0;
  for (int t = 1; t <= 20; ++t) {
    double g = std::sin(t) + 0.3, rate = 0.1 / t;
    auto out = step.run({g}, rate);
    m = 0.9 * m + 0.1 * g;
    v = 0.99 * v + 0.01 * g * g;
    double c1 = 1 - std::pow(0.9, t), c2 = 1 - std::pow(0.99, t);
    w -= rate * (m / c1 / (std::sqrt(v / c2) + 1e-8) + 0.1 * w);
    CHECK(step.slot("w") == testing::near(w, 1e-7));
    CHECK(out["step"].v[0] == t);
    CHECK(step.slot("optimizer/step") == t);
  }
  CHECK(step.slot("optimizer/exp_avg/w") == testing::near(m));
  CHECK(step.slot("optimizer/exp_avg_sq/w") == testing::near(v));
}

TEST_CASE("without a first moment and bias corrections Adam is RMSProp") {
  Step step({1, 1}, {.adam = {.beta1 = 0, .beta2 = 0.99, .eps = 1e-8}, .bias_correction = false});
  double w = 1, v = 0;
  for (int t = 1; t <= 20; ++t) {
    double g = std::sin(t) + 0.3;
    step.run({g}, 0.01);
    v = 0.99 * v + 0.01 * g * g;
    w -= 0.01 * g / (std::sqrt(v) + 1e-8);
    CHECK(step.slot("w") == testing::near(w, 1e-7));
  }
}

TEST_CASE("vectors are spared weight decay") {
  Step step({3}, {.adam = {.weight_decay = 0.5}});
  step.run({0, 0, 0}, 0.1);
  CHECK(step.slot("w") == 1);
  Step matrix({1, 3}, {.adam = {.weight_decay = 0.5}});
  matrix.run({0, 0, 0}, 0.1);
  CHECK(matrix.slot("w") == testing::near(0.95));
}

TEST_CASE("gradients are scaled to the largest norm and the norm before is reported") {
  Step step({2, 1}, {.max_grad_norm = 0.5});
  auto out = step.run({3, 4}, 0.1);
  CHECK(out["norm"].v[0] == testing::near(5));
  CHECK(step.slot("optimizer/exp_avg/w") == testing::near(0.1 * 3 * 0.1, 1e-6));
  out = step.run({0.03, 0.04}, 0.1);
  CHECK(out["norm"].v[0] == testing::near(0.05));
  CHECK(step.slot("optimizer/exp_avg/w") == testing::near(0.9 * 0.03 + 0.1 * 0.03));
  Step without({2, 1}, {});
  CHECK(!without.result.grad_norm);
}

TEST_CASE("averages of a weight of constant slope lag as the closed form says") {
  // 0.1 stays below the warm-up's first value, 0.9999 above its last: one constant keep, one
  // keep of (1+t)/(10+t).
  Step step({1, 1}, {.adam = {.eps = 0}, .emas = {0.1, 0.9999}});
  const int n = 50;
  const double rate = 0.01;  // Adam of a constant gradient moves by the rate
  for (int t = 0; t < n; ++t) step.run({2.0}, rate);
  double w = 1 - rate * n;
  CHECK(step.slot("w") == testing::near(w, 3e-7));  // constants are f32
  double constant_keep = w + rate * 0.1 * (1 - std::pow(0.1, n)) / 0.9;
  // Product of (1+t)/(10+t) over t = j..n: (n+1)!/(j)! (j+9)!/(n+10)!.
  double lag = 0;
  for (int j = 1; j <= n; ++j) {
    lag += std::exp(std::lgamma(n + 2) - std::lgamma(j + 1) + std::lgamma(j + 10) -
                    std::lgamma(n + 11));
  }
  double constant_error = std::abs(step.slot("ema0/w") / constant_keep - 1);
  double warming_error = std::abs(step.slot("ema1/w") / (w + rate * lag) - 1);
  fmt::print("summary: averages of a constant slope: error {:.1e}, in warm-up {:.1e}\n",
             constant_error, warming_error);
  CHECK(constant_error < 1e-6);
  CHECK(warming_error < 1e-6);
  CHECK(count_emas(step.store) == 2);
}

TEST_CASE("states are no weights: they are not averaged") {
  Graph graph;
  Store store;
  Scope root(graph, store, Mode::train);
  Expr w = root.param("w", {1}, ones());
  Expr seen = root.state("seen", {1}, 4);
  root.update(seen, seen * 0.5);
  Expr rate = graph.constant(0);
  OptimizerArgs args{.emas = {0.999}};
  apply_optimizer(root, {&w, 1}, rate, args);
  OracleState state = testing::state_of(store);
  run_oracle(graph, state);
  CHECK(state.slots["seen"].v[0] == 2);
  CHECK(!store.has("ema0/seen"));
}

TEST_CASE("averages start as the weights and mistakes are refused") {
  Step step({1, 1}, {.emas = {0.5}}, 3);
  CHECK(step.slot("ema0/w") == 3);
  CHECK_THROWS_AS(Step({1}, {.emas = {1.0}}), UsageError);
  Graph graph;
  Store store;
  Scope root(graph, store, Mode::train);
  root.param("w", {1}, ones());
  CHECK_THROWS_AS(apply_optimizer(root, {}, graph.constant(1), {}), ShapeError);
}

TEST_CASE("accumulated gradients are the mean of all parts and start again from zero") {
  Store store;
  Graph first, last;
  std::vector<Expr> means;
  {
    Scope root(first, store, Mode::train);
    root.param("w", {1}, ones());
    Expr g = first.input("g", DType::f32, {1});
    accumulate_gradients(root, {&g, 1});
  }
  {
    Scope root(last, store, Mode::train);
    root.param("w", {1}, ones());
    Expr g = last.input("g", DType::f32, {1});
    means = accumulated_mean(root, {&g, 1}, 3);
    last.output("mean", means[0]);
  }
  OracleState state = testing::state_of(store);
  for (int round = 0; round < 2; ++round) {
    for (double g : {1.0, 4.0}) {
      state.inputs["g"] = testing::dense_of({1}, {g});
      run_oracle(first, state);
    }
    state.inputs["g"] = testing::dense_of({1}, {7});
    CHECK(run_oracle(last, state)["mean"].v[0] == testing::near(4));
    CHECK(state.slots["train/accumulated/w"].v[0] == 0);
  }
}

TEST_CASE("schedules take the values of their formulas") {
  ScheduleArgs cosine{.kind = LrSchedule::cosine,
                      .learning_rate = 2,
                      .min_learning_rate = 1,
                      .total_steps = 110,
                      .warmup_steps = 10};
  CHECK(learning_rate_at(cosine, 0) == testing::near(0.2));
  CHECK(learning_rate_at(cosine, 9) == 2);
  CHECK(learning_rate_at(cosine, 10) == 2);
  CHECK(learning_rate_at(cosine, 60) == testing::near(1.5));
  CHECK(learning_rate_at(cosine, 1000) == learning_rate_at(cosine, 109));
  ScheduleArgs linear = cosine;
  linear.kind = LrSchedule::linear;
  CHECK(learning_rate_at(linear, 60) == testing::near(1.5));
  CHECK(learning_rate_at(linear, 85) == testing::near(1.25));
  ScheduleArgs constant{.kind = LrSchedule::constant, .learning_rate = 3, .warmup_steps = 2};
  CHECK(learning_rate_at(constant, 0) == 1.5);
  CHECK(learning_rate_at(constant, 12345) == 3);
  ScheduleArgs steps{
      .kind = LrSchedule::step, .learning_rate = 1, .milestones = {5, 8}, .gamma = 0.1};
  CHECK(learning_rate_at(steps, 4) == 1);
  CHECK(learning_rate_at(steps, 5) == testing::near(0.1));
  CHECK(learning_rate_at(steps, 8) == testing::near(0.01));
}

TEST_CASE("one-cycle gives PyTorch's numbers") {
  // torch.optim.lr_scheduler.OneCycleLR(max_lr=2e-3, total_steps=100): its phases end at steps 29
  // and 99; halfway through each the rate is the mean of its ends.
  ScheduleArgs s{.kind = LrSchedule::one_cycle, .learning_rate = 2e-3, .total_steps = 100};
  CHECK(learning_rate_at(s, 0) == testing::near(8e-5));
  CHECK(learning_rate_at(s, 29) == testing::near(2e-3));
  CHECK(learning_rate_at(s, 64) == testing::near((2e-3 + 8e-9) / 2));
  CHECK(learning_rate_at(s, 99) == testing::near(8e-9));
  CHECK(learning_rate_at(s, 14) < (2e-3 + 8e-5) / 2);
  CHECK(learning_rate_at(s, 15) > (2e-3 + 8e-5) / 2);
}

TEST_CASE("schedules that need the length of the run say so") {
  for (LrSchedule kind : {LrSchedule::cosine, LrSchedule::linear, LrSchedule::one_cycle}) {
    CHECK_THROWS_AS(learning_rate_at({.kind = kind}, 0), UsageError);
  }
  CHECK_THROWS_AS(
      learning_rate_at({.kind = LrSchedule::one_cycle, .total_steps = 5, .warmup_steps = 1}, 0),
      UsageError);
  CHECK_THROWS_AS(parse_lr_schedule("cosinus"), UsageError);
  CHECK(parse_lr_schedule("one-cycle") == LrSchedule::one_cycle);
}
