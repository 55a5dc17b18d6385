// Linear models reach their closed forms: a linear autoencoder the principal components, a VAE with
// a linear decoder probabilistic PCA (Tipping and Bishop 1999; Lucas et al. 2019,
// arXiv:1911.02469).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <Eigen/Dense>
#include <cmath>
#include <numbers>

#include "infer/training.h"
#include "support/near.h"

using namespace atelier;

namespace {

using Matrix = Eigen::MatrixXd;
using Text = std::string;

// Rows of a Gaussian with `strong` directions of falling strength and noise of `sigma`.
struct Cloud {
  std::int64_t rows, width;
  std::vector<float> values;
  Eigen::VectorXd mean, eigenvalues;  // ascending
  Matrix covariance, eigenvectors;    // columns

  Cloud(std::int64_t n, std::int64_t d, int strong, double sigma, std::uint64_t seed)
      : rows(n), width(d), values(testing::normal_rows(n * d, seed)) {
    std::vector<float> mixing = testing::normal_rows(d * strong, seed + 1);
    std::vector<float> latent = testing::normal_rows(n * strong, seed + 2);
    Matrix x(n, d);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < d; ++j) {
        float& v = values[std::size_t(i * d + j)];
        v *= float(sigma);
        for (std::int64_t k = 0; k < strong; ++k) {
          v += mixing[std::size_t(j * strong + k)] * latent[std::size_t(i * strong + k)] /
               float(1 + k);
        }
        x(i, j) = v;
      }
    }
    mean = x.colwise().mean();
    Matrix centred = x.rowwise() - mean.transpose();
    covariance = centred.transpose() * centred / double(n);
    Eigen::SelfAdjointEigenSolver<Matrix> solver(covariance);
    eigenvalues = solver.eigenvalues();
    eigenvectors = solver.eigenvectors();
  }
};

Matrix stored(const Store& store, const std::string& name, std::int64_t rows,
              std::int64_t columns) {
  auto v = store.values(name);
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
             v.data(), rows, columns)
      .cast<double>();
}

// Largest principal angle between the rows of `a` and the columns of `b`, degrees; by the sine,
// which stays exact for small angles.
double angle(const Matrix& a, const Matrix& b) {
  Matrix q = Eigen::HouseholderQR<Matrix>(a.transpose()).householderQ() *
             Matrix::Identity(a.cols(), a.rows());
  Matrix residual = q - b * (b.transpose() * q);
  double sine = residual.jacobiSvd().singularValues()(0);
  return std::asin(std::min(1.0, sine)) * 180 / std::numbers::pi;
}

Attributes linear_autoencoder(std::int64_t k) {
  return {{"hidden_dim", Text()},
          {"latent_dim", k},
          {"variational", false},
          {"likelihood", Text("gaussian")},
          {"output_activation", Text("linear")}};
}

Matrix rows_of(const Cloud& cloud) {
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
             cloud.values.data(), cloud.rows, cloud.width)
      .cast<double>();
}

// x W + b of a stored layer.
Matrix affine(const Store& store, const std::string& layer, const Matrix& x, std::int64_t outputs) {
  Matrix y = x * stored(store, layer + ".weight", x.cols(), outputs);
  y.rowwise() += stored(store, layer + ".bias", 1, outputs).row(0);
  return y;
}

// Mean squared error of the trained autoencoder in double.
double autoencoder_error(const Store& store, const Cloud& cloud, std::int64_t k) {
  Matrix x = rows_of(cloud);
  Matrix z = affine(store, "encoder.stats", x, k);
  return (x - affine(store, "decoder.pixels", z, cloud.width)).squaredNorm() / double(cloud.rows);
}

// What a trained linear VAE falls short of the best log-likelihood of its kind by, nats a row.
struct Gaps {
  double marginal;  // of the exact likelihood of its decoder
  double elbo;      // of its bound, the expectation over the posterior in closed form
  double sigma2;
};
Gaps gaps_of(const Store& store, const Cloud& cloud, std::int64_t k, double best) {
  const double d = double(cloud.width), log_two_pi = std::log(2 * std::numbers::pi);
  // Marginal likelihood of the decoder: N(b, W^T W + sigma^2 I).
  Matrix w = stored(store, "decoder.pixels.weight", k, cloud.width);
  Eigen::VectorXd offset =
      cloud.mean - stored(store, "decoder.pixels.bias", 1, cloud.width).row(0).transpose();
  double sigma2 = std::exp(2 * double(store.values("log_sigma")[0]));
  Matrix covariance = w.transpose() * w + sigma2 * Matrix::Identity(cloud.width, cloud.width);
  Matrix scatter = cloud.covariance + offset * offset.transpose();
  double marginal = -0.5 * (d * log_two_pi + std::log(covariance.determinant()) +
                            (covariance.inverse() * scatter).trace());
  // E_q |x - (z W + b)|^2 = |x - (mu W + b)|^2 + sum_k var_k |w_k|^2.
  Matrix x = rows_of(cloud);
  Matrix stats = affine(store, "encoder.stats", x, 2 * k);
  Matrix mu = stats.leftCols(k), logvar = stats.rightCols(k);
  Matrix variance = logvar.array().exp().matrix();
  double n = double(cloud.rows);
  double squares = (x - affine(store, "decoder.pixels", mu, cloud.width)).squaredNorm() / n +
                   (variance * w.rowwise().squaredNorm()).sum() / n;
  double kl = 0.5 * (mu.squaredNorm() + (variance - logvar).sum()) / n - 0.5 * double(k);
  double elbo = -0.5 * (d * (log_two_pi + std::log(sigma2)) + squares / sigma2) - kl;
  return {best - marginal, best - elbo, sigma2};
}

}  // namespace

