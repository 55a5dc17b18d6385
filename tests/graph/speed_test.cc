// Costs of building and differentiating graphs grow in proportion to their nodes.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "graph/ops.h"

using namespace atelier;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A recurrence of `steps` steps over slices of one input: tanh(x_t u + h w + b).
Expr recurrence(Graph& g, int steps, std::vector<Expr>& weights) {
  Expr x = g.input("x", DType::f32, {steps, 4, 8}), h = g.input("h", DType::f32, {4, 16});
  weights = {g.slot("u", {DType::f32, {8, 16}}), g.slot("w", {DType::f32, {16, 16}}),
             g.slot("b", {DType::f32, {16}})};
  for (int t = 0; t < steps; ++t) {
    Expr now = reshape(slice(x, 0, t, t + 1), {4, 8});
    h = tanh(matmul(now, weights[0]) + matmul(h, weights[1]) + weights[2]);
  }
  return reshape(mean(square(h)), {});
}

}  // namespace

TEST_CASE("a graph of fifty thousand nodes is built in a fraction of a second") {
  double best = 1e9;
  NodeId nodes = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {  // the machine may be busy
    auto start = std::chrono::steady_clock::now();
    Graph g;
    Expr x = g.input("x", DType::f32, {8, 64}), y = g.input("y", DType::f32, {8, 64});
    while (g.size() < 50000) {
      y = tanh(x * y + y);
      x = sigmoid(x - y);
    }
    nodes = g.size();
    best = std::min(best, seconds_since(start));
  }
  fmt::print("summary: building {} nodes: {:.3f} s\n", nodes, best);
  // The aim is 0.2 s; sanitizers and a loaded machine get their share.
  CHECK(best < 2.0);
}

TEST_CASE("building and differentiating a recurrence adds nodes in proportion to its steps") {
  double per_step[2] = {0, 0};
  int steps[2] = {32, 512};
  for (int i = 0; i < 2; ++i) {
    Graph g;
    std::vector<Expr> weights;
    Expr loss = recurrence(g, steps[i], weights);
    gradient(loss, weights);
    per_step[i] = double(g.size()) / steps[i];
  }
  CHECK(per_step[1] <= 1.05 * per_step[0]);
}

TEST_CASE("gradients visit nothing below the smallest variable") {
  // A tail is differentiated many times, behind a long prefix and behind none. Marking the prefix
  // each time would make it tens of times slower.
  double best[2] = {1e9, 1e9};
  for (int attempt = 0; attempt < 3; ++attempt) {
    for (int k = 0; k < 2; ++k) {
      Graph g;
      Expr x = g.input("x", DType::f32, {4});
      for (int i = 0; i < (k ? 200000 : 0); ++i) x = tanh(x);
      Expr z = x + 0.5;
      auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < 500; ++i) gradient(reshape(sum(square(z) * (i + 2.0)), {}), z);
      best[k] = std::min(best[k], seconds_since(start));
    }
  }
  INFO("without a prefix ", best[0], " s, with one ", best[1], " s");
  CHECK(best[1] < 5 * best[0]);
}
