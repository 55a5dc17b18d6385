// Files of kind stats: the moments of a set of features, which stand for the set in Frechet
// distances. atelier-hdf5(5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fields.h"
#include "io/hdf5.h"

namespace atelier {

struct Stats {
  std::string features;            // what the numbers are: "pca:64@0123456789abcdef"
  std::int64_t count = 0;          // rows
  std::vector<double> mu, sigma;   // [D]; [D,D], symmetric
  std::vector<double> components;  // of principal components [D,W], about `centre` [W]; or empty
  std::vector<double> centre;
  Attributes config, preprocess, inputs;  // the groups of these names; empty: none

  std::int64_t dim() const { return std::int64_t(mu.size()); }
};

// Both throw Error("x.h5: ..") for shapes that disagree, values that are not finite, fewer than two
// rows, and a sigma that is not symmetric or has a negative diagonal.
void write_stats(const std::string& output, const Stats& stats, bool force = false);
// Every dataset is compared with its checksum.
Stats read_stats(const Hdf5Reader& file);

}  // namespace atelier
