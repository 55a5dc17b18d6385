// Negative log-likelihoods and divergences, one value a row, in nats.
#pragma once

#include "graph/ops.h"

namespace atelier {

// x [N, ..] -> [N]: sum over all axes but the first.
Expr sum_rows(Expr x, Where = Where::here());

// x [N] -> []: the mean over rows.
Expr mean_of_rows(Expr x, Where = Where::here());

// logits [N, K], label i32 [N] -> f32 [N]: 1 where the largest logit is the label's, else 0.
Expr top1_hits(Expr logits, Expr label, Where = Where::here());

// -log p(x) of independent Bernoulli pixels with the given logits; x in [0, 1], both [N, ..] ->
// [N]. softplus(l) - x l: exact for any size of l.
Expr bernoulli_nll(Expr logits, Expr x, Where = Where::here());

// -log N(x; mean, sigma^2 I), density with its constant D/2 log 2 pi; x and mean [N, ..], log_sigma
// f32 of one element -> [N]. Absent log_sigma: sigma 1.
Expr gaussian_nll(Expr x, Expr mean, Expr log_sigma = {}, Where = Where::here());

// KL(N(mu, exp(logvar)) || N(0, I)) of diagonal Gaussians (Kingma and Welling 2013, appendix B);
// mu and logvar [N, Z] -> [N].
Expr kl_diagonal_gaussian(Expr mu, Expr logvar, Where = Where::here());

}  // namespace atelier
