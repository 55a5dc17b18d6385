// Strips: how long sums are cut, by shape alone, so that results do not depend on threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"

namespace atelier {

inline constexpr std::int64_t kMaxStrips = 64;

struct Strips {
  std::int64_t total, count, length;
  struct Span {
    std::int64_t first, last;
  };
  Span range(std::int64_t strip) const {
    return {std::min(total, strip * length), std::min(total, (strip + 1) * length)};
  }
};

// `total` items in at most 64 strips of at least `least` items (a multiple of 16).
inline Strips make_strips(std::int64_t total, std::int64_t least) {
  std::int64_t length = std::max(least, (total + kMaxStrips - 1) / kMaxStrips);
  length = (length + 15) / 16 * 16;
  return {total, std::max<std::int64_t>(1, (total + length - 1) / length), length};
}

// Rows of a long vector are cut at 4,096 elements, rows of a matrix at 64.
inline Strips reduce_strips(const ReduceArgs& args) {
  return make_strips(args.reduce, args.inner == 1 ? 4096 : 64);
}

}  // namespace atelier
