// Discriminators between two Gaussians on a line reach what theory says of them.
#include "nn/adversarial.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "graph/oracle.h"
#include "infer/training.h"
#include "nn/layers.h"
#include "nn/losses.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

struct Game {
  AdversarialLoss loss = AdversarialLoss::wasserstein;
  double real_mean = 3, fake_mean = 0;
  double penalty_weight = 0;
  double weight_clip = 0;
  const char* activation = "relu";
  std::int64_t steps = 2000, rows = 256;
  double rate = 2e-3;
};

// Two hidden layers of 64. x [N, 1] -> [N].
Expr discriminate(const Game& game, const Scope& scope, Expr x) {
  for (const char* layer : {"hidden0", "hidden1"})
    x = activate(game.activation, linear(scope / layer, x, 64));
  return reshape(linear(scope / "output", x, 1), {x.shape()[0]});
}

struct Sides {
  Expr real, fake, between;
};
Sides sides_of(const Game& game, const Scope& scope, std::int64_t rows) {
  Sides sides{scope.normal("real", {rows, 1}) + game.real_mean,
              scope.normal("fake", {rows, 1}) + game.fake_mean,
              {}};
  sides.between = between_points(scope, sides.real, sides.fake);
  return sides;
}

struct Outcome {
  double loss;        // without the penalty
  double estimate;    // of the mean logit's difference
  double mean_slope;  // between the points
  Store store{11};

  std::vector<double> logits(const Game& game, const std::vector<double>& at) {
    Graph graph;
    std::int64_t rows = std::int64_t(at.size());
    Scope scope(graph, store, Mode::eval);
    graph.output("y", discriminate(game, scope, graph.input("x", DType::f32, {rows, 1})));
    Plan plan(graph, store);
    std::ranges::copy(at, plan.input("x").begin());
    plan.run();
    auto y = plan.output("y");
    return {y.begin(), y.end()};
  }
};

// Fresh draws in every step, a cosine to 0, then the mean over many draws.
Outcome play(const Game& game) {
  testing::OneThread one_thread;
  Outcome result;
  auto run = [](Plan& plan, std::int64_t step) {
    auto ids = plan.input<std::int32_t>("ids");
    std::iota(ids.begin(), ids.end(), 0);
    auto clock = plan.input<std::int32_t>("clock");
    clock[0] = 5;
    clock[1] = 0;
    clock[2] = std::int32_t(step);
    plan.run();
  };
  {
    Graph graph;
    Scope scope(graph, result.store, Mode::train, noise_inputs(graph, game.rows));
    Sides sides = sides_of(game, scope, game.rows);
    Discriminator d = [&](Expr x) { return discriminate(game, scope, x); };
    Expr loss = mean_of_rows(discriminator_loss(game.loss, d(sides.real), d(sides.fake)));
    if (game.penalty_weight > 0) {
      loss =
          loss + game.penalty_weight * mean_of_rows(slope_penalty(slopes(d, sides.between), false));
    }
    if (game.weight_clip > 0) {
      for (Expr weight : scope.params())
        scope.keep_within(weight, -game.weight_clip, game.weight_clip);
    }
    std::vector<Expr> grads = gradient(loss, scope.params());
    apply_optimizer(scope, grads, graph.input("rate", DType::f32, {}),
                    {.adam = {.beta1 = 0.5, .beta2 = 0.9}});
    Plan plan(graph, result.store);
    ScheduleArgs schedule{
        .kind = LrSchedule::cosine, .learning_rate = game.rate, .total_steps = game.steps};
    for (std::int64_t step = 0; step < game.steps; ++step) {
      plan.input("rate")[0] = float(learning_rate_at(schedule, step));
      run(plan, step);
    }
  }
  Graph graph;
  const std::int64_t rows = 16384, times = 16;
  Scope scope(graph, result.store, Mode::eval, noise_inputs(graph, rows));
  Sides sides = sides_of(game, scope, rows);
  Discriminator d = [&](Expr x) { return discriminate(game, scope, x); };
  Expr real = d(sides.real), fake = d(sides.fake);
  graph.output("loss", mean_of_rows(discriminator_loss(game.loss, real, fake)));
  graph.output("estimate", mean_of_rows(real - fake));
  graph.output("slope", mean_of_rows(slopes(d, sides.between)));
  Plan plan(graph, result.store);
  result.loss = result.estimate = result.mean_slope = 0;
  for (std::int64_t time = 0; time < times; ++time) {
    run(plan, 1'000'000 + time);
    result.loss += double(plan.scalar("loss")) / double(times);
    result.estimate += double(plan.scalar("estimate")) / double(times);
    result.mean_slope += double(plan.scalar("slope")) / double(times);
  }
  return result;
}

}  // namespace

// D* = p / (p + q), whose logit is 2x for N(1,1) and N(-1,1), and whose loss log 4 - 2 JSD.
TEST_CASE("a discriminator by cross-entropy finds the log ratio of the densities") {
  Game game{.loss = AdversarialLoss::non_saturating,
            .real_mean = 1,
            .fake_mean = -1,
            .activation = "tanh",
            .rows = 1024};
  Outcome outcome = play(game);
  std::vector<double> at;
  for (int i = -20; i <= 20; ++i) at.push_back(i / 10.0);
  std::vector<double> logits = outcome.logits(game, at);
  double xy = 0, xx = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    xy += at[i] * logits[i];
    xx += at[i] * at[i];
  }
  fmt::print("summary: B1 discriminator: loss {:.6f} (0.712633), slope of the logit {:.4f} (2)\n",
             outcome.loss, xy / xx);
  CHECK(outcome.loss == testing::near(0.712633, 0.01));
  CHECK(xy / xx == testing::near(2, 0.05));
}

