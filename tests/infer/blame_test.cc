// What a plan says about its steps leads to the lines of the model, in the backward pass too.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "infer/training.h"

using namespace atelier;

namespace {

using Text = std::string;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

// How often the library's own files are named in place of the model's or this one's.
int strangers(const std::string& table) {
  int found = 0;
  for (const char* file : {"rows_", "ops_", "gradient.cc", "terms.cc", "checkpoint.cc", "graph.cc",
                           "expand.cc", "layers.cc", "losses.cc", "optimizers.cc", "scope.cc"}) {
    for (auto at = table.find(file); at != table.npos; at = table.find(file, at + 1)) ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("the first value that is not finite is blamed on the call whose gradient it is") {
  Graph graph;
  Expr x = graph.input("x", DType::f32, {3});
  graph.set_scope("encoder");
  Expr root = sqrt(x, {"model.cc", 41});  // its slope at 0 is infinite
  graph.set_scope("");
  Expr loss = reshape(sum(root), {});
  graph.output("slope", gradient(loss, x));
  graph.output("loss", loss);
  Store store;
  Plan plan(graph, store, {.check_finite = true});
  std::ranges::copy(std::vector<float>{4, 0, 1}, plan.input("x").begin());
  plan.run();
  CHECK(plan.scalar("loss") == 3);
  INFO(plan.non_finite());
  CHECK(contains(plan.non_finite(), " of encoder (gradient of model.cc:41)"));
}

TEST_CASE("no step of a training plan stands in the library, composites whole or taken apart") {
  Attributes conv{{"net", Text("conv")},
                  {"channels", Text("4,6")},
                  {"latent_dim", std::int64_t{3}},
                  {"likelihood", Text("gaussian")},
                  {"sigma", Text("learned")}};
  Model model = testing::fitted("vae", conv, {8, 8, 2, 0});
  for (bool apart : {false, true}) {
    Graph graph;
    Store store(3);
    Scope root(graph, store, Mode::train, noise_inputs(graph, 4));
    Expr image = graph.input("image", DType::f32, {4, 8, 8, 2});
    Objective objective = model.objective(root, {image, {}, optimizer_step(root)});
    graph.output("loss", objective.loss);
    std::vector<Expr> grads = gradient(objective.loss, root.params());
    apply_optimizer(root, grads, graph.input("rate", DType::f32, {}), {.max_grad_norm = 1});
    Plan plan(graph, store, {.decompose_composites = apart});
    std::string table = plan.explain();
    INFO(table);
    CHECK(contains(table, "gradient of vae"));
    CHECK(contains(table, "(blame_test.cc:"));
    CHECK(strangers(table) == 0);
  }
}
