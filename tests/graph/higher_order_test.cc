// Derivatives of derivatives as training uses them: a gradient penalty, a loss through unrolled
// optimizer steps, recomputation, and the cost of slicing.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "graph/differences.h"
#include "support/near.h"

using namespace atelier;
using testing::Differences;

namespace {

Expr named_input(Differences& d, const std::string& name, Shape shape, double scale, bool wrt) {
  Expr e = d.graph.input(name, DType::f64, shape);
  Dense value{{DType::f64, shape}, std::vector<double>(std::size_t(shape.count()))};
  RandomStream stream(17, stream_of(name));
  for (double& v : value.v) v = scale * stream.normal();
  d.state.inputs[name] = value;
  if (wrt) {
    d.wrt.push_back(e);
    d.names.push_back(name);
  }
  return e;
}

struct Critic {
  Expr w0, w1, gain, bias, w2;
  // [N,6,6,2] -> [N,1]: two convolutions, layer norm between, leaky slopes
  Expr operator()(Expr x) const {
    Expr h = conv(x, w0, {.stride = {2, 2}, .pad = {1, 1, 1, 1}});
    h = leaky_relu(layer_norm(h, gain, bias, 1e-5).y, 0.2);
    h = tanh(conv(h, w1, {.pad = {1, 1, 1, 1}}));
    return matmul(reshape(h, {x.shape()[0], -1}), w2);
  }
};

// One Adam step of every weight on a loss, as expressions.
void adam_step(std::vector<Expr>& w, std::vector<Expr>& m, std::vector<Expr>& v, Expr loss, int t) {
  Graph& g = *loss.graph;
  auto scalar = [&](double x) { return g.constant(x, DType::f64); };
  std::vector<Expr> grads = gradient(loss, w);
  AdamArgs args{0.5, 0.9, 1e-4, 0};
  for (std::size_t i = 0; i < w.size(); ++i) {
    AdamResult next = adam(w[i], m[i], v[i], grads[i], scalar(0.05), scalar(1 - std::pow(0.5, t)),
                           scalar(1 - std::pow(0.9, t)), scalar(1), {}, {}, args);
    w[i] = next.p;
    m[i] = next.m;
    v[i] = next.v;
  }
}

}  // namespace

TEST_CASE("the gradient penalty of a convolutional critic has the slope of central differences") {
  Differences d;
  Critic critic{named_input(d, "w0", {4, 4, 2, 3}, 0.3, true),
                named_input(d, "w1", {3, 3, 3, 4}, 0.3, true), named_input(d, "gain", {3}, 1, true),
                named_input(d, "bias", {3}, 0.3, true), named_input(d, "w2", {36, 1}, 0.3, true)};
  Expr x = named_input(d, "x", {2, 6, 6, 2}, 1, false);
  Expr slope = gradient(sum(critic(x)), x);
  Expr norm = safe_norm(slope, {1, 2, 3});
  Expr penalty = reshape(mean(square(norm - 1.0)), {});
  Expr next;
  double error = d.error(penalty, 5, next);
  fmt::print("summary: gradient penalty of a convolutional critic: relative error {:.1e}\n", error);
  CHECK(error <= 1e-6);
}

TEST_CASE("a generator loss through five Adam steps of the discriminator has the right slope") {
  Differences d;
  Expr a = named_input(d, "a", {2, 8}, 0.7, true), b = named_input(d, "b", {8, 2}, 0.7, true);
  Expr noise = named_input(d, "noise", {6, 2}, 1, false),
       real = named_input(d, "real", {6, 2}, 1, false);
  std::vector<Expr> w{named_input(d, "u", {2, 6}, 0.5, true),
                      named_input(d, "v", {6, 1}, 0.5, true)};
  Expr fake = matmul(tanh(matmul(noise, a)), b);
  std::vector<Expr> m, v;
  for (const Expr& p : w) {
    Expr zero = broadcast(d.graph.constant(0, DType::f64), p.shape());
    m.push_back(zero);
    v.push_back(zero);
  }
  auto logits = [&](Expr x) { return matmul(tanh(matmul(x, w[0])), w[1]); };
  for (int t = 1; t <= 5; ++t) {
    Expr loss = mean(softplus(-logits(real))) + mean(softplus(logits(fake)));
    adam_step(w, m, v, reshape(loss, {}), t);
  }
  Expr generator = reshape(mean(softplus(-logits(fake))), {});
  Expr next;
  double error = d.error(generator, 5, next);
  fmt::print("summary: loss through 5 Adam steps: relative error {:.1e}, {} nodes\n", error,
             d.graph.size());
  CHECK(error <= 1e-6);
}

TEST_CASE("checkpointing changes neither values nor gradients and adds a recomputation") {
  Differences d;
  Expr x = named_input(d, "x", {3, 4}, 1, true), w = named_input(d, "w", {4, 4}, 0.5, true);
  auto block = [&](std::span<const Expr> in) {
    return std::vector<Expr>{tanh(matmul(silu(matmul(in[0], w)), w))};
  };
  Expr plain = sum(square(block({&x, 1})[0]));
  auto slopes = gradient(plain, d.wrt);
  NodeId before = d.graph.size();
  Expr y = d.graph.input("x2", DType::f64, {3, 4});
  d.state.inputs["x2"] = d.state.inputs["x"];
  Expr kept = sum(square(checkpoint(block, {&y, 1})[0]));
  Expr wrt[] = {y, w};
  auto again = gradient(kept, wrt);
  CHECK(d.graph.size() > before);
  bool recomputes = false;
  for (NodeId id = before; id < d.graph.size(); ++id)
    recomputes = recomputes || d.graph.node(id).op == Op::after;
  CHECK(recomputes);
  Value values[] = {plain.value(),    kept.value(),      slopes[0].value(),
                    again[0].value(), slopes[1].value(), again[1].value()};
  auto found = evaluate(d.graph, values, d.state);
  for (std::size_t i = 0; i < found.size(); i += 2) {
    for (std::size_t j = 0; j < found[i].v.size(); ++j) {
      CHECK(found[i].v[j] == testing::near(found[i + 1].v[j], 1e-12));
    }
  }
}

TEST_CASE("the gradient of reading T slices is one concat") {
  for (int steps : {8, 64}) {
    Graph g;
    Expr x = g.input("x", DType::f64, {steps, 3}), total;
    for (int t = 0; t < steps; ++t) {
      Expr term = sum(square(slice(x, 0, t, t + 1)));
      total = total ? total + term : term;
    }
    NodeId before = g.size();
    Expr slope = gradient(total, x);
    CHECK(g.node(slope.node).op == Op::concat);
    CHECK(g.size() - before < NodeId(12 * steps));
  }
}
