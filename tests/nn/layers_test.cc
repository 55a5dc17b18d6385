// Layers and losses: shapes, parameter counts, values in closed form.
#include "nn/layers.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "base/random.h"
#include "nn/losses.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

struct Bench {
  Graph graph;
  Store store{1};
  Scope scope(Mode mode = Mode::train) { return Scope(graph, store, mode); }
  Expr x(Shape shape) { return graph.input("x", DType::f32, shape); }
};

std::vector<double> random_values(std::int64_t count, std::uint64_t seed) {
  RandomStream random(seed, stream_of("layers_test"));
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& v : values) v = random.normal();
  return values;
}

struct Row {
  const char* name;
  Shape input;
  Expr (*build)(const Scope&, Expr);
  Shape output;
  std::int64_t parameters;
};

}  // namespace

TEST_CASE("layers give the shapes and parameter counts of PyTorch's") {
  const Row rows[] = {
      {"linear", {5, 3}, [](const Scope& s, Expr x) { return linear(s, x, 4); }, {5, 4}, 16},
      {"linear on tokens",
       {2, 5, 3},
       [](const Scope& s, Expr x) { return linear(s, x, 4, {.bias = false}); },
       {2, 5, 4},
       12},
      {"linear on a vector", {3}, [](const Scope& s, Expr x) { return linear(s, x, 4); }, {4}, 16},
      {"conv2d 4/2 pad 1",
       {2, 32, 48, 3},
       [](const Scope& s, Expr x) {
         return conv2d(s, x, 8, {.kernel = 4, .stride = 2, .padding = 1});
       },
       {2, 16, 24, 8},
       4 * 4 * 3 * 8 + 8},
      {"conv2d in groups, dilated",
       {2, 9, 9, 4},
       [](const Scope& s, Expr x) {
         return conv2d(s, x, 6, {.kernel = 3, .dilation = 2, .groups = 2, .bias = false});
       },
       {2, 5, 5, 6},
       3 * 3 * 2 * 6},
      {"conv2d_transpose 5/2 pad 2 output padding 1",
       {2, 4, 4, 6},
       [](const Scope& s, Expr x) {
         return conv2d_transpose(s, x, 3,
                                 {.kernel = 5, .stride = 2, .padding = 2, .output_padding = 1});
       },
       {2, 8, 8, 3},
       5 * 5 * 3 * 6 + 3},
      {"conv2d_transpose 4/2 pad 1 to odd sizes",
       {2, 3, 4, 6},
       [](const Scope& s, Expr x) {
         return conv2d_transpose(s, x, 3,
                                 {.kernel = 4, .stride = 2, .padding = 1, .height = 7, .width = 9});
       },
       {2, 7, 9, 3},
       4 * 4 * 3 * 6 + 3},
      {"layer_norm",
       {2, 5, 6},
       [](const Scope& s, Expr x) { return layer_norm(s, x); },
       {2, 5, 6},
       12},
      {"group_norm",
       {2, 4, 4, 6},
       [](const Scope& s, Expr x) { return group_norm(s, x, 3); },
       {2, 4, 4, 6},
       12},
      {"batch_norm",
       {2, 4, 4, 6},
       [](const Scope& s, Expr x) { return batch_norm(s, x); },
       {2, 4, 4, 6},
       12},
  };
  for (const Row& row : rows) {
    Bench bench;
    Expr y = row.build(bench.scope() / "layer", bench.x(row.input));
    INFO(std::string(row.name));
    CHECK(to_string(y.shape()) == to_string(row.output));
    std::int64_t states = 0;
    for (const std::string& name : bench.store.names("layer.running")) {
      states += bench.store.at(name).type.shape.count();
    }
    CHECK(bench.store.count("layer.") - states == row.parameters);
  }
}

TEST_CASE("a layer names itself, its scope and the call site when shapes do not fit") {
  Bench bench;
  std::string message;
  try {
    conv2d(bench.scope() / "down", bench.x({4, 5, 6}), 8);
  } catch (const ShapeError& error) {
    message = error.what();
  }
  CHECK(message.find("conv2d down: expected [N,H,W,C]; f32[4,5,6] (layers_test.cc:") == 0);
}

TEST_CASE("weights and biases start uniform within one over the root of fan in") {
  Bench bench;
  linear(bench.scope() / "l", bench.x({1, 400}), 300);
  for (const char* name : {"l.weight", "l.bias"}) {
    double largest = 0, squares = 0;
    auto values = std::as_const(bench.store).values(name);
    for (float v : values) {
      largest = std::max(largest, std::abs(double(v)));
      squares += double(v) * v;
    }
    double bound = 1 / std::sqrt(400.0), count = double(values.size());
    CHECK(largest <= bound);
    CHECK(largest > 0.95 * bound);
    // Variance bound^2 / 3; four standard errors of the mean square of a uniform variable.
    CHECK(squares / count == testing::near(bound * bound / 3, 4 * std::sqrt(0.8 / count)));
  }
}

