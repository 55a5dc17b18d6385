// Adversarial losses and penalties on slopes: identities, and derivatives against differences.
#include "nn/adversarial.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "nn/layers.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

std::vector<double> normals(std::int64_t count, std::string_view name) {
  RandomStream random(3, stream_of(name));
  std::vector<double> values(std::size_t(count), 0);
  for (double& v : values) v = random.normal();
  return values;
}

// Rows of 5x4 pixels of 2 channels through two convolutions, layer norm included, to a logit each.
constexpr std::int64_t kRows = 3;
const Shape kPictures{kRows, 5, 4, 2};
Expr small_critic(const Scope& scope, Expr x) {
  x = leaky_relu(conv2d(scope / "down0", x, 3, {.kernel = 3, .stride = 2, .padding = 1}), 0.2);
  x = conv2d(scope / "down1", x, 4, {.kernel = 3, .stride = 2, .padding = 1});
  x = leaky_relu(group_norm(scope / "down1" / "norm", x, 1), 0.2);
  x = reshape(x, {x.shape()[0], x.shape().count() / x.shape()[0]});
  return reshape(linear(scope / "output", x, 1), {x.shape()[0]});
}

struct Bench {
  Graph graph;
  Store store{9};
  Scope scope{graph, store, Mode::train, noise_inputs(graph, kRows)};
  Expr real = graph.input("real", DType::f32, kPictures);
  Expr fake = graph.input("fake", DType::f32, kPictures);
  std::vector<double> real_values = normals(kPictures.count(), "real"),
                      fake_values = normals(kPictures.count(), "fake");
  Discriminator critic = [this](Expr x) { return small_critic(scope, x); };

  OracleState state(double step = 1) {
    OracleState state = testing::state_of(store);
    state.inputs["real"] = testing::dense_of(kPictures, real_values);
    state.inputs["fake"] = testing::dense_of(kPictures, fake_values);
    state.inputs["ids"] = testing::dense_of({kRows}, {0, 1, 2}, DType::i32);
    state.inputs["clock"] = testing::dense_of({3}, {3, 0, step}, DType::i32);
    return state;
  }
  std::vector<double> value(Expr e) {
    OracleState s = state();
    return testing::value_of(e, s);
  }
};

