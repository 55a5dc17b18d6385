// CLIP: its losses against two cross-entropies computed apart and against closed forms, the logit
// scale's bounds, the text's end, parameter counts of the published networks.
#include "models/clip.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "base/random.h"
#include "models/registry.h"
#include "nn/layers.h"
#include "nn/optimizers.h"
#include "nn/support.h"
#include "run/plan.h"

using namespace atelier;

namespace {

using Text = std::string;

// [rows, dim], each row a random direction.
std::vector<double> directions(std::int64_t rows, std::int64_t dim, const char* stream,
                               std::uint64_t seed) {
  RandomStream random(seed, stream_of(stream));
  std::vector<double> values(std::size_t(rows * dim));
  for (std::int64_t i = 0; i < rows; ++i) {
    double squares = 0;
    for (std::int64_t j = 0; j < dim; ++j) {
      double v = random.normal();
      values[std::size_t(i * dim + j)] = v;
      squares += v * v;
    }
    for (std::int64_t j = 0; j < dim; ++j) values[std::size_t(i * dim + j)] /= std::sqrt(squares);
  }
  return values;
}

// Two sets of directions and a scale as inputs of a graph.
struct Pairs {
  std::int64_t rows, dim;
  std::vector<double> x, y;
  double log_scale;

  Pairs(std::int64_t n, std::int64_t d, double log_of_scale, std::uint64_t seed = 11)
      : rows(n),
        dim(d),
        x(directions(n, d, "image", seed)),
        y(directions(n, d, "text", seed)),
        log_scale(log_of_scale) {}

  // The mean over rows of what `loss` says, and its gradient in the scale's logarithm.
  struct Result {
    double loss, slope;
  };
  template <class Loss>
  Result in_f64(Loss loss) const {
    Graph graph;
    Expr image = graph.input("image", DType::f64, {rows, dim});
    Expr text = graph.input("text", DType::f64, {rows, dim});
    Expr log_of_scale = graph.input("log_scale", DType::f64, {1});
    Expr value = reshape(mean(loss(image, text, log_of_scale)), {});
    Expr slope = gradient(value, log_of_scale);
    OracleState state;
    state.inputs["image"] = testing::dense_of({rows, dim}, x, DType::f64);
    state.inputs["text"] = testing::dense_of({rows, dim}, y, DType::f64);
    state.inputs["log_scale"] = testing::dense_of({1}, {log_scale}, DType::f64);
    return {testing::value_of(value, state)[0], testing::value_of(slope, state)[0]};
  }
  float in_f32() const {
    Graph graph;
    Store store;
    Expr image = graph.input("image", DType::f32, {rows, dim});
    Expr text = graph.input("text", DType::f32, {rows, dim});
    Expr scale = graph.input("scale", DType::f32, {1});
    graph.output("loss", reshape(mean(clip_loss(image, text, scale)), {}));
    Plan plan(graph, store);
    std::ranges::copy(x, plan.input("image").begin());
    std::ranges::copy(y, plan.input("text").begin());
    plan.input("scale")[0] = float(std::exp(log_scale));
    plan.run();
    return plan.scalar("loss");
  }
  // Mean over rows of -log softmax(scale x y^T)[i, i], by loops.
  double cross_entropy_of(const std::vector<double>& a, const std::vector<double>& b) const {
    double scale = std::exp(log_scale), total = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      double sum = 0, own = 0;
      for (std::int64_t j = 0; j < rows; ++j) {
        double dot = 0;
        for (std::int64_t k = 0; k < dim; ++k)
          dot += a[std::size_t(i * dim + k)] * b[std::size_t(j * dim + k)];
        sum += std::exp(scale * (dot - 1));
        if (i == j) own = scale * (dot - 1);
      }
      total += std::log(sum) - own;
    }
    return total / double(rows);
  }
};

Expr clip_of_log(Expr image, Expr text, Expr log_scale) {
  return clip_loss(image, text, exp(log_scale));
}

std::int64_t parameters_of(const char* name, const char* preset, const Attributes& more,
                           const DataShape& shape) {
  Model model = make_model(name);
  Attributes values;
  for (const Preset& p : model.presets)
    if (Text(p.name) == preset) values = p.values;
  values.insert(values.end(), more.begin(), more.end());
  for (const auto& [key, value] : values) {
    for (const BoundField& field : model.fields)
      if (field.name == key) field.set(value);
  }
  model.fit(shape);
  Graph graph;
  Store store;
  Scope scope(graph, store, Mode::train, noise_inputs(graph, 1));
  Batch batch;
  batch.image = graph.input("image", DType::f32, {1, shape.height, shape.width, shape.channels});
  if (model.context_length)
    batch.tokens = graph.input("tokens", DType::i32, {1, model.context_length()});
  if (shape.num_classes > 0) batch.label = graph.input("label", DType::i32, {1});
  model.objective(scope, batch);
  std::int64_t total = 0;
  for (Expr p : scope.params()) total += p.shape().count();
  return total;
}

}  // namespace

