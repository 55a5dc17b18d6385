// Probes: how well simple classifiers do on vectors with labels, which tells what an encoder knows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/table.h"

namespace atelier {

// Rows with their classes, from 0. What both refer to must outlive it.
struct LabelledRows {
  Table rows;
  std::span<const std::int32_t> labels;
};

// Largest label and one more; throws Error for labels that do not match the rows or are below 0.
std::int64_t classes_of(const LabelledRows& rows);

// The class that most of the `k` nearest training rows have, among equals that of the nearest of
// these. By Euclidean distance; give unit_rows() of both for cosine.
std::vector<std::int32_t> knn_labels(const LabelledRows& train, const Table& test, std::int64_t k);

// Linear: class = argmax of x . weight + bias.
struct LinearProbe {
  std::int64_t columns = 0, classes = 0;
  std::vector<double> weight;  // [columns, classes]
  std::vector<double> bias;    // [classes]
  bool converged = true;
};

// Products of columns or of rows with each other are what is solved with: memory goes with the
// square of their number.
enum class RidgeForm { smaller, columns, rows };

// Least squares to one-hot targets with l2 |W|^2, closed form; the bias is free. Throws Error if
// the columns are dependent and l2 is 0, or nothing beside their squares.
LinearProbe fit_ridge(const LabelledRows& train, double l2, RidgeForm form = RidgeForm::smaller);

// Multinomial logistic regression by L-BFGS: sum of cross-entropies + l2/2 |W|^2, for columns
// brought to mean 0 and variance 1, as the training rows say; the bias is free. Products in f32.
LinearProbe fit_logistic(const LabelledRows& train, double l2);

std::vector<std::int32_t> predict(const LinearProbe& probe, const Table& rows);

// Share of equal entries.
double agreement(std::span<const std::int32_t> predicted, std::span<const std::int32_t> labels);

}  // namespace atelier
