// All figures about two sets of features: what one run of an evaluator says of a generator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/figures.h"
#include "eval/frechet.h"
#include "eval/memorization.h"

namespace atelier {

struct ComparisonArgs {
  std::string features = {};    // unit of the figures: "pca:64@0123456789abcdef"
  std::string prefix = {};      // of the keys: "control_"
  std::int64_t bootstrap = 50;  // resamples of the interval; 0: no interval
  std::uint64_t seed = 0;
};

struct Comparison {
  Figures figures;
  std::vector<std::string> remarks;  // what could not be said, or only with care, and why
};

// frechet (frechet_low, frechet_high, frechet_limit), kernel (kernel_standard_error), precision,
// recall, density, coverage. Without rows of the reference only frechet. Figures that need more
// rows than there are are left out with a remark. Throws Error if a set has fewer than two rows.
Comparison compare(const FrechetReference& real, const Table& generated,
                   const ComparisonArgs& args);

// nearest, nearest_real, nearer_prob, copying_z, copies, copies_real, copies_exact; the third and
// fourth only if generated and real rows are `fair`ly compared.
Figures figures_of(const Memorization& memorization, const std::string& features, bool fair = true);

}  // namespace atelier
