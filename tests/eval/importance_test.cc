// Importance-sampled likelihoods of a linear Gaussian model whose marginal is known.
#include "eval/importance.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>
#include <numeric>

#include "base/random.h"
#include "nn/losses.h"

using namespace atelier;

namespace {

// p(z) = N(0,1), p(x|z) = N(w z, s^2 I) in D pixels; q(z|x) = N(c w.x, t^2), worse than the
// posterior, so that one draw is no good bound.
constexpr std::int64_t kPixels = 4;
constexpr double kSigma = 0.5, kWidth = 1.4;  // t over the posterior's standard deviation
constexpr double kLoading[kPixels] = {0.6, -0.4, 0.3, 0.5};

double loading_squares() {
  double sum = 0;
  for (double w : kLoading) sum += w * w;
  return sum;
}
double precision() { return 1 + loading_squares() / (kSigma * kSigma); }
double deviation() { return kWidth / std::sqrt(precision()); }

Expr log_weight(const Scope& scope, const Batch& batch) {
  std::int64_t rows = batch.image.shape()[0];
  Expr x = reshape(batch.image, {rows, kPixels});
  Expr w = scope.param("w", {1, kPixels},
                       [](std::span<float> values, const Shape&, std::uint64_t, std::uint64_t) {
                         for (std::size_t i = 0; i < values.size(); ++i)
                           values[i] = float(kLoading[i]);
                       });
  Expr mu = matmul(x, w, false, true) * (1 / (kSigma * kSigma * precision()));
  Expr eps = scope.normal("latent", {rows, 1});
  Expr z = mu + deviation() * eps;
  Expr log_sigma = scope.graph().constant(std::log(kSigma));
  Expr log_ratio = 0.5 * sum_rows(square(eps) - square(z)) + std::log(deviation());
  return log_ratio - gaussian_nll(x, matmul(z, w), log_sigma);
}

// -log N(x; 0, w w^T + s^2 I) by the matrix determinant and inversion lemmas.
double marginal_nll(const float* x) {
  double squares = 0, along = 0, s2 = kSigma * kSigma;
  for (std::int64_t j = 0; j < kPixels; ++j) {
    squares += double(x[j]) * x[j];
    along += double(x[j]) * kLoading[j];
  }
  double quadratic = squares / s2 - along * along / (s2 * s2 * precision());
  double log_det = double(kPixels) * std::log(s2) + std::log(precision());
  return 0.5 * (quadratic + log_det + double(kPixels) * std::log(2 * std::numbers::pi));
}

// KL(q || posterior): the gap of the evidence lower bound, the same for each x since the means
// agree.
double elbo_gap() { return 0.5 * (kWidth * kWidth - 1) - std::log(kWidth); }

Dataset gaussian_pictures(std::int64_t size) {
  Dataset data;
  data.source = "gaussian";
  data.size = size;
  data.height = 1;
  data.width = kPixels;
  data.channels = 1;
  data.dtype = DType::f32;
  auto bytes = std::make_shared<std::vector<std::byte>>(std::size_t(size * data.row_bytes()));
  RandomStream random(3, stream_of("importance_test"));
  std::vector<float> x(static_cast<std::size_t>(size * kPixels));
  for (std::int64_t i = 0; i < size; ++i) {
    double z = random.normal();
    for (std::int64_t j = 0; j < kPixels; ++j)
      x[std::size_t(i * kPixels + j)] = float(kLoading[j] * z + kSigma * random.normal());
  }
  std::memcpy(bytes->data(), x.data(), bytes->size());
  data.pixels = *bytes;
  data.storage = bytes;
  return data;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

}  // namespace

TEST_CASE("importance sampling falls from the ELBO to the exact likelihood") {
  const std::int64_t size = 64;
  Dataset data = gaussian_pictures(size);
  PixelReader pixels(data);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  double exact = 0;
  for (std::int64_t i : indices)
    exact += marginal_nll(reinterpret_cast<const float*>(data.image(i).data())) / double(size);
  Store store;
  std::vector<double> bounds;
  for (std::int64_t draws : {1, 5, 50, 5000}) {
    const std::int64_t repeats = draws == 1 ? 400 : draws == 5000 ? 1 : 20;
    double total = 0;
    for (std::int64_t r = 0; r < repeats; ++r) {
      total += mean_of(importance_nll(log_weight, store, data, pixels, indices,
                                      {.draws = draws, .batch_size = size, .seed = r}));
    }
    bounds.push_back(total / double(repeats));
  }
  fmt::print(
      "summary: importance sampling: gap {:.4f} at 1 draw (ELBO {:.4f}), {:.4f} at 5, "
      "{:.5f} at 50, {:.5f} at 5000 nats\n",
      bounds[0] - exact, elbo_gap(), bounds[1] - exact, bounds[2] - exact, bounds[3] - exact);
  // 25600 draws of a log-weight whose standard deviation is below 1.
  CHECK(std::abs(bounds[0] - exact - elbo_gap()) < 0.02);
  CHECK(bounds[0] > bounds[1]);
  CHECK(bounds[1] > bounds[2]);
  CHECK(bounds[2] > exact - 0.002);
  CHECK(std::abs(bounds[3] - exact) < 0.02);
}

TEST_CASE("an example's estimate does not depend on batch or company") {
  Dataset data = gaussian_pictures(10);
  PixelReader pixels(data);
  Store store;
  std::vector<std::int64_t> all(10), some{7, 2, 9};
  std::iota(all.begin(), all.end(), std::int64_t{0});
  auto whole = importance_nll(log_weight, store, data, pixels, all, {.draws = 7, .batch_size = 10});
  auto part = importance_nll(log_weight, store, data, pixels, some, {.draws = 7, .batch_size = 2});
  REQUIRE(part.size() == 3);
  CHECK(part[0] == whole[7]);
  CHECK(part[1] == whole[2]);
  CHECK(part[2] == whole[9]);
  CHECK(importance_nll(log_weight, store, data, pixels, {}).empty());
}
