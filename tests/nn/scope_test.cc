// Scopes: names, sharing, states, noise and the errors of each.
#include "nn/scope.h"

#include <doctest/doctest.h>

#include "nn/init.h"
#include "nn/support.h"

using namespace atelier;

namespace {

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("names join with dots and the same name is the same tensor") {
  Graph graph;
  Store store(7);
  Scope root(graph, store, Mode::train);
  Expr a = (root / "encoder" / 0).param("weight", {2, 3}, normal(1));
  Expr b = (root / "encoder" / 0).param("weight", {2, 3}, zeros());
  CHECK(a == b);
  CHECK(store.names() == std::vector<std::string>{"encoder.0.weight"});
  CHECK(root.params().size() == 1);
}

TEST_CASE("params lists what lies under the scope in order of mention") {
  Graph graph;
  Store store;
  Scope root(graph, store, Mode::train);
  (root / "b").param("w", {1}, zeros());
  (root / "a").param("w", {1}, zeros());
  (root / "ab").param("w", {1}, zeros());
  CHECK(root.param_names() == std::vector<std::string>{"b.w", "a.w", "ab.w"});
  CHECK((root / "a").param_names() == std::vector<std::string>{"a.w"});
}

TEST_CASE("initial values depend on seed and name and not on the order of mention") {
  Store first(3), second(3), other(4);
  auto values = [](Store& store, bool reversed) {
    Graph graph;
    Scope root(graph, store, Mode::train);
    for (int i : {0, 1}) root.param(i != reversed ? "x" : "y", {50}, normal(1));
    auto x = std::as_const(store).values("x");
    return std::vector<float>(x.begin(), x.end());
  };
  CHECK(values(first, false) == values(second, true));
  CHECK(values(first, false) != values(other, false));
  auto y = std::as_const(first).values("y");
  CHECK(values(first, false) != std::vector<float>(y.begin(), y.end()));
}

TEST_CASE("a stored tensor keeps its values and must have the shape that is asked for") {
  Graph graph;
  Store store;
  store.create("w", {DType::f32, {2}});
  store.values("w")[1] = 5;
  Scope root(graph, store, Mode::train);
  root.param("w", {2}, ones());
  CHECK(std::as_const(store).values("w")[1] == 5);
  std::string message = message_of([&] { root.param("w", {3}, ones()); });
  CHECK(contains(message, "parameter 'w': expected f32[3], the store holds f32[2]"));
  CHECK(contains(message, "scope_test.cc:"));
}

TEST_CASE("states are updated in training and neither when frozen nor in evaluation") {
  Store store;
  for (int variant : {0, 1, 2}) {
    Graph graph;
    Scope root(graph, store, variant == 2 ? Mode::eval : Mode::train);
    Scope used = variant == 1 ? root.frozen() : root;
    Expr state = used.state("seen", {2}, 1.5);
    used.update(state, state + 1.0);
    CHECK(graph.updates().size() == (variant == 0 ? 1 : 0));
    CHECK(root.state_updates().size() == (variant == 0 ? 1 : 0));
    CHECK(root.params().empty());
  }
  CHECK(std::as_const(store).values("seen")[1] == 1.5f);
}

TEST_CASE("reading takes averages where there are some and the tensor itself elsewhere") {
  Graph graph;
  Store store;
  store.create("ema0/a", {DType::f32, {1}});
  Scope root(graph, store, Mode::eval);
  Expr a = root.reading("ema0/").param("a", {1}, ones());
  Expr b = root.reading("ema0/").param("b", {1}, ones());
  CHECK(graph.name_of(a.node) == "ema0/a");
  CHECK(graph.name_of(b.node) == "b");
}

TEST_CASE("noise is a stream a name and needs its inputs") {
  Graph graph;
  Store store;
  Scope silent(graph, store, Mode::train);
  std::string message = message_of([&] { (silent / "latent").normal("noise", {4, 2}); });
  CHECK(contains(message, "noise 'latent.noise'"));
  Scope root(graph, store, Mode::train, noise_inputs(graph, 4));
  Expr a = root.normal("a", {4, 2}), b = root.normal("b", {4, 2});
  CHECK(a == root.normal("a", {4, 2}));
  OracleState state;
  state.inputs["ids"] = testing::dense_of({4}, {0, 1, 2, 3}, DType::i32);
  state.inputs["clock"] = testing::dense_of({3}, {1, 0, 9}, DType::i32);
  CHECK(testing::value_of(a, state) != testing::value_of(b, state));
  CHECK_THROWS_AS(root.uniform("c", {5, 2}), ShapeError);
}
