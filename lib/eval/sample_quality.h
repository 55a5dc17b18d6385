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
  // Against these rows of `real`, at most `most` of them, evenly spaced; pictures, and vectors that
  // are not points in the plane, along their first 64 principal components. Throws Error for fewer
  // than two.
  SampleQuality(const Dataset& real, std::span<const std::int64_t> indices,
                std::int64_t most = 10000);

  // The first figure falls as samples get better.
  // Points in the plane: sliced_wasserstein to at most 2,000 of them, in their units. All else:
  // frechet, in squared units of the components (Heusel et al. 2017). Of both: coverage, the share
  // of at most 2,000 real rows with a sample among their neighbours, which falls as modes are lost
  // (Naeem et al. 2020); recall, the share of them among the samples' neighbours (Kynkaanniemi et
  // al. 2019). The last two are absent for fewer than ten of either.
  // Pictures are u8 [N, H*W*C], vectors f32 [N, C]; N at least 2.
  std::vector<ReportedTerm> judge(std::span<const std::uint8_t> pictures) const;
  std::vector<ReportedTerm> judge(std::span<const float> vectors) const;

 private:
  std::vector<ReportedTerm> compare(std::span<const std::byte> rows, DType dtype) const;

  Dataset like_;               // shape of the rows; no rows
  std::vector<float> points_;  // in the plane, [N, 2]; empty: the rows are none, and the rest holds
  FeatureSpace space_;
  Moments all_;
  std::optional<Table> some_;
};

}  // namespace atelier
