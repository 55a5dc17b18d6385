// Baselines by what they need: counts, principal components, the whole covariance.
#include "eval/baseline_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "data/pixels.h"
#include "eval/baselines.h"
#include "eval/covariance_baselines.h"
#include "eval/histograms.h"
#include "eval/picture_quality.h"

namespace atelier {
namespace {

void say_components(const Table& fitted, const Table& judged, Figures& figures) {
  std::int64_t most = std::min(fitted.columns, fitted.rows - 1);
  most = std::min(most, kBaselineComponents[std::size(kBaselineComponents) - 1]);
  Pca pca = fit_pca(fitted, most);
  for (std::int64_t k : kBaselineComponents) {
    if (k > most) break;
    double error = pca_error(pca, judged, k);
    figures.push_back({fmt::format("pca_{}_squared_error", k), error, "sum of squares/image"});
    figures.push_back({fmt::format("pca_{}_psnr", k), psnr(error / double(judged.columns)), "dB"});
  }
}

// `itself`: judged on what it is fitted to. A single row has no moments to judge by.
void say_covariance(const Table& fitted, const Table& judged, bool itself, Figures& figures) {
  if (judged.rows < 2) return;
  Moments moments = moments_of(fitted);
  std::optional<Moments> apart;
  if (!itself) apart = moments_of(judged);
  const Moments& others = apart ? *apart : moments;
  if (fitted.rows > fitted.columns)
    figures.push_back({"gaussian_bits", gaussian_bits(moments, others), "bits/dim"});
  WienerLosses wiener =
      wiener_losses(apart ? wiener_filter(moments, *apart, 2) : wiener_filter(moments, 2));
  figures.push_back({"wiener_linear_epsilon", wiener.linear_epsilon, "squared error/dim"});
  figures.push_back({"wiener_linear_v", wiener.linear_v, "squared error/dim"});
  figures.push_back({"wiener_cosine_epsilon", wiener.cosine_epsilon, "squared error/dim"});
  figures.push_back({"wiener_cosine_v", wiener.cosine_v, "squared error/dim"});
}

}  // namespace

Comparison baseline_figures(const Dataset& train, std::span<const std::int64_t> train_indices,
                            const Dataset& judged, std::span<const std::int64_t> judged_indices) {
  for (const Dataset* set : {&train, &judged}) require_pictures(*set, "baselines");
  if (train_indices.size() < 2 || judged_indices.empty()) {
    throw Error(fmt::format("{}: expected at least 2 pictures, found {}", train.source,
                            train_indices.size()));
  }
  if (judged.height != train.height || judged.width != train.width ||
      judged.channels != train.channels) {
    throw Error(fmt::format("{}: pictures of {}x{}x{}, but {} has {}x{}x{}", judged.source,
                            judged.height, judged.width, judged.channels, train.source,
                            train.height, train.width, train.channels));
  }
  Comparison result;
  PixelReader train_pixels(train), judged_pixels(judged);
  Table fitted = table_of(train_pixels, train_indices);
  Table measured = table_of(judged_pixels, judged_indices);
  bool narrow = fitted.columns <= kMostCovarianceColumns;
  if (narrow) {
    say_components(fitted, measured, result.figures);
  } else {
    result.remarks.push_back(fmt::format(
        "pictures of {} numbers have too large a covariance, {} is the most: no principal "
        "components, Gaussian or Wiener filter",
        fitted.columns, kMostCovarianceColumns));
  }
  Baselines counts =
      baselines(train, train_indices, judged, judged_indices, {.binarize = Binarize::threshold});
  result.figures.push_back({"bernoulli_nll", *counts.factorised_nll, "nats/image"});
  if (counts.mixture_nll) {
    result.figures.push_back({"mixture_nll", *counts.mixture_nll, "nats/image"});
  }
  HistogramBits bits = histogram_bits(fitted, measured, train.width, train.channels);
  result.figures.push_back({"histogram_bits", bits.whole, "bits/dim"});
  result.figures.push_back({"place_histogram_bits", bits.place, "bits/dim"});
  result.figures.push_back({"context_histogram_bits", bits.context, "bits/dim"});
  bool itself = &train == &judged && std::ranges::equal(train_indices, judged_indices);
  if (narrow) say_covariance(fitted, measured, itself, result.figures);
  return result;
}

}  // namespace atelier