// Worst relative error of the gradient of `loss` in every parameter, element by element.
double gradient_error(Bench& bench, Expr loss) {
  std::vector<Expr> params = bench.scope.params();
  std::vector<std::string> names = bench.scope.param_names();
  std::vector<Expr> grads = gradient(loss, params);
  const double step = 1e-5;
  double worst = 0;
  for (std::size_t i = 0; i < params.size(); ++i) {
    std::vector<double> g = bench.value(grads[i]);
    double largest = 1e-6;
    for (double v : g) largest = std::max(largest, std::abs(v));
    for (std::size_t j = 0; j < g.size(); ++j) {
      OracleState up = bench.state(), down = bench.state();
      up.slots[names[i]].v[j] += step;
      down.slots[names[i]].v[j] -= step;
      double quotient =
          (testing::value_of(loss, up)[0] - testing::value_of(loss, down)[0]) / (2 * step);
      worst = std::max(worst, std::abs(quotient - g[j]) / largest);
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("losses of both players are what their papers say") {
  const double r = 0.7, f = -1.3;
  auto sigmoid_of = [](double x) { return 1 / (1 + std::exp(-x)); };
  struct Row {
    const char* name;
    double discriminator, generator;
  };
  const Row rows[] = {
      {"minimax", -std::log(sigmoid_of(r)) - std::log(1 - sigmoid_of(f)),
       std::log(1 - sigmoid_of(f))},
      {"non-saturating", -std::log(sigmoid_of(r)) - std::log(1 - sigmoid_of(f)),
       -std::log(sigmoid_of(f))},
      {"least-squares", 0.5 * ((r - 1) * (r - 1) + f * f), 0.5 * (f - 1) * (f - 1)},
      {"hinge", std::max(0.0, 1 - r) + std::max(0.0, 1 + f), -f},
      {"wasserstein", f - r, -f},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Graph graph;
    Expr real = graph.input("real", DType::f32, {1}), fake = graph.input("fake", DType::f32, {1});
    OracleState state;
    state.inputs["real"] = testing::dense_of({1}, {r});
    state.inputs["fake"] = testing::dense_of({1}, {f});
    AdversarialLoss loss = parse_adversarial_loss(row.name);
    CHECK(testing::value_of(discriminator_loss(loss, real, fake), state)[0] ==
          testing::near(row.discriminator, 1e-12));
    CHECK(testing::value_of(generator_loss(loss, fake), state)[0] ==
          testing::near(row.generator, 1e-12));
  }
  CHECK_THROWS_WITH_AS(
      parse_adversarial_loss("wgan"),
      "--loss 'wgan': expected minimax, non-saturating, least-squares, hinge, wasserstein",
      UsageError);
}

// The label s of real rows: -s log D - (1 - s) log (1 - D); made ones keep the label 0.
TEST_CASE("one-sided smoothing moves the label of real rows alone") {
  Graph graph;
  Expr real = graph.input("real", DType::f32, {1}), fake = graph.input("fake", DType::f32, {1});
  OracleState state;
  state.inputs["real"] = testing::dense_of({1}, {0.4});
  state.inputs["fake"] = testing::dense_of({1}, {0.2});
  Expr loss = discriminator_loss(AdversarialLoss::non_saturating, real, fake, 0.9);
  double d = 1 / (1 + std::exp(-0.4)), e = 1 / (1 + std::exp(-0.2));
  CHECK(testing::value_of(loss, state)[0] ==
        testing::near(-0.9 * std::log(d) - 0.1 * std::log(1 - d) - std::log(1 - e)));
}

TEST_CASE("penalties are differentiable through the slopes") {
  for (bool dragan : {false, true}) {
    for (bool one_sided : {false, true}) {
      Bench bench;
      Expr points = dragan ? around_points(bench.scope / "penalty", bench.real)
                           : between_points(bench.scope / "penalty", bench.real, bench.fake);
      // Slopes of a new critic lie below 1, where the one-sided penalty is flat.
      Expr slope = (one_sided ? 40.0 : 1.0) * slopes(bench.critic, points);
      double error = gradient_error(bench, mean_of_rows(slope_penalty(slope, one_sided)));
      fmt::print("summary: B6 {}{} penalty, gradient against differences: {:.1e}\n",
                 one_sided ? "one-sided " : "", dragan ? "dragan" : "gradient", error);
      CHECK(error < 1e-6);
    }
  }
}

TEST_CASE("a penalty does not see the bias of the logit, and of a plane it is known") {
  Bench bench;
  Expr penalty = mean_of_rows(slope_penalty(
      slopes(bench.critic, between_points(bench.scope, bench.real, bench.fake)), false));
  Expr bias = bench.scope.param("output.bias", {1}, zeros());
  for (double v : bench.value(gradient(penalty, bias))) CHECK(v == 0);

  Graph graph;
  Store store(4);
  Scope scope(graph, store, Mode::train);
  Expr x = graph.input("x", DType::f32, {2, 6});
  Discriminator plane = [&](Expr at) { return reshape(linear(scope, at, 1), {2}); };
  Expr value = mean_of_rows(slope_penalty(slopes(plane, x), false));
  OracleState state = testing::state_of(store);
  state.inputs["x"] = testing::dense_of({2, 6}, normals(12, "x"));
  double squares = 0;
  for (double w : state.slots.at("weight").v) squares += w * w;
  double expected = (std::sqrt(squares) - 1) * (std::sqrt(squares) - 1);
  double found = testing::value_of(value, state)[0];
  fmt::print("summary: B7 penalty of a plane: {:.1e} from (|w| - 1)^2\n",
             std::abs(found - expected));
  CHECK(std::abs(found - expected) < 1e-6);
}

TEST_CASE("slopes are taken a row over all that is in it") {
  // The same rows twice: the penalty stays. A critic that looks at the sum of squares of a row does
  // not care for the order of pixels.
  std::vector<double> penalties;
  double moved = 0;
  for (int copies : {1, 2}) {
    Graph graph;
    std::int64_t rows = 3 * copies;
    Expr x = graph.input("x", DType::f32, {rows, 2, 3, 2});
    Discriminator squares = [](Expr at) { return sum_rows(square(at)); };
    Expr slope = slopes(squares, x), penalty = mean_of_rows(slope_penalty(slope, false));
    std::vector<double> once = normals(36, "rows"), values;
    for (int copy = 0; copy < copies; ++copy) values.insert(values.end(), once.begin(), once.end());
    OracleState state;
    state.inputs["x"] = testing::dense_of({rows, 2, 3, 2}, values);
    std::vector<double> found = testing::value_of(slope, state);
    for (std::size_t row = 0; row < std::size_t(rows); ++row) {
      double length = 0;
      for (std::size_t i = 0; i < 12; ++i)
        length += 4 * values[row * 12 + i] * values[row * 12 + i];
      CHECK(found[row] == testing::near(std::sqrt(length), 1e-9));
    }
    penalties.push_back(testing::value_of(penalty, state)[0]);
    for (auto row = values.begin(); row != values.end(); row += 12) std::reverse(row, row + 12);
    state.inputs["x"] = testing::dense_of({rows, 2, 3, 2}, values);
    CHECK(testing::value_of(slope, state)[0] == testing::near(found[0], 1e-12));
    moved = std::max(moved, std::abs(testing::value_of(penalty, state)[0] / penalties.back() - 1));
  }
  double doubled = std::abs(penalties[1] / penalties[0] - 1);
  fmt::print("summary: B8 penalty of rows twice {:.1e} off, of pixels turned round {:.1e}\n",
             doubled, moved);
  CHECK(doubled < 1e-6);
  CHECK(moved < 1e-6);
}

TEST_CASE("points of a penalty lie where they should") {
  Bench bench;
  std::vector<double> between = bench.value(between_points(bench.scope, bench.real, bench.fake));
  std::vector<double> around = bench.value(around_points(bench.scope, bench.real));
  const std::vector<double>& real = bench.real_values;
  double mean = std::accumulate(real.begin(), real.end(), 0.0) / double(real.size()), variance = 0;
  for (double v : real) variance += (v - mean) * (v - mean) / double(real.size());
  std::size_t width = real.size() / kRows;
  // The same draws by their names. Linear in the share: real at 0, at 1 what the noise made of it.
  std::vector<double> shares = bench.value(bench.scope.uniform("between", {kRows})),
                      noise = bench.value(bench.scope.uniform("around", kPictures));
  double least = 1, most = 0, worst = 0;
  for (std::size_t row = 0; row < kRows; ++row) {
    double share = -1;
    for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
      double u = (between[i] - real[i]) / (bench.fake_values[i] - real[i]);
      if (share < 0) share = u;
      CHECK(u == testing::near(share, 1e-6));  // one share a row
      double moved = (around[i] - real[i]) / (0.5 * std::sqrt(variance));
      CHECK(moved >= 0);
      CHECK(moved < 1);
      CHECK((noise[i] >= 0 && noise[i] < 1));
      double off = moved - shares[row] * noise[i];
      worst = std::max(worst, std::abs(off));
      CHECK(u == testing::near(shares[row], 1e-6));
      least = std::min(least, moved);
      most = std::max(most, moved);
    }
    CHECK(share >= 0);
    CHECK(share < 1);
  }
  CHECK(most > 0.5);  // noise of its own for each element
  CHECK(least < 0.1);
  CHECK(worst < 1e-7);  // means divide by a count in f32
  fmt::print(
      "summary: B9 points of DRAGAN: real + share 0.5 sd noise, {:.1e} off; moved by {:.3f} to "
      "{:.3f} half deviations\n",
      worst, least, most);
}

// A discriminator that is punished for its slopes, at real rows or between both kinds.
struct Pair {
  std::int64_t rows = 8;
  std::string penalty;  // none, real, between

  Expr fake(const Scope& root, Expr z) const { return tanh(linear(root / "generator", z, 2)); }
  Expr logits(const Scope& root, Expr x) const {
    Scope d = root / "discriminator";
    return reshape(linear(d / "output", tanh(linear(d / "hidden", x, 5)), 1), {rows});
  }
  Expr discriminator_loss(const Scope& root, Expr x, Expr z) const {
    Expr made = fake(root, z);
    Expr loss = mean_of_rows(
        atelier::discriminator_loss(AdversarialLoss::minimax, logits(root, x), logits(root, made)));
    if (penalty == "none") return loss;
    Expr slope = slopes([&](Expr at) { return logits(root, at); },
                        penalty == "real" ? x : 0.5 * (x + made), root.replaced());
    return loss + 2.0 * mean_of_rows(slope_penalty(slope, false));
  }
  Expr generator_loss(const Scope& root, Expr z) const {
    return mean_of_rows(
        atelier::generator_loss(AdversarialLoss::minimax, logits(root, fake(root, z))));
  }
};

// The discriminator's updates are Adam's after three earlier ones; the generator's parameter moves
// what both see. From the second update on, weights depend on the rows at which slopes are taken.
void check_ahead(const Pair& pair, std::int64_t updates) {
  const std::int64_t rows = pair.rows;
  Store store(6);
  OptimizerArgs args{.adam = {.beta1 = 0.5, .beta2 = 0.9, .eps = 1e-3}};
  OracleState state;
  Graph step;
  {
    Scope root(step, store, Mode::train);
    Expr loss = pair.discriminator_loss(root, step.input("x", DType::f32, {rows, 2}),
                                        step.input("z", DType::f32, {rows, 3}));
    Scope part = root / "discriminator";
    apply_optimizer(part, gradient(loss, part.params()), step.input("rate", DType::f32, {}), args);
    state = testing::state_of(store);
    state.inputs["x"] = testing::dense_of({rows, 2}, normals(rows * 2, "x"));
    state.inputs["z"] = testing::dense_of({rows, 3}, normals(rows * 3, "z"));
    state.inputs["rate"] = testing::dense_of({}, {0.05});
    for (int i = 0; i < 3; ++i) run_oracle(step, state);
  }
  Graph graph;
  Scope root(graph, store, Mode::train);
  Expr x = graph.input("x", DType::f32, {rows, 2}), z = graph.input("z", DType::f32, {rows, 3});
  auto ahead = [&](std::int64_t n) {
    return look_ahead(
        root, "discriminator",
        [&](const Scope& s) {
          return Objective{pair.discriminator_loss(s, x, z), "", {}};
        },
        graph.input("rate", DType::f32, {}), args, n);
  };
  Expr after = pair.generator_loss(root.with(ahead(updates)), z);
  Scope own = root / "generator";
  std::vector<Expr> grads = gradient(after, own.params());

  // The same by really doing the updates, then taking the loss.
  Graph judge;
  Expr later;
  {
    Scope scope(judge, store, Mode::train);
    later = pair.generator_loss(scope, judge.input("z", DType::f32, {rows, 3}));
  }
  auto loss_after = [&](OracleState from) {
    for (std::int64_t i = 0; i < updates; ++i) run_oracle(step, from);
    return testing::value_of(later, from)[0];
  };
  CHECK(testing::value_of(after, state)[0] == testing::near(loss_after(state), 1e-9));
  double worst = 0;
  std::vector<std::string> names = own.param_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::vector<double> g = testing::value_of(grads[i], state);
    for (std::size_t j = 0; j < g.size(); ++j) {
      OracleState up = state, down = state;
      up.slots[names[i]].v[j] += 1e-5;
      down.slots[names[i]].v[j] -= 1e-5;
      double quotient = (loss_after(up) - loss_after(down)) / 2e-5;
      worst = std::max(worst, std::abs(quotient - g[j]) / (std::abs(g[j]) + 1e-3));
    }
  }
  fmt::print("summary: looking {} Adam updates ahead, penalty {}, against differences: {:.1e}\n",
             updates, pair.penalty, worst);
  CHECK(worst < 1e-5);
  CHECK(ahead(0).empty());  // no update ahead is the loss itself
}

TEST_CASE("looking ahead gives the slope of the loss after real updates") {
  for (const char* penalty : {"none", "real", "between"}) {
    for (std::int64_t updates : {1, 2, 3}) {
      CAPTURE(penalty);
      CAPTURE(updates);
      check_ahead({.penalty = penalty}, updates);
    }
  }
}

// A unit that never was active has no gradient and no second moment: the slope of its root must not
// spoil the rest.
TEST_CASE("looking ahead past a unit that never was active stays finite") {
  Graph graph;
  Store store;
  Scope root(graph, store, Mode::train);
  Expr x = graph.input("x", DType::f32, {2, 1});
  auto objective = [&](const Scope& scope) {
    Expr dead = relu(x * scope.param("d.dead", {1, 1}, constant(-1)));
    Expr alive = x * scope.param("d.alive", {1, 1}, constant(0.5));
    Expr g = scope.param("g.weight", {1, 1}, constant(0.3));
    return Objective{mean_of_rows(sum_rows(square(g * (dead + alive) - 1.0))), "", {}};
  };
  auto values = look_ahead(root, "d", objective, graph.constant(0.1), {}, 3);
  Expr loss = objective(root.with(values)).loss;
  Expr slope = gradient(loss, root.param("g.weight", {1, 1}, zeros()));
  OracleState state = testing::state_of(store);
  state.inputs["x"] = testing::dense_of({2, 1}, {1, 2});
  CHECK(std::isfinite(testing::value_of(slope, state)[0]));
  CHECK(testing::value_of(slope, state)[0] != 0);
}
