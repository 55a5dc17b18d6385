// Importance-sampled likelihoods of latent variable models (Burda et al. 2015, arXiv:1509.00519).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/pixels.h"
#include "nn/objective.h"
#include "nn/scope.h"
#include "tensor/store.h"

namespace atelier {

// One draw of log p(x, z) - log q(z | x) a row, f32 [N]; as Model::log_weight.
using LogWeight = std::function<Expr(const Scope&, const Batch&)>;

struct ImportanceArgs {
  std::int64_t draws = 200, batch_size = 100;
  std::int64_t seed = 0;            // of the noise: row ids are the examples, clock steps the draws
  std::string store_prefix = {};    // "ema0/": which weights
  std::function<bool()> stop = {};  // asked before each draw; true: gives up, with an empty result
};

// -log of the mean weight of `draws` draws for each example, in nats, summed in double: an upper
// bound of -log p(x) in expectation that falls with the number of draws; with one draw, the
// negative evidence lower bound. The result does not depend on batch_size or on the other examples.
std::vector<double> importance_nll(const LogWeight& log_weight, Store& store,
                                   const Dataset& dataset, PixelReader& pixels,
                                   std::span<const std::int64_t> indices,
                                   const ImportanceArgs& args = {});

}  // namespace atelier
