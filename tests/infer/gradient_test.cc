// Whole models as f32 plans against the f64 oracle: losses, gradients, accumulation, averages.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "graph/oracle.h"
#include "infer/training.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

using Text = std::string;

struct Row {
  const char* name;
  Attributes values;
  DataShape shape;
  double tolerance;
};

std::vector<float> pictures(std::int64_t count) {
  RandomStream random(4, stream_of("pictures"));
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = float(random.uniform());
  return values;
}

struct Errors {
  double loss, direction, worst;
};

// The plan's gradients against the oracle's: along one random direction, and the worst element
// relative to the largest of its tensor.
Errors errors_of(const Row& row, std::int64_t rows) {
  Model model = testing::fitted("vae", row.values, row.shape);
  Store store(8);
  Graph graph;
  Scope root(graph, store, Mode::train, noise_inputs(graph, rows));
  Shape shape{rows, row.shape.height, row.shape.width, row.shape.channels};
  Expr image = graph.input("image", DType::f32, shape);
  Objective objective = model.objective(root, {image, {}, {}});
  std::vector<Expr> grads = gradient(objective.loss, root.params());
  graph.output("loss", objective.loss);
  for (std::size_t i = 0; i < grads.size(); ++i) graph.output(fmt::format("g{}", i), grads[i]);
  std::vector<float> data = pictures(shape.count());

  OracleState state = testing::state_of(store);
  std::vector<double> ids(static_cast<std::size_t>(rows));
  std::iota(ids.begin(), ids.end(), 0);
  state.inputs["image"] = testing::dense_of(shape, {data.begin(), data.end()});
  state.inputs["ids"] = testing::dense_of({rows}, ids, DType::i32);
  state.inputs["clock"] = testing::dense_of({3}, {9, 0, 2}, DType::i32);
  auto expected = run_oracle(graph, state);

  Plan plan(graph, store);
  std::ranges::copy(data, plan.input("image").begin());
  if (plan.has_input("ids")) {
    std::iota(plan.input<std::int32_t>("ids").begin(), plan.input<std::int32_t>("ids").end(), 0);
    const std::int32_t clock[] = {9, 0, 2};
    std::ranges::copy(clock, plan.input<std::int32_t>("clock").begin());
  }
  plan.run();
  Errors errors{std::abs(double(plan.scalar("loss")) / expected["loss"].v[0] - 1), 0, 0};
  double along = 0, wanted = 0, size = 0;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    std::string name = fmt::format("g{}", i);
    auto found = plan.output(name);
    const auto& reference = expected[name].v;
    RandomStream random(6, stream_of(name));
    double largest = 1e-9, worst = 0;
    for (std::size_t j = 0; j < reference.size(); ++j) {
      double v = random.normal();
      along += v * double(found[j]);
      wanted += v * reference[j];
      size += std::abs(v * reference[j]);
      largest = std::max(largest, std::abs(reference[j]));
      double error = std::abs(double(found[j]) - reference[j]);
      worst = std::max(worst, std::isnan(error) ? 1e9 : error);
    }
    errors.worst = std::max(errors.worst, worst / largest);
  }
  errors.direction = std::abs(along - wanted) / size;
  return errors;
}

}  // namespace

TEST_CASE("f32 plans of whole losses follow the f64 oracle") {
  const DataShape digits{12, 12, 1, 0}, colour{12, 10, 3, 0};
  Attributes conv{{"net", Text("conv")},
                  {"channels", Text("8,16")},
                  {"latent_dim", std::int64_t{6}},
                  {"likelihood", Text("gaussian")}};
  Attributes smooth = conv;
  smooth.emplace_back("activation", Text("silu"));
  smooth.emplace_back("norm", Text("group"));
  smooth.emplace_back("sigma", Text("learned"));
  smooth.emplace_back("kernel_size", std::int64_t{5});
  const Row rows[] = {
      {"fc", {{"hidden_dim", Text("50,20")}, {"latent_dim", std::int64_t{6}}}, digits, 1e-6},
      {"conv, batch norm", conv, colour, 1e-5},
      {"conv 5x5, group norm, silu, learned sigma", smooth, colour, 1e-5},
  };
  for (const Row& row : rows) {
    Errors errors = errors_of(row, 6);
    INFO(std::string(row.name));
    fmt::print("summary: {} VAE: loss {:.1e}, gradient along a direction {:.1e}, worst {:.1e}\n",
               row.name, errors.loss, errors.direction, errors.worst);
    CHECK(errors.loss < 1e-6);
    CHECK(errors.direction < row.tolerance);
    CHECK(errors.worst < 10 * row.tolerance);
  }
}

