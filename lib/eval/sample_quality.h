// Figures of what a generator draws while it is trained: cheap, comparable over the training, and
// of the same rows each time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "eval/features.h"
#include "eval/frechet.h"
#include "eval/remarks.h"

namespace atelier {

class SampleQuality {
 public:
  // Against these pictures of `real`, at most `most` of them, evenly spaced, along their first 64
  // principal components. Throws Error for fewer than two.
  SampleQuality(const Dataset& real, std::span<const std::int64_t> indices,
                std::int64_t most = 10000);

  // frechet, in squared units of the components, first: it falls as samples get better (Heusel et
  // al. 2017). coverage: share of at most 2,000 real pictures with a sample among their neighbours
  // (Naeem et al. 2020): it falls as modes are lost; absent for fewer than ten of either. Pictures
  // u8 [N, H*W*C], N at least 2.
  std::vector<ReportedTerm> judge(std::span<const std::uint8_t> pictures) const;

 private:
  Dataset like_;  // shape of the pictures; no pictures
  FeatureSpace space_;
  FrechetReference all_;
  std::optional<Table> some_;
};

}  // namespace atelier
