// What a model is to the rest of the suite: a configuration and a few functions that build graphs.
// Trainers, samplers and evaluators know this page and no family.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fields.h"
#include "nn/objective.h"
#include "nn/scope.h"

namespace atelier {

struct DataShape {
  std::int64_t height = 0, width = 0, channels = 0;
  std::int64_t num_classes = 0;  // 0: no labels
  bool binary = false;           // pixels are 0 or 1
  std::int64_t least_rows = 0;   // of the smallest batch of a training; 0: nothing is trained
  std::string source = {};       // of the pictures, for messages
};

// A named choice of field values, of the model and of its training ("learning_rate"): what
// `--preset` starts from.
struct Preset {
  const char* name;
  const char* summary;  // one line
  Attributes values;
};

// Null functions are what a model cannot do. The configuration lives behind `state`; `fields` point
// into it. All functions may be called once a graph, with any Scope of the same names.
struct Model {
  std::string name;
  Fields fields;
  std::vector<Preset> presets;
  std::shared_ptr<void> state;

  // Takes what the data decides (fields with from_data), then checks the configuration as a whole:
  // UsageError for impossible combinations.
  std::function<void(const DataShape&)> fit;

  std::function<Objective(const Scope&, const Batch&)> objective;  // training
  // Terms of held-out rows, each [N], the first being the one that "best" is chosen by.
  std::function<std::vector<Term>(const Scope&, const Batch&)> validation;
  // One importance sample a row of log p(x, z) - log q(z | x): f32 [N], nats. The log-mean-exp of k
  // draws is the k-sample bound of log p(x) (Burda et al. 2015, arXiv:1509.00519).
  std::function<Expr(const Scope&, const Batch&)> log_weight;
  std::function<Expr(const Scope&, Expr image)> encode;   // -> latent f32 [N, ..]
  std::function<Expr(const Scope&, Expr latent)> decode;  // -> image f32 [N,H,W,C], 0..1
  std::function<Shape(std::int64_t rows)> latent_shape;
  std::function<Expr(const Scope&, std::int64_t rows)> draw;  // prior -> image, by scope noise
  // Why this configuration has no prior, so that draw and log_weight throw; empty: it has one.
  std::function<std::string()> no_prior;

  std::function<DataShape()> data_shape;  // of the fitted model: what pictures it takes and gives
};

}  // namespace atelier