TEST_CASE("orthogonal weights have orthonormal rows or columns") {
  for (Shape shape : {Shape{6, 10}, Shape{10, 6}, Shape{2, 2, 3, 5}}) {
    std::vector<float> w(std::size_t(shape.count()));
    orthogonal(1)(w, shape, 1, 2);
    std::int64_t columns = shape[-1], rows = shape.count() / columns;
    bool wide = columns >= rows;
    std::int64_t count = wide ? rows : columns, length = wide ? columns : rows;
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) {
        double dot = 0;
        for (std::int64_t k = 0; k < length; ++k) {
          auto at = [&](std::int64_t v) {
            return w[std::size_t(wide ? v * columns + k : k * columns + v)];
          };
          dot += double(at(i)) * at(j);
        }
        CHECK(dot == testing::within(i == j ? 1 : 0, 1e-6));
      }
    }
  }
}

TEST_CASE("normal initialisers have their standard deviations") {
  Shape shape{3, 3, 16, 32};
  std::vector<float> w(std::size_t(shape.count()));
  struct {
    Init init;
    double std;
  } rows[] = {{normal(0.02), 0.02},
              {kaiming_normal(), std::sqrt(2.0 / 144)},
              {xavier_uniform(), std::sqrt(2.0 / (144 + 288))}};
  for (auto& row : rows) {
    row.init(w, shape, 5, 6);
    double squares = std::inner_product(w.begin(), w.end(), w.begin(), 0.0);
    CHECK(std::sqrt(squares / double(w.size())) == testing::near(row.std, 0.05));
  }
}

TEST_CASE("batch norm trains on the batch, moves its averages, and evaluates with them") {
  const std::int64_t rows = 6, width = 2;
  std::vector<double> data = random_values(rows * width, 3);
  Bench bench;
  Expr y = batch_norm(bench.scope(), bench.x({rows, width}));
  bench.store.values("weight")[1] = 2;
  bench.store.values("bias")[1] = -1;
  OracleState state = testing::state_of(bench.store);
  state.inputs["x"] = testing::dense_of({rows, width}, data);
  bench.graph.output("y", y);
  std::vector<double> found = run_oracle(bench.graph, state)["y"].v;

  Graph eval_graph;
  Scope eval_scope(eval_graph, bench.store, Mode::eval);
  Expr evaluated = batch_norm(eval_scope, eval_graph.input("x", DType::f32, {rows, width}));
  CHECK(eval_graph.updates().empty());
  std::vector<double> at_eval = testing::value_of(evaluated, state);  // after the update above

  for (std::int64_t c = 0; c < width; ++c) {
    double mean = 0, squares = 0;
    for (std::int64_t r = 0; r < rows; ++r) mean += data[std::size_t(r * width + c)] / rows;
    for (std::int64_t r = 0; r < rows; ++r)
      squares += std::pow(data[std::size_t(r * width + c)] - mean, 2);
    double running_mean = 0.1 * mean, running_var = 0.9 + 0.1 * squares / (rows - 1);
    CHECK(state.slots["running_mean"].v[std::size_t(c)] == testing::near(running_mean));
    CHECK(state.slots["running_var"].v[std::size_t(c)] == testing::near(running_var));
    double weight = c == 1 ? 2 : 1, bias = c == 1 ? -1 : 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      std::size_t at = std::size_t(r * width + c);
      double by_batch = (data[at] - mean) / std::sqrt(squares / rows + 1e-5) * weight + bias;
      double by_average = (data[at] - running_mean) / std::sqrt(running_var + 1e-5) * weight + bias;
      CHECK(found[at] == testing::near(by_batch));
      CHECK(at_eval[at] == testing::near(by_average));
    }
  }
  CHECK_THROWS_AS(batch_norm(bench.scope() / "one", bench.graph.input("z", DType::f32, {1, 2})),
                  ShapeError);
}

TEST_CASE("dropout keeps the mean, drops its share, and rests in evaluation") {
  Graph graph;
  Store store;
  Scope scope(graph, store, Mode::train, noise_inputs(graph, 100));
  Expr x = graph.input("x", DType::f32, {100, 200});
  Expr y = dropout(scope, x, 0.3);
  OracleState state;
  state.inputs["x"] = testing::dense_of({100, 200}, std::vector<double>(20000, 1.0));
  std::vector<double> ids(100);
  std::iota(ids.begin(), ids.end(), 0);
  state.inputs["ids"] = testing::dense_of({100}, ids, DType::i32);
  state.inputs["clock"] = testing::dense_of({3}, {0, 0, 0}, DType::i32);
  double kept = 0;
  for (double v : testing::value_of(y, state)) {
    CHECK((v == 0 || v == testing::near(1 / 0.7)));
    kept += v != 0;
  }
  CHECK(kept / 20000 == testing::near(0.7, 0.02));  // 4 standard errors are 0.018
  CHECK(dropout(Scope(graph, store, Mode::eval), x, 0.3) == x);
}

