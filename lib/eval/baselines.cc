// Baselines from counts and covariances.
#include "eval/baselines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "eval/covariance_baselines.h"

namespace atelier {
namespace {

constexpr std::int64_t kPiece = 1024;

std::vector<std::int32_t> labels_of(const Dataset& dataset, std::span<const std::int64_t> indices) {
  std::vector<std::int32_t> labels;
  if (dataset.labels.empty()) return labels;
  for (std::int64_t index : indices) labels.push_back(dataset.labels[std::size_t(index)]);
  return labels;
}

// Those that occur, ascending. A picture without a label counts as one of class 0.
std::vector<std::int32_t> classes_in(std::span<const std::int32_t> labels) {
  std::vector<std::int32_t> found;
  for (std::int32_t label : labels) found.push_back(std::max(label, 0));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

double log_sum_exp(std::span<const double> values) {
  double top = *std::max_element(values.begin(), values.end());
  double total = 0;
  for (double v : values) total += std::exp(v - top);
  return top + std::log(total);
}

}  // namespace

std::vector<std::int64_t> all_rows(std::int64_t count) {
  std::vector<std::int64_t> rows(std::size_t(count), 0);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<std::int64_t> evenly_spaced(std::span<const std::int64_t> indices, std::int64_t most) {
  std::int64_t size = std::int64_t(indices.size()), count = std::min(size, most);
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(indices[std::size_t(i * size / count)]);
  return result;
}

Table table_of(PixelReader& pixels, std::span<const std::int64_t> indices) {
  return {std::int64_t(indices.size()), pixels.row(),
          [&pixels, indices](std::int64_t first, std::int64_t count, std::span<float> into) {
            pixels.read(indices.subspan(std::size_t(first), std::size_t(count)), into);
          }};
}

BernoulliMixture fit_bernoulli(const Table& table, std::span<const std::int32_t> labels) {
  if (table.rows < 1) throw Error("Bernoulli mixture: expected rows, found none");
  if (!labels.empty() && std::int64_t(labels.size()) != table.rows) {
    throw Error("Bernoulli mixture: expected one label a row");
  }
  const std::vector<std::int32_t> known = classes_in(labels);
  const std::int64_t classes = std::max<std::int64_t>(1, std::int64_t(known.size()));
  std::size_t d = std::size_t(table.columns);
  std::vector<double> rows(std::size_t(classes), 0.0), sums(std::size_t(classes) * d, 0.0);
  std::vector<float> piece(std::size_t(kPiece) * d);
  for (std::int64_t first = 0; first < table.rows; first += kPiece) {
    std::int64_t count = std::min(kPiece, table.rows - first);
    table.read(first, count, {piece.data(), std::size_t(count) * d});
    for (std::int64_t i = 0; i < count; ++i) {
      std::size_t c = 0;
      if (!labels.empty()) {
        std::int32_t label = std::max(labels[std::size_t(first + i)], 0);
        c = std::size_t(std::lower_bound(known.begin(), known.end(), label) - known.begin());
      }
      rows[c] += 1;
      double* sum = sums.data() + c * d;
      const float* x = piece.data() + std::size_t(i) * d;
      for (std::size_t j = 0; j < d; ++j) sum[j] += x[j];
    }
  }
  BernoulliMixture mixture{table.columns, classes, {}, {}, {}};
  for (std::size_t c = 0; c < std::size_t(classes); ++c) {
    mixture.log_prior.push_back(std::log(rows[c] / double(table.rows)));
    for (std::size_t j = 0; j < d; ++j) {
      double p = (sums[c * d + j] + 0.5) / (rows[c] + 1);
      mixture.on.push_back(std::log(p));
      mixture.off.push_back(std::log1p(-p));
    }
  }
  return mixture;
}

double mean_nll(const BernoulliMixture& mixture, const Table& table) {
  if (table.rows < 1 || table.columns != mixture.columns) {
    throw Error("Bernoulli mixture: expected rows of the fitted width");
  }
  std::size_t d = std::size_t(mixture.columns), classes = std::size_t(mixture.classes);
  std::vector<float> piece(std::size_t(kPiece) * d);
  std::vector<double> joint(classes);
  double total = 0;
  for (std::int64_t first = 0; first < table.rows; first += kPiece) {
    std::int64_t count = std::min(kPiece, table.rows - first);
    table.read(first, count, {piece.data(), std::size_t(count) * d});
    for (std::int64_t i = 0; i < count; ++i) {
      const float* x = piece.data() + std::size_t(i) * d;
      for (std::size_t c = 0; c < classes; ++c) {
        joint[c] = mixture.log_prior[c];
        const double* on = mixture.on.data() + c * d;
        const double* off = mixture.off.data() + c * d;
        for (std::size_t j = 0; j < d; ++j) joint[c] += off[j] + double(x[j]) * (on[j] - off[j]);
      }
      total -= log_sum_exp(joint);
    }
  }
  return total / double(table.rows);
}

Baselines baselines(const Dataset& train, std::span<const std::int64_t> train_indices,
                    const Dataset& validation, std::span<const std::int64_t> validation_indices,
                    const BaselineArgs& args) {
  require_pictures(train, "baselines");
  Baselines result;
  if (train_indices.empty()) return result;
  std::vector<std::int64_t> rows = evenly_spaced(train_indices, args.most_rows);
  PixelReader train_pixels(train, args.binarize, args.seed);
  PixelReader validation_pixels(validation, args.binarize, args.seed);
  Table fitted = table_of(train_pixels, rows);
  Table judged =
      validation_indices.empty() ? fitted : table_of(validation_pixels, validation_indices);
  if (args.latent_dim == 0) {
    // nobody asked
  } else if (fitted.columns > kMostCovarianceColumns) {
    result.no_pca =
        fmt::format("pictures of {} numbers have too large a covariance, {} is the most",
                    fitted.columns, kMostCovarianceColumns);
  } else if (args.latent_dim > fitted.columns) {
    result.no_pca =
        fmt::format("pictures of {} numbers have no {}", fitted.columns, args.latent_dim);
  } else {
    result.pca_error = pca_error(fit_pca(fitted, args.latent_dim), judged, args.latent_dim);
  }
  if (!args.bernoulli) return result;
  result.factorised_nll = mean_nll(fit_bernoulli(fitted, {}), judged);
  std::vector<std::int32_t> labels = labels_of(train, rows);
  std::int64_t classes = std::int64_t(classes_in(labels).size());
  if (classes > 0 && classes <= kMostMixtureNumbers / fitted.columns) {
    result.mixture_nll = mean_nll(fit_bernoulli(fitted, labels), judged);
  }
  return result;
}

}  // namespace atelier
