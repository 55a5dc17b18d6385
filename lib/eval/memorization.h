// Does a generator copy? Distances of its pictures to the nearest training row, against those of
// real rows that it was not trained on (Meehan et al. 2020, arXiv:2004.05675).
#pragma once

#include <cstdint>
#include <vector>

#include "eval/table.h"

namespace atelier {

struct Memorization {
  double nearest = 0,
         reference = 0;  // median distance to the nearest training row: generated, real
  // Probability that a generated row lies nearer to its training row than a real row does to its
  // own, ties counting half: 1/2 for a generator without fault, 1 for one that copies.
  double nearer_prob = 0;
  double z = 0;  // of the Mann-Whitney test that it is 1/2; above 3: it copies
  // Share of generated rows at most as far from a training row as the nearest hundredth of the real
  // rows, and the share of the real ones there: 0.01, or more if real rows repeat each other.
  double copies = 0, reference_copies = 0;
  std::int64_t exact = 0;             // generated rows that are training rows, number for number
  std::vector<std::int64_t> order;    // generated rows, nearest to a training row first
  std::vector<std::int64_t> matches;  // the training row nearest to each of them, in that order
};

// `unseen`: real rows apart from the training rows. Without any (rows 0), at most 2048 training
// rows, evenly spaced, take their place, each compared with all the others.
Memorization memorization(const Table& training, const Table& generated, const Table& unseen);

}  // namespace atelier
