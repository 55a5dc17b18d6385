// The jobs of an evaluator on sets of pictures or vectors, each with its figures.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "eval/comparison.h"
#include "eval/sets.h"

namespace atelier {

// What a set is compared with. Its rows refer to the set, so it stays where it is.
struct Reference {
  std::optional<JudgedSet> set;  // none: known by moments from a file
  FeatureSpace space;
  FrechetReference frechet;
};

// A set in a space, and the moments of a file of stats. The space of the latter must be its own
// principal components, or else equal `own`, that which `judged` can be brought to: Error
// otherwise.
std::unique_ptr<Reference> make_reference(JudgedSet set, FeatureSpace space);
std::unique_ptr<Reference> read_reference(const Hdf5Reader& stats, const JudgedSet& judged,
                                          FeatureSpace own);
// What a file keeps of a reference that has a set; read_reference() compares by it.
Stats stats_of(const Reference& reference);

struct JudgeArgs {
  std::int64_t bootstrap = 50;
  std::uint64_t seed = 0;
  bool control = false;      // the same figures of Gaussian pictures, as control_*
  std::string nearest = {};  // file of the picture of nearest pairs; empty: none
};

// features, rows, reference_rows, those of compare(), and if the reference has rows those of
// memorization, against `unseen` if there is any.
Comparison judge(const JudgedSet& judged, const Reference& reference,
                 const std::optional<JudgedSet>& unseen, const JudgeArgs& args);

struct ProbeArgs {
  std::int64_t neighbors = 10;
  double l2 = 1;  // penalty of ridge and logistic regression
};
// features, rows, train_rows, majority_accuracy (of always saying the largest class), knn_accuracy
// (by cosine where vectors are compared so), ridge_accuracy, ridge_train_accuracy,
// logistic_accuracy, logistic_train_accuracy. Throws Error if a set lacks labels or their classes
// have other names.
Comparison probe(const JudgedSet& train, const JudgedSet& test, const FeatureSpace& space,
                 const ProbeArgs& args);

// features, pairs, forward_at_1, _5, _10 (from a to b) and backward_at_1, _5, _10.
Comparison retrieve(const JudgedSet& a, const JudgedSet& b);

}  // namespace atelier
