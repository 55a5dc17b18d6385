// Scores of class probabilities.
#include "eval/class_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace atelier {
namespace {

std::size_t rows_of(std::span<const float> probabilities, std::int64_t classes) {
  if (classes < 1 || probabilities.empty() || probabilities.size() % std::size_t(classes) != 0) {
    throw Error(fmt::format("class scores: {} numbers are no rows of {} classes",
                            probabilities.size(), classes));
  }
  return probabilities.size() / std::size_t(classes);
}

}  // namespace

double class_score(std::span<const float> probabilities, std::int64_t classes) {
  std::size_t rows = rows_of(probabilities, classes), k = std::size_t(classes);
  std::vector<double> mean(k, 0.0);
  for (std::size_t i = 0; i < rows * k; ++i) mean[i % k] += double(probabilities[i]);
  for (double& m : mean) m /= double(rows);
  double divergence = 0;
  for (std::size_t i = 0; i < rows * k; ++i) {
    double p = double(probabilities[i]);
    if (p > 0) divergence += p * std::log(p / mean[i % k]);
  }
  return std::exp(divergence / double(rows));
}

double class_accuracy(std::span<const float> probabilities, std::int64_t classes,
                      std::span<const std::int32_t> labels) {
  std::size_t rows = rows_of(probabilities, classes), k = std::size_t(classes);
  if (labels.size() != rows) {
    throw Error(fmt::format("class scores: {} labels for {} rows", labels.size(), rows));
  }
  std::int64_t right = 0, counted = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (labels[i] >= classes) {
      throw Error(fmt::format("class scores: label {} of row {}, but there are {} classes",
                              labels[i], i, classes));
    }
    if (labels[i] < 0) continue;
    auto row = probabilities.subspan(i * k, k);
    right += std::max_element(row.begin(), row.end()) - row.begin() == labels[i];
    ++counted;
  }
  if (counted == 0) throw Error("class scores: no row has a label");
  return double(right) / double(counted);
}

void to_probabilities(std::span<float> logits, std::int64_t classes) {
  std::size_t rows = rows_of(logits, classes), k = std::size_t(classes);
  for (std::size_t i = 0; i < rows; ++i) {
    std::span<float> row = logits.subspan(i * k, k);
    double top = double(*std::max_element(row.begin(), row.end())), total = 0;
    for (float v : row) total += std::exp(double(v) - top);
    for (float& v : row) v = float(std::exp(double(v) - top) / total);
  }
}

}  // namespace atelier
