// Activations and other compositions of primitives: plans at every level against plain formulas in
// double, and their slopes in f64 against central differences.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graph/differences.h"
#include "run/support.h"

using namespace atelier;

namespace {

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

struct Function {
  const char* name;
  Expr (*build)(Expr);
  double (*formula)(double);
  std::vector<double> kinks = {};  // central differences keep away from them
  double least = 1e-3;             // smaller values are compared as if they were of this size
};

const Function kFunctions[] = {
    // x/2 (1 + erf) is right to an ulp of x, not of the value where that vanishes (PyTorch's too).
    {"gelu",
     [](Expr x) { return gelu(x); },
     [](double x) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); },
     {},
     0.05},
    {"gelu_tanh", [](Expr x) { return gelu_tanh(x); },
     [](double x) {
       double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
       return x * sigmoid_of(2 * inner);
     }},
    {"silu", [](Expr x) { return silu(x); }, [](double x) { return x * sigmoid_of(x); }},
    {"softplus", [](Expr x) { return softplus(x); },
     [](double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }},
    {"clamp",
     [](Expr x) { return clamp(x, -0.75, 1.25); },
     [](double x) { return std::clamp(x, -0.75, 1.25); },
     {-0.75, 1.25}},
    {"relu", [](Expr x) { return relu(x); }, [](double x) { return std::max(x, 0.0); }, {0}},
    {"leaky_relu",
     [](Expr x) { return leaky_relu(x, 0.2); },
     [](double x) { return x < 0 ? 0.2 * x : x; },
     {0}},
};

// Odd in number, dense around zero, out to where the functions are flat or straight.
std::vector<double> places(const std::vector<double>& kinks, double reach) {
  std::vector<double> x;
  for (int k = -500; k <= 500; ++k) {
    double at = double(float(reach * std::pow(k / 500.0, 3)));
    bool near_kink = std::ranges::any_of(kinks, [&](double a) { return std::abs(at - a) < 1e-3; });
    if (!near_kink) x.push_back(at);
  }
  return x;
}

// Worst error of a plan relative to the value, or to `least` where that is smaller.
double worst_error(Expr y, const Dense& x, const std::vector<double>& expected, double least,
                   Level level) {
  y.graph->output("y", y);
  Store store;
  Plan plan(*y.graph, store, {.level = level});
  testing::write_input(plan, "x", x);
  plan.run();
  std::vector<double> found = testing::read_output(plan, "y", y.type());
  REQUIRE(found.size() == expected.size());
  double worst = 0;
  for (std::size_t j = 0; j < found.size(); ++j) {
    double error = std::abs(found[j] - expected[j]) / std::max(std::abs(expected[j]), least);
    worst = std::max(worst, std::isnan(error) ? 1e9 : error);
  }
  return worst;
}

// Worst relative error of the slope along a random direction, the loss a weighted sum.
double slope_error(const std::function<Expr(Expr)>& build, const Shape& shape,
                   std::vector<double> values) {
  testing::Differences d;
  Expr x = d.graph.input("x", DType::f64, shape);
  d.state.inputs["x"] = {{DType::f64, shape}, std::move(values)};
  d.wrt = {x};
  d.names = {"x"};
  Expr next;
  return d.error(d.weighted(build(x), 5), 9, next);
}

}  // namespace

TEST_CASE("activations give their formulas' values at every level, and their slopes") {
  for (const Function& function : kFunctions) {
    INFO(std::string(function.name));
    std::vector<double> x = places({}, 30), expected;
    for (double v : x) expected.push_back(function.formula(v));
    Dense input{{DType::f32, {std::int64_t(x.size())}}, x};
    double forward = 0;
    for (Level level : testing::host_levels()) {
      Graph graph;
      Expr y = function.build(graph.input("x", DType::f32, input.type.shape));
      forward = std::max(forward, worst_error(y, input, expected, function.least, level));
    }
    std::vector<double> smooth = places(function.kinks, 4);
    double slope = slope_error(function.build, {std::int64_t(smooth.size())}, smooth);
    fmt::print("summary: {}: forward {:.1e}, slope against differences {:.1e}\n", function.name,
               forward, slope);
    CHECK(forward <= 1e-5);
    CHECK(slope <= 1e-6);
  }
}

TEST_CASE("logsumexp gives its formula's values at every level, large numbers too, and its slope") {
  const std::int64_t rows = 7, width = 61;
  RandomStream random(4, stream_of("logsumexp"));
  std::vector<double> x(std::size_t(rows * width)), down, across;
  for (std::size_t j = 0; j < x.size(); ++j) {
    double shift = j / std::size_t(width) == 3 ? 3e4 : j / std::size_t(width) == 5 ? -3e4 : 0;
    x[j] = double(float(shift + 4 * random.normal()));
  }
  auto formula = [&](std::size_t first, std::size_t step, std::size_t count) {
    double largest = -INFINITY, total = 0;
    for (std::size_t k = 0; k < count; ++k) largest = std::max(largest, x[first + k * step]);
    for (std::size_t k = 0; k < count; ++k) total += std::exp(x[first + k * step] - largest);
    return largest + std::log(total);
  };
  for (std::size_t r = 0; r < std::size_t(rows); ++r)
    across.push_back(formula(r * std::size_t(width), 1, std::size_t(width)));
  for (std::size_t c = 0; c < std::size_t(width); ++c)
    down.push_back(formula(c, std::size_t(width), std::size_t(rows)));
  Dense input{{DType::f32, {rows, width}}, x};
  double forward = 0;
  for (Level level : testing::host_levels()) {
    for (int axis : {0, 1}) {
      Graph graph;
      Expr y = logsumexp(graph.input("x", DType::f32, {rows, width}), axis);
      forward = std::max(forward, worst_error(y, input, axis == 0 ? down : across, 1e-3, level));
    }
  }
  for (double& v : x) v = 2 * random.normal();
  double slope = 0;
  for (int axis : {0, 1}) {
    auto build = [&](Expr e) { return logsumexp(e, axis); };
    slope = std::max(slope, slope_error(build, {rows, width}, x));
  }
  fmt::print("summary: logsumexp: forward {:.1e}, slope against differences {:.1e}\n", forward,
             slope);
  CHECK(forward <= 1e-5);
  CHECK(slope <= 1e-6);
}
