// Eigen's matrices as the estimators use them; private to this floor.
#pragma once

#include <Eigen/Dense>
#include <vector>

namespace atelier {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline Eigen::Map<const Matrix> square_of(const std::vector<double>& values, Eigen::Index d) {
  return {values.data(), d, d};
}
inline Eigen::Map<const Eigen::VectorXd> vector_of(const std::vector<double>& values) {
  return {values.data(), Eigen::Index(values.size())};
}

}  // namespace atelier