TEST_CASE("the CLIP loss is the mean of two cross-entropies computed apart") {
  double worst_f32 = 0, worst_f64 = 0, worst_slope = 0;
  for (std::int64_t rows : {1, 2, 7, 33}) {
    Pairs pairs(rows, 5, 1.3);
    double apart =
        0.5 * (pairs.cross_entropy_of(pairs.x, pairs.y) + pairs.cross_entropy_of(pairs.y, pairs.x));
    auto [loss, slope] = pairs.in_f64(clip_of_log);
    worst_f64 = std::max(worst_f64, std::abs(loss - apart));
    worst_f32 = std::max(worst_f32, std::abs(double(pairs.in_f32()) - apart));
    const double step = 1e-5;
    Pairs up = pairs, down = pairs;
    up.log_scale += step;
    down.log_scale -= step;
    double difference = (up.in_f64(clip_of_log).loss - down.in_f64(clip_of_log).loss) / (2 * step);
    worst_slope = std::max(worst_slope, std::abs(slope - difference));
  }
  fmt::print(
      "summary: A7: CLIP loss against two cross-entropies: {:.1e} in f64, {:.1e} in f32; "
      "gradient in the logit scale against differences {:.1e}\n",
      worst_f64, worst_f32, worst_slope);
  CHECK(worst_f64 < 1e-9);
  CHECK(worst_f32 < 1e-6);
  CHECK(worst_slope < 1e-9);
}

TEST_CASE("the CLIP loss of random directions is about ln N + scale^2 / 2d") {
  // The last column was measured elsewhere on one draw, whose own pairs alone scatter by
  // scale / sqrt(N d).
  struct Row {
    std::int64_t rows, dim;
    double one_draw;
  };
  const double scale = 1 / 0.07;
  for (const Row& row : {Row{32, 512, 3.677}, Row{128, 512, 5.021}, Row{256, 64, 6.877}}) {
    const int draws = 40;
    double sum = 0, squares = 0;
    for (int i = 0; i < draws; ++i) {
      double loss = double(Pairs(row.rows, row.dim, std::log(scale), std::uint64_t(i)).in_f32());
      sum += loss;
      squares += loss * loss;
    }
    double mean = sum / draws, spread = std::sqrt(squares / draws - mean * mean);
    double expected = std::log(double(row.rows)) + scale * scale / (2 * double(row.dim));
    fmt::print(
        "summary: A8: N {}, d {}: {:.3f} nats over {} draws, closed form {:.3f}; one draw "
        "elsewhere {:.3f}, {:.1f} deviations away\n",
        row.rows, row.dim, mean, draws, expected, row.one_draw,
        std::abs(row.one_draw - mean) / spread);
    CHECK(std::abs(mean / expected - 1) < 0.02);
    CHECK(std::abs(row.one_draw - mean) < 3 * spread);
  }
}

TEST_CASE("the sigmoid loss is the sum of its pairs") {
  Pairs pairs(6, 4, 0.7);
  double scale = std::exp(0.7), bias = -2, expected = 0;
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 6; ++j) {
      double dot = 0;
      for (int k = 0; k < 4; ++k)
        dot += pairs.x[std::size_t(4 * i + k)] * pairs.y[std::size_t(4 * j + k)];
      double sign = i == j ? 1 : -1;
      expected += std::log1p(std::exp(-sign * (scale * dot + bias))) / 6;
    }
  }
  auto loss = pairs.in_f64([&](Expr image, Expr text, Expr log_scale) {
    return sigmoid_loss(image, text, exp(log_scale), image.graph->constant(bias, DType::f64));
  });
  CHECK(std::abs(loss.loss - expected) < 1e-12);
}