namespace {

// Worst relative difference of the first moments after five steps of 24 rows at once and in parts.
double accumulation_error(bool variational) {
  const std::int64_t rows = 24, parts = 3;
  Attributes values{
      {"hidden_dim", Text("30")}, {"latent_dim", std::int64_t{5}}, {"variational", variational}};
  Model model = testing::fitted("vae", values, {8, 8, 1, 0});
  std::vector<float> data = pictures(rows * 64);
  std::vector<std::int64_t> order = testing::identity_order(rows);
  Store whole(1), split(1);
  OptimizerArgs args{.max_grad_norm = 1};
  auto one = testing::TrainingStep::make(whole, model, rows, args);
  auto early = testing::TrainingStep::make(split, model, rows / parts, args, 1);
  auto last = testing::TrainingStep::make(split, model, rows / parts, args, parts);
  double worst = 0;
  for (std::int64_t t = 0; t < 5; ++t) {
    one.run(data, order, 1e-3, t);
    for (std::int64_t p = 0; p < parts; ++p) {
      auto rest = std::span(order).subspan(std::size_t(p * rows / parts));
      // Noise goes by the place in the whole batch.
      (p + 1 < parts ? early : last).run(data, rest, 1e-3, t, std::int32_t(p * rows / parts));
    }
  }
  // First moments are linear in the gradients: parameters themselves would show Adam's sign of
  // gradients that are zero but for rounding.
  for (const std::string& name : whole.names("optimizer/exp_avg/")) {
    auto a = std::as_const(whole).values(name), b = std::as_const(split).values(name);
    double squares = 0, difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      squares += double(a[i]) * a[i];
      difference += std::pow(double(a[i]) - b[i], 2);
    }
    REQUIRE(squares > 0);
    worst = std::max(worst, std::sqrt(difference / squares));
  }
  return worst;
}

}  // namespace

TEST_CASE("k micro-batches take the step of one batch, with and without noise") {
  for (bool noise : {false, true}) {
    double worst = accumulation_error(noise);
    fmt::print("summary: 3 micro-batches against one batch after 5 steps, {} noise: {:.1e}\n",
               noise ? "with" : "without", worst);
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("averages kept by the plan follow the weights that it wrote") {
  Model model = testing::fitted("vae", {{"hidden_dim", Text("8")}, {"latent_dim", std::int64_t{2}}},
                                {4, 4, 1, 0});
  Store store(1);
  OptimizerArgs args{.emas = {0.5, 0.9999}};
  auto step = testing::TrainingStep::make(store, model, 8, args);
  std::vector<float> data = pictures(8 * 16);
  auto order = testing::identity_order(8);
  std::string name = "decoder.pixels.weight";
  auto w = [&] { return double(std::as_const(store).values(name)[3]); };
  double first = w(), second = w();
  for (int t = 1; t <= 30; ++t) {
    step.run(data, order, 1e-2, t);
    double warm = (1.0 + t) / (10.0 + t);
    first += (1 - std::min(0.5, warm)) * (w() - first);
    second += (1 - std::min(0.9999, warm)) * (w() - second);
  }
  CHECK(std::as_const(store).values("ema0/" + name)[3] == testing::near(first, 1e-6));
  CHECK(std::as_const(store).values("ema1/" + name)[3] == testing::near(second, 1e-6));
  CHECK(std::as_const(store).values("optimizer/step")[0] == 30);
}

TEST_CASE("a KL weight that is large collapses the posterior") {
  testing::OneThread one_thread;
  Attributes values{
      {"hidden_dim", Text("16")}, {"latent_dim", std::int64_t{3}}, {"kl_weight", 1000.0}};
  Model model = testing::fitted("vae", values, {6, 6, 1, 0});
  Store store(1);
  std::vector<float> data = pictures(16 * 36);
  auto order = testing::identity_order(16);
  auto step = testing::TrainingStep::make(store, model, 16);
  ScheduleArgs schedule{.kind = LrSchedule::cosine, .learning_rate = 1e-2, .total_steps = 800};
  for (int t = 0; t < 800; ++t) step.run(data, order, learning_rate_at(schedule, t), t);
  Graph graph;
  Scope scope(graph, store, Mode::eval, noise_inputs(graph, 16));
  Expr image = graph.input("image", DType::f32, {16, 6, 6, 1});
  for (const Term& term : model.validation(scope, {image, {}, {}})) {
    graph.output(term.name, term.value);
  }
  Plan plan(graph, store);
  std::ranges::copy(data, plan.input("image").begin());
  plan.run();
  double kl = 0;
  for (float v : plan.output("kl")) kl += double(v) / 16;
  fmt::print("summary: VAE of KL weight 1000: KL {:.1e} nats\n", kl);
  CHECK(kl >= -1e-6);  // rounding of mu^2 + e^l - l - 1
  CHECK(kl < 1e-3);
}
