// Losses.
#include "nn/losses.h"

#include <cmath>
#include <numbers>

namespace atelier {

Expr sum_rows(Expr x, Where where) {
  std::vector<int> axes;
  for (int axis = 1; axis < x.shape().rank(); ++axis) axes.push_back(axis);
  std::int64_t rows = x.shape()[0];
  return reshape(axes.empty() ? x : sum(x, axes, where), {rows}, where);
}

Expr bernoulli_nll(Expr logits, Expr x, Where where) {
  return sum_rows(softplus(logits, where) - x * logits, where);
}

Expr gaussian_nll(Expr x, Expr mean, Expr log_sigma, Where where) {
  Expr half_squares = 0.5 * sum_rows(square(x - mean, where), where);
  double elements = double(x.shape().count()) / double(x.shape()[0]);
  double normaliser = elements / 2 * std::log(2 * std::numbers::pi);
  if (!log_sigma) return half_squares + normaliser;
  Expr sigma_log = reshape(log_sigma, {}, where);
  return half_squares * exp(-2.0 * sigma_log, where) + (elements * sigma_log + normaliser);
}

Expr kl_diagonal_gaussian(Expr mu, Expr logvar, Where where) {
  return 0.5 * sum_rows(square(mu, where) + exp(logvar, where) - logvar - 1.0, where);
}

}  // namespace atelier
