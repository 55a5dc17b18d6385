// Retrieval between two sets of vectors that belong together row by row, such as pictures and
// their captions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/table.h"

namespace atelier {

// Place of each row's partner among all rows of `answers` by cosine, 0: the first. A row that is as
// near as the partner comes before it, so that vectors that are all alike find nothing.
// Throws Error if the tables have not the same shape.
std::vector<std::int64_t> partner_ranks(const Table& queries, const Table& answers);

// Share of ranks below k: "retrieval at k".
double recall_at(std::span<const std::int64_t> ranks, std::int64_t k);

}  // namespace atelier
