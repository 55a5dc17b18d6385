// Fidelity and diversity by nearest neighbours: precision and recall (Kynkaanniemi et al. 2019,
// arXiv:1904.06991), density and coverage (Naeem et al. 2020, arXiv:2002.09797).
#pragma once

#include "eval/table.h"

namespace atelier {

struct FidelityArgs {
  std::int64_t precision_k = 3;  // neighbour whose distance is the radius of a row's ball
  std::int64_t density_k = 5;    // the same for density and coverage
};

// Shares of rows, 0 to 1; density may exceed 1. Sets of equal rows give 1 in all four, sets far
// apart 0.
struct Fidelity {
  double precision = 0;  // generated rows within the ball of any real row
  double recall = 0;     // real rows within the ball of any generated row
  double density = 0;    // real balls that a generated row lies inside of, over density_k
  double coverage = 0;   // real rows whose ball a generated row lies in
};

// Radii reach to the k-th neighbour in the same set, the row itself apart; a row on the rim is
// within, but not inside. Throws Error if a set has no k-th neighbours.
Fidelity fidelity(const Table& real, const Table& generated, const FidelityArgs& args = {});

}  // namespace atelier
