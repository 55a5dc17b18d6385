// Nearest neighbours by brute force, exact: f32 products choose, double decides.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/table.h"

namespace atelier {

struct Neighbors {
  std::int64_t k = 0;
  std::vector<std::int64_t> index;  // [queries, k], nearest first, among equals the lower index
  std::vector<double> square;       // [queries, k], squared Euclidean distances
};

// The `k` nearest base rows of each query. `own`: a base row for each query that is not its
// neighbour (itself, where the queries are base rows); empty: none. Memory is flat in both tables.
// Throws Error if the base has too few rows, or for tables of different widths.
Neighbors nearest(const Table& queries, const Table& base, std::int64_t k,
                  std::span<const std::int64_t> own = {});

// The same rows scaled to length 1 (zeros stay): distances then order as cosines do. `table` is
// copied, what it reads must outlive the result.
Table unit_rows(const Table& table);

// 0, 1, .. rows - 1: for neighbours of a table in itself.
std::vector<std::int64_t> own_rows(std::int64_t rows);

}  // namespace atelier
