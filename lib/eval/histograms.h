// Pictures of whole numbers predicted by counting: what an autoregressive model must beat.
#pragma once

#include <cstdint>

#include "eval/table.h"

namespace atelier {

// Bits per number (bits/dim) of pixels rounded to 0..255, with counts of `train` plus a half.
struct HistogramBits {
  double whole = 0;    // one histogram a channel
  double place = 0;    // one for each place and channel
  double context = 0;  // one for each pair of the left and the upper neighbour, 16 steps each
};

// Rows are pictures [H,W,C] in 0..1. Neighbours outside the picture count as 0. Throws Error if a
// table is empty or its rows are no such pictures.
HistogramBits histogram_bits(const Table& train, const Table& test, std::int64_t width,
                             std::int64_t channels);

}  // namespace atelier
