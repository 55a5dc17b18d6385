// Every refusal of a layer, a loss or an optimizer names it, the shapes and its caller.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "nn/layers.h"
#include "nn/losses.h"
#include "nn/optimizers.h"

using namespace atelier;

namespace {

struct Refusal {
  std::string message;  // up to the place
  std::function<void(const Scope&)> build;
};

Expr f(const Scope& s, const char* name, Shape shape) {
  return s.graph().input(name, DType::f32, shape);
}

const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> list = {
      {"linear enc: expected [.., in]; absent", [](const Scope& s) { linear(s, Expr{}, 4); }},
      {"linear enc: expected [.., in]; f32[]", [](const Scope& s) { linear(s, f(s, "x", {}), 4); }},
      {"conv2d enc: expected [N,H,W,C]; absent", [](const Scope& s) { conv2d(s, Expr{}, 4); }},
      {"conv2d enc: expected [N,H,W,C]; f32[4,5,6]",
       [](const Scope& s) {
         conv2d(s, f(s, "x", {4, 5, 6}), 4);
       }},
      {"conv2d enc: 2 groups do not divide the channels; f32[1,5,5,3]",
       [](const Scope& s) {
         conv2d(s, f(s, "x", {1, 5, 5, 3}), 4, {.groups = 2});
       }},
      {"conv enc: the kernel is larger than the padded picture; f32[1,2,2,3], f32[3,3,3,4]",
       [](const Scope& s) {
         conv2d(s, f(s, "x", {1, 2, 2, 3}), 4);
       }},
      {"conv2d_transpose enc: expected [N,H,W,C]; absent",
       [](const Scope& s) { conv2d_transpose(s, Expr{}, 4); }},
      {"conv2d_transpose enc: expected [N,H,W,C]; f32[2]",
       [](const Scope& s) { conv2d_transpose(s, f(s, "x", {2}), 4); }},
      {"layer_norm enc: expected [.., C]; absent", [](const Scope& s) { layer_norm(s, Expr{}); }},
      {"layer_norm enc: expected [.., C]; f32[]",
       [](const Scope& s) { layer_norm(s, f(s, "x", {})); }},
      {"group_norm enc: expected [.., C]; absent",
       [](const Scope& s) { group_norm(s, Expr{}, 2); }},
      {"group_norm enc: 4 groups do not divide 6 channels; f32[2,6], f32[6], f32[6]",
       [](const Scope& s) {
         group_norm(s, f(s, "x", {2, 6}), 4);
       }},
      {"batch_norm enc: expected [.., C]; absent", [](const Scope& s) { batch_norm(s, Expr{}); }},
      {"batch_norm enc: training needs more than one value a channel; f32[1,2]",
       [](const Scope& s) {
         batch_norm(s, f(s, "x", {1, 2}));
       }},
      {"dropout enc: expected [.., C]; absent", [](const Scope& s) { dropout(s, Expr{}, 0.5); }},
      {"take enc: an operand is absent; f32[5,2], absent",
       [](const Scope& s) { embedding(s, Expr{}, 5, 2); }},
      {"linear enc: x is of another graph; f32[2,3]",
       [](const Scope& s) {
         Graph other;
         linear(s, other.input("x", DType::f32, {2, 3}), 4);
       }},
      {"sum_rows: an operand is absent", [](const Scope&) { sum_rows(Expr{}); }},
      {"sum_rows: expected [N, ..]; f32[]", [](const Scope& s) { sum_rows(f(s, "x", {})); }},
      {"bernoulli_nll: an operand is absent; absent, f32[2,3]",
       [](const Scope& s) {
         bernoulli_nll(Expr{}, f(s, "x", {2, 3}));
       }},
      {"bernoulli_nll: operands have different shapes; f32[2,3], f32[2,4]",
       [](const Scope& s) {
         bernoulli_nll(f(s, "l", {2, 3}), f(s, "x", {2, 4}));
       }},
      {"bernoulli_nll: operands have different shapes; f32[2,3], f32[2,1]",
       [](const Scope& s) {
         bernoulli_nll(f(s, "l", {2, 3}), f(s, "x", {2, 1}));
       }},
      {"gaussian_nll: operands have different shapes; f32[2,3], f32[3]",
       [](const Scope& s) {
         gaussian_nll(f(s, "x", {2, 3}), f(s, "m", {3}));
       }},
      {"gaussian_nll: an operand is absent; f32[2,3], absent",
       [](const Scope& s) {
         gaussian_nll(f(s, "x", {2, 3}), Expr{});
       }},
      {"reshape: cannot become []; f32[2]",
       [](const Scope& s) {
         Expr x = f(s, "x", {2, 3});
         gaussian_nll(x, x, f(s, "s", {2}));
       }},
      {"kl_diagonal_gaussian: operands have different shapes; f32[2,3], f32[2,4]",
       [](const Scope& s) {
         kl_diagonal_gaussian(f(s, "m", {2, 3}), f(s, "v", {2, 4}));
       }},
      {"global_norm: nothing given", [](const Scope&) { global_norm({}); }},
      {"apply_optimizer: 0 gradients for 1 parameters",
       [](const Scope& s) {
         s.param("w", {1}, ones());
         apply_optimizer(s, {}, f(s, "rate", {}), {});
       }},
      {"adam: operand 3 must be as the parameter; "
       "f32[1], f32[1], f32[1], f32[2], f32[], f32[], f32[], f32[]",
       [](const Scope& s) {
         s.param("w", {1}, ones());
         Expr g = f(s, "g", {2});
         apply_optimizer(s, {&g, 1}, f(s, "rate", {}), {});
       }},
      {"accumulate_gradients: 2 gradients for 1 parameters; f32[1], f32[1]",
       [](const Scope& s) {
         Expr g[] = {s.param("w", {1}, ones()), f(s, "g", {1})};
         accumulate_gradients(s, g);
       }},
      {"add: shapes do not broadcast; f32[3], f32[2]",
       [](const Scope& s) {
         s.param("w", {3}, ones());
         Expr g = f(s, "g", {2});
         accumulated_mean(s, {&g, 1}, 2);
       }},
      {"update: an operand is absent; f32[2], absent",
       [](const Scope& s) { s.update(s.state("seen", {2}, 0), Expr{}); }},
      {"update: this is no state of the scope; f32[2], f32[2]",
       [](const Scope& s) {
         Expr w = s.param("w", {2}, ones());
         s.update(w, w);
       }},
      {"update: this is no state of the scope; f32[2], f32[2]",
       [](const Scope& s) {
         Expr x = f(s, "x", {2}) * 2.0;
         s.update(x, x);
       }},
  };
  return list;
}

}  // namespace

