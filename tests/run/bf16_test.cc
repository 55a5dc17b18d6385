// bf16: conversions of every pair of types, products of bf16 operands, and plans with narrowed
// products, against the oracle.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/parallel.h"
#include "run/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

double rounded(double v) { return double(to_float(to_bf16(float(v)))); }

// Numbers that a type holds, those between two of the target among them.
std::vector<double> numbers(DType type) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  std::vector<double> all{0, 1, 2, 127, 128, 200, 254, 255};
  if (type == DType::u8) return all;
  for (double v : {-1.0, -2.0, -128.0, 256.0, 257.0, 258.0, 259.0, 65535.0, 65536.0, -70000.0})
    all.push_back(v);
  if (type == DType::i32) {
    for (double v : {16777217.0, 16777219.0, -2147483648.0, 2147483647.0, 1234567.0})
      all.push_back(v);
    return all;
  }
  for (double v : {0.5, 1.5, 2.5, -0.5, -1.5, 254.5, 255.5, 3e9, -3e9, 1e38, 1e-30, 0.1, 1.00390625,
                   1.01171875, inf, -inf, std::nan("")}) {
    all.push_back(type == DType::bf16 ? rounded(v) : double(float(v)));
  }
  if (type == DType::bf16) std::transform(all.begin(), all.end(), all.begin(), rounded);
  return all;
}

// A product of a sample on operands of bf16: the worst error of an element relative to the sum of
// its terms' magnitudes.
double worst_product(Op op, const Sample& sample, Level level) {
  Graph graph, magnitudes;
  OracleState state, absolute;
  std::vector<Expr> x, y;
  for (std::size_t k = 0; k < 2; ++k) {
    std::string label = fmt::format("x{}", k);
    Dense value{{DType::bf16, sample.operands[k].shape}, {}};
    RandomStream stream(4, stream_of("operand"), k);
    for (std::int64_t i = 0; i < value.type.shape.count(); ++i)
      value.v.push_back(rounded(2 * stream.uniform() - 1));
    x.push_back(graph.input(label, DType::bf16, value.type.shape));
    y.push_back(magnitudes.input(label, DType::bf16, value.type.shape));
    state.inputs[label] = value;
    for (double& v : value.v) v = std::abs(v);
    absolute.inputs[label] = value;
  }
  graph.output("y", graph.put(op, x, sample.attributes));
  magnitudes.output("y", magnitudes.put(op, y, sample.attributes));
  Dense expected = run_oracle(graph, state)["y"], sums = run_oracle(magnitudes, absolute)["y"];
  Store store;
  Plan plan(graph, store, {.level = level});
  for (const auto& [label, value] : state.inputs) testing::write_input(plan, label, value);
  plan.run();
  auto found = testing::read_output(plan, "y", expected.type);
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    double error = std::abs(found[i] - expected.v[i]) / std::max(sums.v[i], 1e-30);
    worst = std::max(worst, std::isnan(error) ? 1e9 : error);
  }
  return worst;
}

// A convolution with a norm, a product with a transposed weight, and steps downhill.
Graph training_graph(Store& store) {
  Graph g;
  auto slot = [&](const std::string& label, Shape shape) {
    store.create(label, {DType::f32, shape});
    RandomStream stream(3, stream_of(label));
    for (float& v : store.values(label)) v = float(0.3 * stream.normal());
    return g.slot(label, {DType::f32, shape});
  };
  Expr x = g.input("x", DType::f32, {4, 8, 8, 3});
  std::vector<Expr> p{slot("kernel", {3, 3, 3, 8}), slot("gain", {8}), slot("shift", {8}),
                      slot("w", {10, 128})};
  Expr hidden = conv(x, p[0], {.stride = {2, 2}, .pad = {1, 1, 1, 1}});
  hidden = silu(batch_norm(hidden, p[1], p[2], 1e-2).y);
  Expr y = matmul(reshape(hidden, {4, 128}), p[3], false, true);
  Expr loss = reshape(mean(square(y)), {});
  std::vector<Expr> grads = gradient(loss, p);
  for (std::size_t i = 0; i < p.size(); ++i) g.update(p[i], p[i] - 0.05 * grads[i]);
  g.output("loss", loss);
  g.output("hidden", conv(x, p[0], {}));
  return g;
}

}  // namespace

