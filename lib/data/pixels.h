// Rows of a data set as the numbers that models see: f32, pictures in 0..1, vectors as they are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"

namespace atelier {

// u8 pixels are divided by 255, f32 values stay as they are.
void to_floats(std::span<const std::byte> picture, DType dtype, std::span<float> into);

// Reads any rows in any order; u8 pixels are divided by 255, f32 values stay as they are. The data
// set must outlive it.
class PixelReader {
 public:
  explicit PixelReader(const Dataset& dataset, Binarize binarize = Binarize::none,
                       std::int64_t seed = 0);
  // `into`: [indices, H,W,C].
  void read(std::span<const std::int64_t> indices, std::span<float> into);
  std::int64_t row() const;  // H*W*C

 private:
  const Dataset& dataset_;
  Augmenter augmenter_;
  std::vector<std::byte> picture_;
};

}  // namespace atelier
