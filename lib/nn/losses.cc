// Losses.
#include "nn/losses.h"

#include <cmath>
#include <numbers>

#include "graph/builders.h"

namespace atelier {
namespace {

// The graph of two operands, which must have one shape: a loss does not broadcast.
Graph& graph_of_equals(std::string_view loss, Expr a, Expr b, Where where) {
  Expr operands[] = {a, b};
  Graph& graph = builders::graph_of(loss, operands, where);
  if (a.shape() != b.shape()) graph.refuse(loss, "operands have different shapes", operands, where);
  return graph;
}

}  // namespace

Expr sum_rows(Expr x, Where where) {
  Graph& graph = builders::graph_of("sum_rows", {x}, where);
  if (x.shape().rank() < 1) graph.refuse("sum_rows", "expected [N, ..]", {&x, 1}, where);
  std::vector<int> axes;
  for (int axis = 1; axis < x.shape().rank(); ++axis) axes.push_back(axis);
  std::int64_t rows = x.shape()[0];
  return reshape(axes.empty() ? x : sum(x, axes, where), {rows}, where);
}

Expr mean_of_rows(Expr x, Where where) { return reshape(mean(x, {}, where), {}, where); }

Expr top1_hits(Expr logits, Expr label, Where where) {
  At at(builders::graph_of("top1_hits", std::array{logits, label}, where), where);
  std::int64_t rows = logits.shape()[0];
  Expr hit = equal(reshape(argtop(logits, {1}, where), {rows}, where), label);
  return atelier::where(hit, broadcast(logits.graph->constant(1), {rows}, where), 0.0, where);
}

Expr bernoulli_nll(Expr logits, Expr x, Where where) {
  At at(graph_of_equals("bernoulli_nll", logits, x, where), where);
  return sum_rows(softplus(logits) - x * logits);
}

Expr gaussian_nll(Expr x, Expr mean, Expr log_sigma, Where where) {
  At at(graph_of_equals("gaussian_nll", x, mean, where), where);
  Expr half_squares = 0.5 * sum_rows(square(x - mean));
  double elements = double(x.shape().count()) / double(x.shape()[0]);
  double normaliser = elements / 2 * std::log(2 * std::numbers::pi);
  if (!log_sigma) return half_squares + normaliser;
  Expr sigma_log = reshape(log_sigma, {});
  return half_squares * exp(-2.0 * sigma_log) + (elements * sigma_log + normaliser);
}

Expr kl_diagonal_gaussian(Expr mu, Expr logvar, Where where) {
  At at(graph_of_equals("kl_diagonal_gaussian", mu, logvar, where), where);
  return 0.5 * sum_rows(square(mu) + exp(logvar) - logvar - 1.0);
}

}  // namespace atelier
