// What turns gradients into updates: clipping, Adam(W), running averages of weights, accumulation
// over micro-batches. Everything is graph; the plan that holds it commits the new values.
//
// Tensors it keeps in the store (a '/' marks what is no part of the model itself):
//   optimizer/step               f32 [], updates done so far; exact up to 2^24; of a player's
//                                parameters optimizer/step/<player>
//   optimizer/exp_avg/<param>    Adam's first moment
//   optimizer/exp_avg_sq/<param> Adam's second moment
//   ema0/<param>, ema1/<param>   running averages of parameters
//   train/accumulated/<param>    sum of the gradients of earlier micro-batches; zero between steps
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/ops.h"
#include "nn/objective.h"
#include "nn/scope.h"

namespace atelier {

struct OptimizerArgs {
  AdamArgs adam = {};           // weight_decay spares parameters of rank 0 and 1 (biases, norms)
  bool bias_correction = true;  // of Adam's moments; with beta1 = 0 and without it, this is RMSProp
  double max_grad_norm = 0;     // gradients are scaled down to this global norm; 0: never
  bool report_norm = false;     // compute the norm although nothing is clipped
  std::vector<double> emas = {};  // decay of each running average, in [0, 1)
};

struct OptimizerResult {
  Expr grad_norm;  // f32 []: global norm before clipping; absent unless clipped or reported
  Expr step;       // f32 []: updates done including this one
};

// f32 []: updates done before this run; also what Batch::step should hold.
Expr optimizer_step(const Scope& part, Where = Where::here());

// Adds one Adam(W) update of every parameter of `part` (adam() in graph/ops.h), the root or a
// player's scope, with gradients in the order of part.params(), learning rate `rate` f32 [], and
// then of the averages:
//   average += (1 - keep) (new value - average),  keep = min(decay, (1 + t) / (10 + t))
// with t = 1 at the first update. Averages start as the first weights. States, such as batch-norm
// statistics, are not averaged: what fits averaged weights is known when they are run.
// Clipping is that of PyTorch: scale = min(1, max_grad_norm / (norm + 1e-6)).
// Call it last: params mentioned afterwards are not seen. Throws ShapeError if
// the number of gradients is not that of the parameters, UsageError for a decay outside [0, 1).
OptimizerResult apply_optimizer(const Scope& part, std::span<const Expr> grads, Expr rate,
                                const OptimizerArgs& args, Where = Where::here());

// What `updates` further updates of the parameters under root's scope `part` would make of them, by
// name (Scope::with): each as apply_optimizer would do it, clipping, moments and bounds included,
// and all of it differentiable. Nothing is written, states stay. `objective` gets a scope that
// reads the parameters as they are after the updates before.
std::map<std::string, Expr> look_ahead(const Scope& root, const std::string& part,
                                       const std::function<Objective(const Scope& root)>& objective,
                                       Expr rate, const OptimizerArgs& args, std::int64_t updates,
                                       Where = Where::here());

// Gradient accumulation over k micro-batches takes two graphs, run k - 1 times and once.
// The first: adds this micro-batch's gradients to train/accumulated.
void accumulate_gradients(const Scope& part, std::span<const Expr> grads, Where = Where::here());
// The last: the mean of the k gradients, for apply_optimizer; the sums return to zero.
std::vector<Expr> accumulated_mean(const Scope& part, std::span<const Expr> grads, int k,
                                   Where = Where::here());

// sqrt of the sum of squares of all elements, f32 [].
Expr global_norm(std::span<const Expr> values, Where = Where::here());

// "ema0/": what Scope::reading() takes for average `index`.
std::string ema_prefix(int index);
// Number of averages in a store: ema0, ema1, ..
int count_emas(const Store& store);

}  // namespace atelier