TEST_CASE("casts between all pairs of types give the oracle's numbers at every level") {
  int cases = 0;
  for (DType from : {DType::f32, DType::bf16, DType::i32, DType::u8}) {
    for (DType to : {DType::f32, DType::bf16, DType::i32, DType::u8}) {
      Dense x{{from, {}}, numbers(from)};
      x.type.shape = Shape{std::int64_t(x.v.size())};
      Graph g;
      std::int64_t attributes[] = {std::int64_t(to)};
      Expr in = g.input("x", from, x.type.shape);
      Expr y = g.put(Op::cast, {&in, 1}, attributes);
      g.output("y", y);
      OracleState state;
      state.inputs["x"] = x;
      auto expected = run_oracle(g, state)["y"].v;
      for (Level level : testing::host_levels()) {
        Store store;
        Plan plan(g, store, {.level = level});
        testing::write_input(plan, "x", x);
        plan.run();
        auto found = testing::read_output(plan, "y", y.type());
        for (std::size_t i = 0; i < found.size(); ++i) {
          // Floats hold what is nearest.
          double want = is_float(to) ? double(float(expected[i])) : expected[i];
          INFO(std::string(name(from)), " ", x.v[i], " to ", std::string(name(to)), ": ", found[i],
               ", expected ", want);
          CHECK((found[i] == want || (std::isnan(found[i]) && std::isnan(want))));
          ++cases;
        }
      }
    }
  }
  fmt::print("summary: casts between all pairs of types: {} numbers\n", cases);
}

TEST_CASE("products of bf16 operands follow the oracle within the rounding of f32") {
  double worst = 0;
  int cases = 0;
  for (Op op : {Op::matmul, Op::conv, Op::conv_dx, Op::conv_dw}) {
    for (const Sample& sample : row(op).samples()) {
      for (Level level : testing::host_levels()) {
        INFO(std::string(name(op)), " (", sample.name, ") at ", std::string(name(level)));
        double error = worst_product(op, sample, level);
        CHECK(error <= 1e-6);
        worst = std::max(worst, error);
        ++cases;
      }
    }
  }
  fmt::print("summary: products of bf16: {} cases, worst error {:.1e} of the sum of |a b|\n", cases,
             worst);
}

TEST_CASE("a bf16 slot, a transposed view and a cast value are operands of products too") {
  Graph g;
  Expr x = g.input("x", DType::f32, {5, 7});
  Expr w = g.slot("w", {DType::bf16, {3, 7}});
  g.output("y", matmul(cast(x, DType::bf16), transpose(w, {1, 0})));
  Store store;
  store.create("w", {DType::bf16, {3, 7}});
  OracleState state;
  state.inputs["x"] = {{DType::f32, {5, 7}}, std::vector<double>(35)};
  state.slots["w"] = {{DType::bf16, {3, 7}}, std::vector<double>(21)};
  auto* words = reinterpret_cast<BFloat16*>(store.at("w").data());
  for (std::size_t i = 0; i < 21; ++i)
    words[i] = to_bf16(float(state.slots["w"].v[i] = rounded(0.37 * double(i) - 3)));
  for (std::size_t i = 0; i < 35; ++i)
    state.inputs["x"].v[i] = double(float(0.211 * double(i) - 2));
  Plan plan(g, store);
  testing::write_input(plan, "x", state.inputs["x"]);
  plan.run();
  auto expected = run_oracle(g, state)["y"].v;
  auto found = testing::read_output(plan, "y", {DType::f32, {5, 3}});
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == testing::near(expected[i], 1e-6));
}

TEST_CASE("a bf16 plan computes the narrowed graph: same at any level and team, unlike f32") {
  std::map<Precision, std::vector<double>> hidden;
  for (Precision precision : {Precision::f32, Precision::bf16}) {
    std::vector<double> reference;
    for (Level level : testing::host_levels()) {
      for (int threads : {1, 3}) {
        set_threads(threads);
        Store store;
        Graph g = training_graph(store);
        Graph narrowed = narrow_products(g, precision);
        OracleState state;
        for (const std::string& label : store.names()) {
          auto values = store.values(label);
          state.slots[label] = {store.at(label).type, {values.begin(), values.end()}};
        }
        Dense& x = state.inputs["x"] = {{DType::f32, {4, 8, 8, 3}}, std::vector<double>(768)};
        RandomStream stream(8, stream_of("x"));
        for (double& v : x.v) v = double(float(stream.normal()));
        Plan plan(g, store, {.level = level, .precision = precision});
        testing::write_input(plan, "x", x);
        plan.run();
        auto expected = run_oracle(narrowed, state);
        // On operands that both hold exactly; behind a norm a bf16 may round to either side.
        auto found = testing::read_output(plan, "hidden", expected["hidden"].type);
        for (std::size_t i = 0; i < found.size(); ++i)
          CHECK(std::abs(found[i] - expected["hidden"].v[i]) < 1e-5);
        CHECK(double(plan.scalar("loss")) ==
              testing::near(expected["loss"].v[0], precision == Precision::f32 ? 1e-5 : 5e-3));
        for (const std::string& label : store.names()) {
          auto values = store.values(label);
          found.insert(found.end(), values.begin(), values.end());
          for (std::size_t i = 0; i < values.size(); ++i)
            CHECK(std::abs(double(values[i]) - state.slots[label].v[i]) < 5e-3);
        }
        if (reference.empty()) reference = found;
        CHECK(found == reference);
      }
    }
    hidden[precision] = reference;
  }
  set_threads(0);
  CHECK(hidden[Precision::f32] != hidden[Precision::bf16]);
}
