// What models without learning reach on the user's own data: the figures that a trained model must
// beat.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/pixels.h"
#include "eval/pca.h"

namespace atelier {

// Pictures of a data set as a table of rows; both must outlive it.
Table table_of(PixelReader& pixels, std::span<const std::int64_t> indices);

std::vector<std::int64_t> all_rows(std::int64_t count);  // 0 .. count - 1
// At most so many of them, evenly spaced.
std::vector<std::int64_t> evenly_spaced(std::span<const std::int64_t> indices, std::int64_t most);

// Mixture of products of Bernoulli pixels, one component a class that occurs; without labels one
// component for all. Probabilities of pixels are (sum + 1/2) / (rows + 1).
struct BernoulliMixture {
  std::int64_t columns = 0, classes = 0;
  std::vector<double> log_prior;  // [classes]
  std::vector<double> on, off;    // [classes, columns]: log p, log(1 - p)
};
// labels: one a row, or empty. Pixels in 0..1.
BernoulliMixture fit_bernoulli(const Table& table, std::span<const std::int32_t> labels);
// Mean of -log p(x) over rows, nats per picture (cross-entropy where pixels are not 0 or 1).
double mean_nll(const BernoulliMixture& mixture, const Table& table);

// Of classes times pixels. Each held-out picture costs so many multiplications, as many as a
// network makes of it: a mixture beyond that would take longer than the validation that it is a
// remark on.
inline constexpr std::int64_t kMostMixtureNumbers = 1 << 20;

struct Baselines {
  std::optional<double> pca_error;       // sum of squares per picture, latent_dim components
  std::string no_pca;                    // why it is absent although it was asked for
  std::optional<double> factorised_nll;  // nats per picture
  std::optional<double> mixture_nll;     // with labels only, and up to kMostMixtureNumbers
};
struct BaselineArgs {
  std::int64_t latent_dim = 0;  // 0: no principal components
  bool bernoulli = true;
  Binarize binarize = Binarize::none;
  std::int64_t seed = 0;           // of sampled binarization
  std::int64_t most_rows = 60000;  // of the training rows, evenly spaced ones are taken beyond that
};
// Fitted on `train`, judged on `validation`, or if that has no rows on what it was fitted on.
// Throws Error for vectors.
Baselines baselines(const Dataset& train, std::span<const std::int64_t> train_indices,
                    const Dataset& validation, std::span<const std::int64_t> validation_indices,
                    const BaselineArgs& args);

}  // namespace atelier
