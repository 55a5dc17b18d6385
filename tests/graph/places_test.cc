// Nodes that are derived from a call (adjoints, decompositions, recomputed regions) belong to it.
#include <doctest/doctest.h>

#include <cstring>
#include <set>

#include "graph/messages.h"
#include "graph/op_table.h"

using namespace atelier;
using testing::f;
using testing::i;

namespace {

// Places that nodes from `first` on were added at, without their lines, of those that are adjoints
// or of the others.
std::set<std::string> places(const Graph& g, NodeId first, bool adjoint) {
  std::set<std::string> found;
  for (NodeId id = first; id < g.size(); ++id) {
    if (g.site(id).adjoint != adjoint) continue;
    std::string text = to_string(g.site(id));
    found.insert(text.substr(0, text.find(':')));
  }
  return found;
}

// Windows, products over time, normalisations, attention with a bias, a choice, a recomputed part.
Expr model(Graph& g) {
  Expr x = f(g, "x", {2, 8, 4}), w = f(g, "w", {4, 4}), s = f(g, "s", {4});
  Expr total;
  for (int t = 0; t < 6; ++t) {
    Expr step = tanh(matmul(reshape(slice(x, 1, t, t + 1), {2, 4}), w));
    total = total ? total + step : step;
  }
  Expr normed = layer_norm(total, s, s, 1e-5).y + batch_norm(total, s, s, 1e-5).mean;
  Expr heads = reshape(x, {2, 4, 2, 4});
  Expr seen = attention(heads, heads, heads, {.bias = f(g, "bias", {2, 4, 4})});
  auto block = [&](std::span<const Expr> in) {
    return std::vector<Expr>{gelu(matmul(in[0], w)) * max(in[0], 0.1)};
  };
  Expr again = checkpoint(block, {&normed, 1})[0];
  Expr loss = cross_entropy(again, i(g, "labels", {2}));
  return reshape(sum(loss), {}) + reshape(sum(square(seen)), {});
}

}  // namespace

TEST_CASE("an adjoint names the line and the scope of the call that it is of") {
  Graph g;
  Expr x = f(g, "x", {3});
  g.set_scope("encoder");
  Expr y = sqrt(x, {"model.cc", 41});
  g.set_scope("loss");
  Expr loss = reshape(sum(y, {}, {"model.cc", 57}), {}, {"model.cc", 58});
  NodeId first = g.size();
  Expr slope = gradient(loss, x);
  CHECK(to_string(g.site(slope.node)) == "gradient of model.cc:41");
  CHECK(g.scope(slope.node) == "encoder");
  std::set<std::string> lines;
  for (NodeId id = first; id < g.size(); ++id) lines.insert(to_string(g.site(id)));
  CHECK(lines.count("gradient of model.cc:57") == 1);  // the sum's adjoint, a broadcast
  CHECK(lines.count("gradient of model.cc:58") == 1);
  // Slopes of slopes are said to be of the same call; builders then name their own places again.
  NodeId second = g.size();
  gradient(reshape(sum(slope, {}, {"model.cc", 60}), {}, {"model.cc", 61}), x);
  bool found = false;
  for (NodeId id = second; id < g.size(); ++id) {
    found = found || to_string(g.site(id)) == "gradient of model.cc:41";
  }
  CHECK(found);
  Expr z = exp(x);
  CHECK(to_string(g.site(z.node)).starts_with("places_test.cc:"));
  CHECK(g.scope(z.node) == "loss");
}

TEST_CASE("no adjoint names the library, to two orders") {
  Graph g;
  Expr loss = model(g);
  const std::set<std::string> here{"places_test.cc"}, of_here{"gradient of places_test.cc"};
  CHECK(places(g, 0, false) == here);
  CHECK(places(g, 0, true).empty());
  NodeId first = g.size();
  Expr wrt[] = {f(g, "x", {2, 8, 4}), f(g, "w", {4, 4}), f(g, "bias", {2, 4, 4})};
  std::vector<Expr> slopes = gradient(loss, wrt);
  CHECK(g.size() > first + 50);
  CHECK(places(g, first, true) == of_here);
  CHECK(places(g, first, false) == here);  // decomposed and recomputed values
  first = g.size();
  Expr penalty;
  for (Expr e : slopes) {
    Expr term = reshape(sum(square(e)), {});
    penalty = penalty ? penalty + term : term;
  }
  gradient(penalty, wrt);
  CHECK(places(g, first, true) == of_here);
  CHECK(places(g, first, false) == here);
}

TEST_CASE("a decomposition stands at its composite's place, each composite's") {
  for (int op = int(Op::normal); op <= int(Op::adam); ++op) {
    for (const Sample& sample : row(Op(op)).samples()) {
      INFO(std::string(name(Op(op))));
      Graph g;
      std::vector<Expr> x;
      for (const Type& t : sample.operands) {
        std::string label = "x" + std::to_string(x.size());
        x.push_back(g.input(label, t.dtype, t.shape, {"model.cc", 1}));
      }
      g.set_scope("block");
      Expr y = g.put(Op(op), x, sample.attributes, {"model.cc", 9});
      g.set_scope("");
      NodeId first = g.size();
      decompose(g, y.node);
      REQUIRE(g.size() > first);
      for (NodeId id = first; id < g.size(); ++id) {
        CHECK(to_string(g.site(id)) == "model.cc:9");
        CHECK(g.scope(id) == "block");
      }
    }
  }
}

TEST_CASE("a refusal in a derived expression names the call and says that it is its gradient") {
  Graph g;
  Expr x = f(g, "x", {2});
  std::string message;
  {
    At at(g, "block", gradient_of({"model.cc", 7}));
    message = testing::refusal_of([&] { x + f(g, "y", {3}); });
  }
  CHECK(message == "add block: shapes do not broadcast; f32[2], f32[3] (gradient of model.cc:7)");
  message = testing::refusal_of([&] { x + f(g, "y", {3}); });
  CHECK(message.find("add: shapes do not broadcast; f32[2], f32[3] (places_test.cc:") == 0);
}
