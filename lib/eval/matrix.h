// Eigen's matrices as the estimators use them; private to this floor.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "eval/table.h"

namespace atelier {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline Eigen::Map<const Matrix> square_of(const std::vector<double>& values, Eigen::Index d) {
  return {values.data(), d, d};
}
inline Eigen::Map<const Eigen::VectorXd> vector_of(const std::vector<double>& values) {
  return {values.data(), Eigen::Index(values.size())};
}

// Pieces of rows about `mean`, [rows, columns], in double.
inline void for_each_centred(
    const Table& table, const std::vector<double>& mean,
    const std::function<void(std::int64_t first, const Matrix& rows)>& body) {
  for_each_piece(table, [&](std::int64_t first, std::int64_t rows, std::span<float> values) {
    Matrix piece = Eigen::Map<const FloatMatrix>(values.data(), rows, table.columns).cast<double>();
    piece.rowwise() -= vector_of(mean).transpose();
    body(first, piece);
  });
}

}  // namespace atelier