TEST_CASE("the logit scale starts at 1/0.07 and no step takes it above 100") {
  Model model = make_model("clip");
  const Attributes small{{"patch_size", std::int64_t{2}},     {"embed_dim", std::int64_t{4}},
                         {"depth", std::int64_t{1}},          {"num_heads", std::int64_t{1}},
                         {"text_embed_dim", std::int64_t{4}}, {"text_depth", std::int64_t{1}},
                         {"text_num_heads", std::int64_t{1}}, {"projection_dim", std::int64_t{2}},
                         {"context_length", std::int64_t{3}}, {"vocab_size", std::int64_t{260}}};
  for (const auto& [key, value] : small) {
    for (const BoundField& field : model.fields)
      if (field.name == key) field.set(value);
  }
  model.fit({.height = 4, .width = 4, .channels = 1});
  Graph graph;
  Store store(3);
  Scope scope(graph, store, Mode::train, noise_inputs(graph, 2));
  Batch batch;
  batch.image = graph.input("image", DType::f32, {2, 4, 4, 1});
  batch.tokens = graph.input("tokens", DType::i32, {2, 3});
  Objective objective = model.objective(scope, batch);
  // A loss that wants the scale as large as can be.
  Expr loss = -1.0 * reshape(scope.param("logit_scale", {1}, zeros()), {}) + 0.0 * objective.loss;
  OptimizerArgs args;
  args.emas = {0.5};
  apply_optimizer(scope, gradient(loss, scope.params()), graph.constant(0.7), args);
  CHECK(store.values("logit_scale")[0] == float(std::log(1 / 0.07)));
  CHECK(std::abs(double(store.values("logit_scale")[0]) - 2.6593) < 5e-5);
  Plan plan(graph, store);
  std::ranges::fill(plan.input("image"), 0.5f);
  const std::int32_t tokens[] = {5, 259, 0, 259, 0, 0};
  float highest = 0, highest_average = 0;
  for (int step = 0; step < 8; ++step) {
    std::ranges::copy(tokens, plan.input<std::int32_t>("tokens").begin());
    plan.run();
    highest = std::max(highest, store.values("logit_scale")[0]);
    highest_average = std::max(highest_average, store.values("ema0/logit_scale")[0]);
  }
  fmt::print(
      "summary: A9: logit scale at first {:.4f}, at most {:.6f} after 8 steps of 0.7, its "
      "average {:.6f}; ln 100 is {:.6f}\n",
      std::log(1 / 0.07), highest, highest_average, std::log(100.0));
  CHECK(highest == float(std::log(100.0)));
  CHECK(highest_average <= float(std::log(100.0)));
}

TEST_CASE("a text is what stands up to its end") {
  ClipConfig config;
  config.text_embed_dim = 8;
  config.text_depth = 2;
  config.text_num_heads = 2;
  config.projection_dim = 4;
  config.context_length = 6;
  config.vocab_size = 300;
  Graph graph;
  Store store(4);
  Scope scope(graph, store, Mode::eval);
  graph.output("y", clip_text(config, scope, graph.input("tokens", DType::i32, {4, 6})));
  Plan plan(graph, store);
  // The same words with other padding, without padding after another end, and other words.
  const std::int32_t tokens[] = {1, 7, 9, 299, 0, 0, 1, 7, 9, 299, 5,   8,
                                 1, 9, 7, 299, 0, 0, 1, 7, 9, 4,   299, 0};
  std::ranges::copy(tokens, plan.input<std::int32_t>("tokens").begin());
  plan.run();
  auto y = plan.output("y");
  auto apart = [&](std::size_t a, std::size_t b) {
    double sum = 0;
    for (std::size_t k = 0; k < 4; ++k) sum += std::abs(double(y[4 * a + k] - y[4 * b + k]));
    return sum;
  };
  CHECK(apart(0, 1) == 0);
  CHECK(apart(0, 2) > 1e-4);
  CHECK(apart(0, 3) > 1e-4);
}

TEST_CASE("published networks have their published sizes") {
  struct Row {
    const char *model, *preset;
    Attributes more;
    DataShape shape;
    std::int64_t parameters;
  };
  const Row rows[] = {
      {"classifier", "vit-ti16", {}, {224, 224, 3, 1000}, 5717416},
      {"classifier", "vit-s16", {}, {224, 224, 3, 1000}, 22050664},
      {"classifier", "vit-b16", {}, {224, 224, 3, 1000}, 86567656},
      {"clip", "clip-64", {}, {64, 64, 3, 0}, 9686401},
      {"clip",
       "vit-b32",
       {{"context_length", std::int64_t{77}}, {"vocab_size", std::int64_t{49408}}},
       {224, 224, 3, 0},
       151277313},
  };
  for (const Row& row : rows) {
    std::int64_t found = parameters_of(row.model, row.preset, row.more, row.shape);
    fmt::print("summary: A11: {}: {} parameters\n", row.preset, found);
    CHECK(found == row.parameters);
  }
}