TEST_CASE("a least-squares discriminator reaches its optimum") {
  Outcome outcome = play({.loss = AdversarialLoss::least_squares,
                          .real_mean = 1,
                          .fake_mean = -1,
                          .activation = "tanh",
                          .rows = 1024});
  fmt::print("summary: B2 least squares: loss {:.6f} (0.112400)\n", outcome.loss);
  CHECK(outcome.loss == testing::near(0.1124, 0.01));
}

// With the penalty l (s - 1)^2 the best slope is 1 + W / 2l: W times it is what the critic says.
TEST_CASE("a critic with a gradient penalty says the Wasserstein distance times its slope") {
  for (double weight : {10.0, 100.0}) {
    Outcome outcome = play({.penalty_weight = weight});
    double expected = 3 * (1 + 3 / (2 * weight)),
           normalised = outcome.estimate / outcome.mean_slope;
    fmt::print("summary: B3 penalty {}: estimate {:.4f} ({:.4f}), by the slope {:.4f} (3)\n",
               weight, outcome.estimate, expected, normalised);
    CHECK(outcome.estimate == testing::near(expected, 0.03));
    CHECK(normalised == testing::near(3, 0.02));
  }
}

TEST_CASE("what a clipped critic says is the Wasserstein distance in units of its slope alone") {
  for (double clip : {0.01, 0.1}) {
    Outcome outcome = play({.weight_clip = clip});
    for (const std::string& name : outcome.store.names()) {
      if (name.find('/') != name.npos) continue;
      for (float v : outcome.store.values(name)) CHECK(std::abs(double(v)) <= double(float(clip)));
    }
    double normalised = outcome.estimate / outcome.mean_slope;
    fmt::print("summary: B5 clip {}: estimate {:.4g}, by the slope {:.4f} (3)\n", clip,
               outcome.estimate, normalised);
    CHECK(normalised == testing::near(3, 0.03));
  }
}

// Convolutions, a norm and a kink, as critics of pictures have them, differentiated twice.
TEST_CASE("gradients of penalties in single precision are those in double precision") {
  const std::int64_t rows = 6;
  const Shape pictures{rows, 9, 7, 2};
  for (bool dragan : {false, true}) {
    for (bool layer_norm : {false, true}) {
      Graph graph;
      Store store(9);
      Scope scope(graph, store, Mode::train, noise_inputs(graph, rows));
      Discriminator critic = [&](Expr x) {
        x = leaky_relu(conv2d(scope / "down0", x, 8, {.kernel = 4, .stride = 2, .padding = 1}),
                       0.2);
        x = conv2d(scope / "down1", x, 16, {.kernel = 4, .stride = 2, .padding = 1});
        if (layer_norm) x = group_norm(scope / "down1" / "norm", x, 1);
        x = leaky_relu(x, 0.2);
        x = reshape(x, {rows, x.shape().count() / rows});
        return reshape(linear(scope / "output", x, 1), {rows});
      };
      Expr real = graph.input("real", DType::f32, pictures),
           fake = graph.input("fake", DType::f32, pictures);
      Expr points = dragan ? around_points(scope, real) : between_points(scope, real, fake);
      Expr loss = mean_of_rows(slope_penalty(slopes(critic, points), false));
      std::vector<Expr> grads = gradient(loss, scope.params());
      std::vector<Value> wanted;
      for (std::size_t i = 0; i < grads.size(); ++i) {
        graph.output("grad" + std::to_string(i), grads[i]);
        wanted.push_back(grads[i].value());
      }
      Plan plan(graph, store);
      OracleState state = testing::state_of(store);
      for (const char* name : {"real", "fake"}) {
        std::vector<float> values = testing::normal_rows(pictures.count(), name[0] == 'r' ? 1 : 2);
        if (plan.has_input(name)) std::ranges::copy(values, plan.input(name).begin());
        state.inputs[name] = testing::dense_of(pictures, {values.begin(), values.end()});
      }
      std::vector<std::int32_t> ids(rows, 0), clock{5, 0, 3};
      std::iota(ids.begin(), ids.end(), 0);
      std::ranges::copy(ids, plan.input<std::int32_t>("ids").begin());
      std::ranges::copy(clock, plan.input<std::int32_t>("clock").begin());
      state.inputs["ids"] = testing::dense_of({rows}, {ids.begin(), ids.end()}, DType::i32);
      state.inputs["clock"] = testing::dense_of({3}, {clock.begin(), clock.end()}, DType::i32);
      plan.run();
      std::vector<Dense> exact = evaluate(graph, wanted, state);
      double apart = 0, size = 0;
      for (std::size_t i = 0; i < grads.size(); ++i) {
        auto found = plan.output("grad" + std::to_string(i));
        for (std::size_t j = 0; j < found.size(); ++j) {
          apart += std::pow(double(found[j]) - exact[i].v[j], 2);
          size += std::pow(exact[i].v[j], 2);
        }
      }
      double error = std::sqrt(apart / size);
      fmt::print("summary: B6 {} penalty{} in f32 against f64: {:.1e}\n",
                 dragan ? "dragan" : "gradient", layer_norm ? ", layer norm" : "", error);
      CHECK(error < 1e-4);
    }
  }
}
