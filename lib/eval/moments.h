// Mean and covariance of rows in double: what a set of features is to the Frechet distance.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/table.h"

namespace atelier {

struct Moments {
  std::int64_t count = 0;     // rows
  std::vector<double> mu;     // [D]
  std::vector<double> sigma;  // [D,D], symmetric, divided by count - 1

  std::int64_t dim() const { return std::int64_t(mu.size()); }
};

// Two passes over the table, sums and products in double. `times`: how often each row counts (a
// resample, or a subset by 0 and 1); empty: once each. The same bits for any number of threads.
// Throws Error if fewer than two rows count.
Moments moments_of(const Table& table, std::span<const std::int32_t> times = {});

}  // namespace atelier
