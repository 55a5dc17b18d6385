// Adversarial losses and penalties on slopes.
#include "nn/adversarial.h"

#include <fmt/format.h>

#include <array>

#include "graph/builders.h"
#include "nn/losses.h"

namespace atelier {
namespace {

// [N, 1, ..]: one number for each row of `like`.
Expr row_uniform(const Scope& scope, std::string_view name, Expr like, Where where) {
  std::int64_t rows = like.shape()[0];
  Shape shape{rows};
  while (shape.rank() < like.shape().rank()) shape = shape.insert(shape.rank(), 1);
  return reshape(scope.uniform(name, {rows}, where), shape, where);
}

void require_rows(std::string_view what, Expr real, Expr fake, Where where) {
  std::array operands{real, fake};
  Graph& graph = builders::graph_of(what, operands, where);
  if (real.shape() != fake.shape())
    graph.refuse(what, "real and fake have different shapes", operands, where);
}

}  // namespace

AdversarialLoss parse_adversarial_loss(std::string_view text) {
  return chosen(kAdversarialLosses, "--loss", text);
}

std::string unit_of(AdversarialLoss loss) {
  switch (loss) {
    case AdversarialLoss::minimax:
    case AdversarialLoss::non_saturating:
      return "nats";
    case AdversarialLoss::least_squares:
      return "logit^2";
    default:
      return "logit";
  }
}

Expr discriminator_loss(AdversarialLoss loss, Expr real, Expr fake, double real_label,
                        Where where) {
  require_rows("discriminator_loss", real, fake, where);
  At at(*real.graph, where);
  switch (loss) {
    case AdversarialLoss::minimax:
    case AdversarialLoss::non_saturating:
      return softplus(real) - real_label * real + softplus(fake);
    case AdversarialLoss::least_squares:
      return 0.5 * (square(real - real_label) + square(fake));
    case AdversarialLoss::hinge:
      return relu(1.0 - real) + relu(1.0 + fake);
    default:
      return fake - real;
  }
}

Expr generator_loss(AdversarialLoss loss, Expr fake, Where where) {
  At at(builders::graph_of("generator_loss", {fake}, where), where);
  switch (loss) {
    case AdversarialLoss::minimax:
      return -softplus(fake);
    case AdversarialLoss::non_saturating:
      return softplus(-fake);
    case AdversarialLoss::least_squares:
      return 0.5 * square(fake - 1.0);
    default:
      return -fake;
  }
}

Expr slopes(const Discriminator& discriminator, Expr x, std::span<const Expr> held, Where where) {
  At at(builders::graph_of("slopes", {x}, where), where);
  // Rows do not see each other, so that the slope of the sum holds the slope of each.
  Expr total = reshape(sum(discriminator(x)), {});
  std::vector<Expr> apart{x};
  apart.insert(apart.end(), held.begin(), held.end());
  Expr slope = held.empty() ? gradient(total, x) : partial_gradient(total, apart)[0];
  std::vector<int> axes;
  for (int axis = 1; axis < x.shape().rank(); ++axis) axes.push_back(axis);
  return reshape(safe_norm(slope, axes), {x.shape()[0]});
}

Expr slope_penalty(Expr slope, bool one_sided, Where where) {
  At at(builders::graph_of("slope_penalty", {slope}, where), where);
  Expr beyond = slope - 1.0;
  return square(one_sided ? relu(beyond) : beyond);
}

Expr between_points(const Scope& scope, Expr real, Expr fake, Where where) {
  require_rows("between_points", real, fake, where);
  At at(*real.graph, where);
  return real + row_uniform(scope, "between", real, where) * (fake - real);
}

Expr around_points(const Scope& scope, Expr real, Where where) {
  At at(builders::graph_of("around_points", {real}, where), where);
  Expr deviation = sqrt(mean(square(real - mean(real))) + 1e-12);
  Expr moved = 0.5 * deviation * scope.uniform("around", real.shape(), where);
  return real + row_uniform(scope, "between", real, where) * moved;
}

}  // namespace atelier
