// Losses of generative adversarial networks (Goodfellow et al. 2014, arXiv:1406.2661), as functions
// of what a discriminator says of rows: one number each, of any sign, the logit of being real where
// the loss speaks of probabilities.
#pragma once

#include <functional>
#include <string>

#include "base/choices.h"
#include "nn/scope.h"

namespace atelier {

enum class AdversarialLoss { minimax, non_saturating, least_squares, hinge, wasserstein };
inline constexpr Choice<AdversarialLoss> kAdversarialLosses[] = {
    {"minimax", AdversarialLoss::minimax},
    {"non-saturating", AdversarialLoss::non_saturating},
    {"least-squares", AdversarialLoss::least_squares},
    {"hinge", AdversarialLoss::hinge},
    {"wasserstein", AdversarialLoss::wasserstein}};
AdversarialLoss parse_adversarial_loss(std::string_view text);  // UsageError naming them all
// What a loss is counted in: "nats", "logit^2", "logit".
std::string unit_of(AdversarialLoss loss);

// Logits f32 [N] -> [N]: what the discriminator minimises. `real_label` below 1 smooths the
// label of real rows alone (Salimans et al. 2016, arXiv:1606.03498); only the losses that have a
// label there, the first three, know it.
//   minimax, non-saturating   softplus(real) - real_label real + softplus(fake): cross-entropy
//   least-squares             ((real - real_label)^2 + fake^2) / 2
//   hinge                     relu(1 - real) + relu(1 + fake)
//   wasserstein               fake - real
// Goodfellow et al. 2014, arXiv:1406.2661; Mao et al. 2016, arXiv:1611.04076; Lim and Ye 2017,
// arXiv:1705.02894; Arjovsky et al. 2017, arXiv:1701.07875.
Expr discriminator_loss(AdversarialLoss loss, Expr real, Expr fake, double real_label = 1,
                        Where = Where::here());

// Logits f32 [N] of what it made -> [N]: what the generator minimises.
//   minimax           -softplus(fake) = log(1 - D)
//   non-saturating    softplus(-fake) = -log D
//   least-squares     (fake - 1)^2 / 2
//   hinge, wasserstein   -fake
Expr generator_loss(AdversarialLoss loss, Expr fake, Where = Where::here());

// f32 [N,..] -> logits [N]. Rows must not see each other: no batch norm.
using Discriminator = std::function<Expr(Expr x)>;

// Length of the slope of each row's logit in that row, all axes but the first taken together: [N].
// Differentiable again. `held`: what the discriminator reads that may have been computed from x,
// such as weights after an update (Scope::replaced); the slope is that in x alone.
Expr slopes(const Discriminator& discriminator, Expr x, std::span<const Expr> held = {},
            Where = Where::here());

// How far slopes lie from 1: (slope - 1)^2, or, one-sided, max(slope - 1, 0)^2 (Gulrajani et al.
// 2017, arXiv:1704.00028; Petzka et al. 2017, arXiv:1709.08894). [N] -> [N]
Expr slope_penalty(Expr slope, bool one_sided, Where = Where::here());

// Where a penalty looks at the discriminator. Noise comes from `scope`, one share a row.
//   between_points   real + u (fake - real), u uniform in [0, 1): one number a row (WGAN-GP)
//   around_points    real + u 0.5 s v, v uniform in [0, 1) an element (DRAGAN), where s is the
//                    standard deviation of all elements of the batch
// DRAGAN: Kodali et al. 2017, arXiv:1705.07215; its released code has that noise, other code
// Gaussian.
Expr between_points(const Scope& scope, Expr real, Expr fake, Where = Where::here());
Expr around_points(const Scope& scope, Expr real, Where = Where::here());

}  // namespace atelier
