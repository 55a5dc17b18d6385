// Principal components: what the best linear autoencoder reaches.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/table.h"

namespace atelier {

struct Pca {
  std::int64_t columns = 0, count = 0;  // count: components kept
  std::vector<double> mean;             // [columns]
  std::vector<double> components;       // [count, columns], orthonormal rows, largest first
  std::vector<double> variances;        // [count], along the components, divided by rows
  double total_variance = 0;            // of all columns
};

// The first `count` components of the covariance (one pass in f32 products of centred rows summed
// in double; eigenvectors in double). Up to 1024 columns all eigenvectors are computed, beyond that
// subspace iteration until the captured variance moves by less than 1e-7 of itself.
// Beyond 4096 columns the components are those of at most 2048 evenly spaced rows, through their
// products with each other. Throws Error if the table is empty or count exceeds its columns.
Pca fit_pca(const Table& table, std::int64_t count);

// Mean over rows of the squared distance between a row and its projection onto the first `count`
// components: the sum of squares per picture, as models report squared_error.
double pca_error(const Pca& pca, const Table& table, std::int64_t count);

// Coordinates of rows along all components, about the mean: [rows, count], in double and rounded.
void project(const Pca& pca, const Table& table, std::span<float> into);

}  // namespace atelier
