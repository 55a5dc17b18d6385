// Rows of numbers that are read in pieces: what every estimator of this floor takes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace atelier {

// A table of `rows` x `columns` numbers that is read in pieces: rows [first, first + count) into
// [count, columns]. Read by one thread at a time.
struct Table {
  std::int64_t rows = 0, columns = 0;
  std::function<void(std::int64_t first, std::int64_t count, std::span<float> into)> read;
};

// Rows that lie in memory, row-major [rows, columns]; `values` must outlive the table.
Table table_of_rows(std::span<const float> values, std::int64_t columns);

inline constexpr std::int64_t kTablePiece = 1024;

// Calls `body` with successive pieces of at most kTablePiece rows, [count, columns].
void for_each_piece(
    const Table& table,
    const std::function<void(std::int64_t first, std::int64_t count, std::span<float> rows)>& body);

// Mean of each column, summed in double.
std::vector<double> mean_of(const Table& table);

}  // namespace atelier