TEST_CASE("every refusal of a layer, a loss or an optimizer names it, the shapes and its caller") {
  for (const Refusal& r : refusals()) {
    Graph graph;
    Store store;
    Scope scope(graph, store, Mode::train, noise_inputs(graph, 2));
    INFO(r.message);
    std::string message;
    try {
      r.build(scope / "enc");
    } catch (const ShapeError& error) {
      message = error.what();
    }
    INFO(message);
    CHECK(message.find(r.message + " (messages_test.cc:") == 0);
  }
}

TEST_CASE("the inside of a layer and of a loss stands at its caller's line") {
  Graph graph;
  Store store;
  const Where line{"model.cc", 12};
  for (Mode mode : {Mode::train, Mode::eval}) {
    Scope s(graph, store, mode, noise_inputs(graph, 2, line));
    Expr x = graph.input("x", DType::f32, {2, 4, 4, 6}, line);
    Expr y = batch_norm(s / "bn", conv2d(s / "conv", x, 6, {.padding = 1}, line), {}, line);
    y = dropout(s / "drop", group_norm(s / "gn", y, 3, 1e-5, line), 0.5, line);
    y = activate("gelu", layer_norm(s / "ln", y, 1e-5, line), line);
    y = conv2d_transpose(s / "up", y, 6, {.padding = 1}, line);
    bernoulli_nll(y, x, line);
    gaussian_nll(x, y, s.param("log_sigma", {1}, zeros(), line), line);
    kl_diagonal_gaussian(linear(s / "mu", y, 3, {}, line), linear(s / "v", y, 3, {}, line), line);
  }
  Scope root(graph, store, Mode::train);
  root.param("w", {3}, ones(), line);
  Expr g = graph.input("g", DType::f32, {3}, line), rate = graph.input("r", DType::f32, {}, line);
  apply_optimizer(root, {&g, 1}, rate, {.max_grad_norm = 1, .emas = {0.9}}, line);
  CHECK(graph.size() > 100);
  for (NodeId id = 0; id < graph.size(); ++id) {
    INFO(std::string(graph.scope(id)));
    CHECK(to_string(graph.site(id)) == "model.cc:12");
  }
  for (const Update& u : graph.updates()) CHECK(to_string(u.site) == "model.cc:12");
}