TEST_CASE("a linear autoencoder finds the principal components") {
  testing::OneThread one_thread;
  const std::int64_t d = 20, k = 4, n = 5000;
  Cloud cloud(n, d, 6, 0.5, 1);
  double optimum = cloud.eigenvalues.head(d - k).sum();
  Matrix leading = cloud.eigenvectors.rightCols(k);
  for (bool full_batch : {true, false}) {
    std::int64_t rows = full_batch ? n : 100, steps = full_batch ? 3000 : 2500;
    Model model = testing::fitted("vae", linear_autoencoder(k), {1, d, 1, 0});
    Store store(3);
    auto step = testing::TrainingStep::make(store, model, rows);
    ScheduleArgs schedule{.kind = LrSchedule::cosine, .learning_rate = 1e-2, .total_steps = steps};
    std::vector<std::int64_t> order = testing::identity_order(n);
    for (std::int64_t t = 0; t < steps; ++t) {
      std::int64_t first = t * rows % n;
      if (first == 0 && !full_batch) testing::shuffle(order, 5, std::uint64_t(t));
      step.run(cloud.values, std::span(order).subspan(std::size_t(first)),
               learning_rate_at(schedule, t), t);
    }
    double excess = autoencoder_error(store, cloud, k) / optimum - 1;
    double degrees = angle(stored(store, "decoder.pixels.weight", k, d), leading);
    fmt::print("summary: linear autoencoder, batch {}: excess over PCA {:.1e}, angle {:.3f} deg\n",
               rows, excess, degrees);
    CHECK(excess > -1e-6);
    CHECK(excess <= 1e-3);
    CHECK(degrees <= (full_batch ? 0.1 : 2.0));
  }
}

TEST_CASE("a VAE with a linear decoder reaches probabilistic PCA") {
  testing::OneThread one_thread;
  const std::int64_t d = 10, k = 3, n = 5000;
  Cloud cloud(n, d, 3, 0.5, 7);
  // Maximum likelihood of probabilistic PCA.
  double sigma2 = cloud.eigenvalues.head(d - k).mean();
  double log_two_pi = std::log(2 * std::numbers::pi);
  double best =
      -0.5 * (double(d) * log_two_pi + double(d) + cloud.eigenvalues.tail(k).array().log().sum() +
              double(d - k) * std::log(sigma2));
  Attributes config = linear_autoencoder(k);
  config.emplace_back("sigma", Text("learned"));
  for (auto& [name, value] : config) {
    if (name == "variational") value = true;
  }
  Model model = testing::fitted("vae", config, {1, d, 1, 0});
  Store store(2);
  auto small = testing::TrainingStep::make(store, model, 100);
  auto whole = testing::TrainingStep::make(store, model, n);
  std::vector<std::int64_t> order = testing::identity_order(n);
  const std::int64_t half = 4000;
  for (std::int64_t t = 0; t < half; ++t) {
    std::int64_t first = t * 100 % n;
    if (first == 0) testing::shuffle(order, 5, std::uint64_t(t));
    small.run(cloud.values, std::span(order).subspan(std::size_t(first)), 3e-3, t);
  }
  Gaps noisy = gaps_of(store, cloud, k, best);
  ScheduleArgs schedule{.kind = LrSchedule::cosine, .learning_rate = 3e-3, .total_steps = half};
  double elbo = 0;
  const std::int64_t last = 200;  // the rate is nearly zero then: an average over the noise
  for (std::int64_t t = 0; t < half; ++t) {
    double loss = double(whole.run(cloud.values, order, learning_rate_at(schedule, t), half + t));
    if (t >= half - last) elbo -= loss / double(last);
  }
  Gaps settled = gaps_of(store, cloud, k, best);
  fmt::print(
      "summary: linear VAE, 4000 steps of 100 rows: marginal gap {:.1e} nats, ELBO gap {:.1e}\n",
      noisy.marginal, noisy.elbo);
  fmt::print(
      "summary: linear VAE, 4000 more of all rows: marginal gap {:.1e} nats, ELBO gap {:.1e}, "
      "{:.1e} as trained, sigma^2 {:.4f} of {:.4f}\n",
      settled.marginal, settled.elbo, best - elbo, settled.sigma2, sigma2);
  CHECK(noisy.marginal <= 0.2);
  CHECK(noisy.elbo <= 0.2);
  CHECK(settled.marginal > -1e-6);
  CHECK(settled.marginal <= 5e-3);
  CHECK(settled.elbo >= settled.marginal - 1e-9);
  CHECK(settled.elbo <= 5e-3);
  // A million draws of noise whose deviation is about sqrt(10 / 2): 0.002 is one standard error.
  CHECK(std::abs(best - elbo - settled.elbo) <= 1e-2);
  CHECK(settled.sigma2 == testing::near(sigma2, 0.01));
}
