// Kernel distance: unbiased squared maximum mean discrepancy with the kernel (x.y / D + 1)^3
// (KID; Binkowski et al. 2018, arXiv:1801.01401).
#pragma once

#include <cstdint>

#include "eval/table.h"

namespace atelier {

struct KernelDistanceArgs {
  std::int64_t most_rows = 1000;  // of a subset, of each set
  std::uint64_t seed = 0;         // of the order in which rows are dealt out
};

struct KernelDistance {
  double mean = 0, standard_error = 0;  // over subsets
  std::int64_t subsets = 0, rows = 0;   // rows of each set in a subset
};

// Rows are dealt out to subsets that share none, so that their spread is honest: at least ten
// subsets, of at most `most_rows` rows of each set (two at least). The mean has the expectation of
// the estimate by all pairs whatever the size of subsets, 0 for equal distributions, and may be
// negative. Throws Error for fewer than four rows in a set.
KernelDistance kernel_distance(const Table& real, const Table& generated,
                               const KernelDistanceArgs& args = {});

}  // namespace atelier
