// Tables of rows in memory, and their traversal.
#include "eval/table.h"

#include <algorithm>

namespace atelier {

Table table_of_rows(std::span<const float> values, std::int64_t columns) {
  std::int64_t rows = columns > 0 ? std::int64_t(values.size()) / columns : 0;
  return {rows, columns,
          [values, columns](std::int64_t first, std::int64_t count, std::span<float> into) {
            std::copy_n(values.begin() + first * columns, count * columns, into.begin());
          }};
}

void for_each_piece(const Table& table,
                    const std::function<void(std::int64_t first, std::int64_t count,
                                             std::span<float> rows)>& body) {
  std::vector<float> piece(std::size_t(std::min(kTablePiece, table.rows) * table.columns));
  for (std::int64_t first = 0; first < table.rows; first += kTablePiece) {
    std::int64_t count = std::min(kTablePiece, table.rows - first);
    std::span<float> rows(piece.data(), std::size_t(count * table.columns));
    table.read(first, count, rows);
    body(first, count, rows);
  }
}

std::vector<double> mean_of(const Table& table) {
  std::vector<double> mean(std::size_t(table.columns), 0.0);
  for_each_piece(table, [&](std::int64_t, std::int64_t, std::span<float> rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) mean[i % mean.size()] += double(rows[i]);
  });
  for (double& m : mean) m /= double(table.rows);
  return mean;
}

}  // namespace atelier
