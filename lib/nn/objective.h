// What is trained, said in graph terms: a batch, the reported terms, the loss.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

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
};

// A reported quantity: f32 [N] (one a row) or [] (already a mean). The unit is printed with it.
struct Term {
  std::string name;  // "loss", "reconstruction", "kl"
  std::string unit;  // "nats/image"
  Expr value;
  TermRole role = TermRole::other;
};

struct Objective {
  Expr loss;                // f32 []: what training minimises, a mean over the rows
  std::string unit;         // of the loss
  std::vector<Term> terms;  // what it is made of; the loss itself is not repeated
};

}  // namespace atelier