TEST_CASE("an embedding picks rows") {
  Bench bench;
  Expr index = bench.graph.input("i", DType::i32, {3});
  Expr y = embedding(bench.scope(), index, 5, 2);
  CHECK(to_string(y.shape()) == "[3,2]");
  OracleState state = testing::state_of(bench.store);
  state.inputs["i"] = testing::dense_of({3}, {4, 0, 4}, DType::i32);
  auto found = testing::value_of(y, state);
  auto weight = std::as_const(bench.store).values("weight");
  CHECK(found[0] == weight[8]);
  CHECK(found[3] == weight[1]);
  CHECK(found[4] == weight[8]);
}

TEST_CASE("the Bernoulli loss is that of the sigmoid's probabilities") {
  Graph graph;
  Expr logits = graph.input("l", DType::f64, {2, 3}), x = graph.input("x", DType::f64, {2, 3});
  OracleState state;
  std::vector<double> l{-3, 0.5, 2, 1, -700, 700}, v{0, 1, 0.25, 1, 0, 1};
  state.inputs["l"] = testing::dense_of({2, 3}, l, DType::f64);
  state.inputs["x"] = testing::dense_of({2, 3}, v, DType::f64);
  auto found = testing::value_of(bernoulli_nll(logits, x), state);
  double first = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    double p = 1 / (1 + std::exp(-l[i]));
    first -= v[i] * std::log(p) + (1 - v[i]) * std::log(1 - p);
  }
  CHECK(found[0] == testing::near(first));
  CHECK(found[1] == testing::near(std::log1p(std::exp(-1.0))));  // sure and right at +-700
}

TEST_CASE("the Gaussian loss carries its whole constant and its sigma") {
  Graph graph;
  Expr x = graph.input("x", DType::f64, {1, 2, 2, 3});
  Expr mean = graph.input("m", DType::f64, {1, 2, 2, 3});
  Expr log_sigma = graph.input("s", DType::f64, {1});
  OracleState state;
  auto a = random_values(12, 1), b = random_values(12, 2);
  state.inputs["x"] = testing::dense_of({1, 2, 2, 3}, a, DType::f64);
  state.inputs["m"] = testing::dense_of({1, 2, 2, 3}, b, DType::f64);
  state.inputs["s"] = testing::dense_of({1}, {-0.7}, DType::f64);
  double sigma = std::exp(-0.7), unit = 0, scaled = 0;
  for (std::size_t i = 0; i < 12; ++i) {
    double d = a[i] - b[i];
    unit += 0.5 * d * d + 0.5 * std::log(2 * std::numbers::pi);
    scaled +=
        0.5 * d * d / (sigma * sigma) + std::log(sigma) + 0.5 * std::log(2 * std::numbers::pi);
  }
  double of_unit = testing::value_of(gaussian_nll(x, mean), state)[0];
  double of_scaled = testing::value_of(gaussian_nll(x, mean, log_sigma), state)[0];
  fmt::print("summary: Gaussian likelihood and its constant: error {:.1e}, with sigma {:.1e}\n",
             std::abs(of_unit / unit - 1), std::abs(of_scaled / scaled - 1));
  CHECK(of_unit == testing::near(unit, 1e-12));
  CHECK(of_scaled == testing::near(scaled, 1e-12));
}

TEST_CASE("the KL term in closed form lies within three standard errors of Monte Carlo") {
  Graph graph;
  Expr mu = graph.input("mu", DType::f64, {1, 2}), logvar = graph.input("lv", DType::f64, {1, 2});
  std::vector<double> m{0.8, -1.5}, lv{-1.2, 0.6};
  OracleState state;
  state.inputs["mu"] = testing::dense_of({1, 2}, m, DType::f64);
  state.inputs["lv"] = testing::dense_of({1, 2}, lv, DType::f64);
  double closed = testing::value_of(kl_diagonal_gaussian(mu, logvar), state)[0];
  RandomStream random(11, stream_of("kl"));
  const int draws = 200000;
  double total = 0, squares = 0;
  for (int i = 0; i < draws; ++i) {
    double ratio = 0;
    for (std::size_t k = 0; k < 2; ++k) {
      double eps = random.normal(), z = m[k] + std::exp(0.5 * lv[k]) * eps;
      ratio += 0.5 * (z * z - eps * eps - lv[k]);  // log q - log p
    }
    total += ratio;
    squares += ratio * ratio;
  }
  double mean = total / draws, error = std::sqrt((squares / draws - mean * mean) / draws);
  fmt::print("summary: KL in closed form {:.4f}, by Monte Carlo {:.4f}: {:.2f} standard errors\n",
             closed, mean, std::abs(mean - closed) / error);
  CHECK(std::abs(mean - closed) < 3 * error);
  CHECK(error < 0.01 * closed);
}
