// What is trained, said in graph terms: a batch, the reported terms, the loss.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nn/scope.h"

namespace atelier {

// One batch inside a graph. Absent parts are false.
struct Batch {
  Expr image;        // f32 [N,H,W,C], 0..1; vectors are [N,1,1,D] in units of their own
  Expr label = {};   // i32 [N], or absent
  Expr step = {};    // f32 [], optimizer steps done so far (warm-ups); absent outside training
  Expr tokens = {};  // i32 [N,T] of the captions, padded with 0; or absent
};

// What a reported quantity is to those who know no model: which remarks are made on it.
enum class TermRole {
  other,
  loss,           // held-out loss in nats/image, comparable with a density fitted to the pictures
  squared_error,  // sum of squares between a picture and its reconstruction
  information,    // nats that the latent carries of a picture
  coverage,       // share of the real that samples come near to: it falls as modes are lost
  distance,       // between what is drawn and the real: told where a loss alone says little
};

// A reported quantity: f32 [N] (one a row) or [] (already a mean). The unit is printed with it.
struct Term {
  std::string name;  // "loss", "reconstruction", "kl"
  std::string unit;  // "nats/image"
  Expr value;
  TermRole role = TermRole::other;
  // Of the value's shape, 0 or more: the mean that is told is over what it weighs, as the rows of
  // one kind; absent: over all rows alike.
  Expr weight = {};

  Expr weighed() const { return weight ? value * weight : value; }
};

struct Objective {
  Expr loss;                // f32 []: what training minimises, a mean over the rows
  std::string unit;         // of the loss
  std::vector<Term> terms;  // what it is made of; the loss itself is not repeated
};

// One of several parts that are trained in turns, each for an objective of its own: the adversaries
// of a GAN. In every step each makes its updates, in their order.
struct Player {
  std::string name;  // "generator": its parameters are those of the root's scope of this name
  // The parameters of the others are as they are; their states must be left alone (Scope::frozen).
  std::function<Objective(const Scope& root, const Batch&)> objective;
  std::int64_t updates = 1;  // in a step, each with a batch of its own; of the last player 1
  // Its objective is taken where so many further updates would bring the player before it, on the
  // same batch; gradients flow through them (Metz et al. 2016, arXiv:1611.02163).
  std::int64_t look_ahead = 0;
  bool averaged = true;  // running averages are kept of its weights
};

}  // namespace atelier
