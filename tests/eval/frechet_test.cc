// Frechet distances: closed forms, both routes, few rows, limits and intervals; G1 to G3.
#include "eval/frechet.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <Eigen/Dense>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/pca.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix rotation(std::int64_t d) {
  RandomStream random(5, stream_of("frechet_test.rotation"));
  Matrix m(d, d);
  for (std::int64_t i = 0; i < d * d; ++i) m.data()[i] = random.normal();
  return Eigen::HouseholderQR<Matrix>(m).householderQ();
}

Moments with(const Eigen::VectorXd& mu, const Matrix& sigma) {
  return {100, {mu.data(), mu.data() + mu.size()}, {sigma.data(), sigma.data() + sigma.size()}};
}

Moments of(const std::vector<float>& rows, std::int64_t columns) {
  return moments_of(table_of_rows(rows, columns));
}

Matrix centred(const std::vector<float>& rows, std::int64_t columns) {
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::int64_t count = std::int64_t(rows.size()) / columns;
  Matrix m = Eigen::Map<const Floats>(rows.data(), count, columns).cast<double>();
  m.rowwise() -= m.colwise().mean().eval();
  return m / std::sqrt(double(count - 1));
}

// Coordinates along the components, f32 [rows, count].
std::vector<float> projected(const Pca& pca, const std::vector<float>& rows) {
  std::vector<float> into(rows.size() / std::size_t(pca.columns) * std::size_t(pca.count));
  project(pca, table_of_rows(rows, pca.columns), into);
  return into;
}

}  // namespace

TEST_CASE("G1: Gaussians with commuting covariances are as far apart as the closed form says") {
  const std::int64_t d = 20;
  Matrix q = rotation(d);
  Eigen::VectorXd mu_a(d), mu_b(d), s_a(d), s_b(d);
  for (std::int64_t i = 0; i < d; ++i) {
    mu_a[i] = 0.1 * double(i);
    mu_b[i] = 1 - 0.05 * double(i);
    s_a[i] = 0.2 + 0.1 * double(i);
    s_b[i] = 2.5 - 0.1 * double(i);
  }
  Moments a = with(mu_a, q * s_a.cwiseAbs2().asDiagonal() * q.transpose());
  Moments b = with(mu_b, q * s_b.cwiseAbs2().asDiagonal() * q.transpose());
  double exact = (mu_a - mu_b).squaredNorm() + (s_a - s_b).squaredNorm();
  for (FrechetRoute route :
       {FrechetRoute::automatic, FrechetRoute::cholesky, FrechetRoute::eigen}) {
    CHECK(frechet_distance(a, b, route) == testing::near(exact, 1e-12));
    CHECK(frechet_distance(b, a, route) == testing::near(exact, 1e-12));
  }
  fmt::print("summary: G1 Frechet of commuting Gaussians: off by {:.1e} of {:.4f}\n",
             std::abs(frechet_distance(a, b) - exact) / exact, exact);
  CHECK(frechet_distance(a, a) < 1e-12);
}

TEST_CASE("G2: the routes agree, and rows fewer than columns are handled") {
  const std::int64_t d = 512;
  std::vector<float> x = normal_rows(1200, d, 1), y = normal_rows(1100, d, 2, 1.3, 0.1);
  Moments a = of(x, d), b = of(y, d);
  double by_cholesky = frechet_distance(a, b, FrechetRoute::cholesky);
  double by_eigen = frechet_distance(a, b, FrechetRoute::eigen);
  CHECK(by_cholesky == testing::near(by_eigen, 1e-8));

  // 40 and 60 rows of 96 numbers: the trace is the nuclear norm of the product of centred rows.
  const std::int64_t wide = 96;
  std::vector<float> few = normal_rows(40, wide, 3), others = normal_rows(60, wide, 4, 1, 0.3);
  Moments c = of(few, wide), e = of(others, wide);
  Matrix product = centred(few, wide) * centred(others, wide).transpose();
  double nuclear = Eigen::JacobiSVD<Matrix>(product).singularValues().sum(), exact = 0;
  for (std::int64_t j = 0; j < wide; ++j) {
    double apart = c.mu[std::size_t(j)] - e.mu[std::size_t(j)];
    exact +=
        apart * apart + c.sigma[std::size_t(j * wide + j)] + e.sigma[std::size_t(j * wide + j)];
  }
  exact -= 2 * nuclear;
  double found = frechet_distance(c, e);
  CHECK(found == testing::near(exact, 1e-8));
  CHECK_THROWS_AS(frechet_distance(c, e, FrechetRoute::cholesky), Error);
  CHECK(frechet_distance(c, c) < 1e-6 * c.sigma[0] * double(wide));
  fmt::print(
      "summary: G2 routes at D=512 differ by {:.1e}; 40 against 60 rows of 96: {:.1e} from the "
      "nuclear norm\n",
      std::abs(by_cholesky - by_eigen) / by_eigen, std::abs(found - exact) / exact);
}

TEST_CASE("moments are those of the rows, counted as often as said, by any team") {
  std::vector<float> rows{1, 2, 3, 0, 5, 4, 7, 7};
  Moments all = of(rows, 2);
  CHECK(all.count == 4);
  CHECK(all.mu == std::vector<double>{4, 3.25});
  CHECK(all.sigma[1] == testing::near((-3 * -1.25 + -1 * -3.25 + 1 * 0.75 + 3 * 3.75) / 3));
  CHECK(all.sigma[1] == all.sigma[2]);
  std::vector<std::int32_t> times{2, 0, 1, 1};
  std::vector<float> listed{1, 2, 1, 2, 5, 4, 7, 7};
  Moments some = moments_of(table_of_rows(rows, 2), times);
  CHECK(some.count == 4);
  CHECK(some.mu == of(listed, 2).mu);
  CHECK(some.sigma[0] == testing::near(of(listed, 2).sigma[0], 1e-14));
  std::vector<float> one{1, 2};
  CHECK_THROWS_WITH_AS(of(one, 2), "covariance: expected at least 2 rows, found 1", Error);
  std::vector<float> wide = normal_rows(2100, 230, 9);
  set_threads(1);
  Moments alone = of(wide, 230);
  set_threads(3);
  Moments shared = of(wide, 230);
  set_threads(0);
  CHECK(std::memcmp(alone.sigma.data(), shared.sigma.data(), alone.sigma.size() * 8) == 0);
}

TEST_CASE("G3: halves of one set are apart like 1/N, and the limit is 0") {
  const std::int64_t d = 16, n = 6000;
  // Expected for N rows each: the trace of the noise of moments, about (D + D(D+1)/4) / N.
  auto halves = [&](std::int64_t size, std::uint64_t seed) {
    std::vector<float> a = normal_rows(size, d, seed), b = normal_rows(size, d, seed + 1000);
    return frechet_distance(of(a, d), of(b, d));
  };
  double at_quarter = 0, at_all = 0;
  for (std::uint64_t s = 0; s < 8; ++s) {
    at_quarter += halves(n / 4, s) / 8;
    at_all += halves(n, 100 + s) / 8;
  }
  std::vector<float> a = normal_rows(n, d, 50), b = normal_rows(n, d, 51);
  FrechetReference real{of(a, d), table_of_rows(a, d)};
  double estimate = frechet_distance(real.moments, of(b, d));
  std::optional<double> limit = frechet_limit(real, table_of_rows(b, d));
  Interval interval = frechet_interval(estimate, real, table_of_rows(b, d), 20);
  REQUIRE(limit);
  fmt::print(
      "summary: G3 Frechet of one Gaussian: {:.5f} at 1500 rows, {:.5f} at 6000 (ratio {:.2f}), "
      "limit {:.5f}, interval {:.5f}..{:.5f} about {:.5f}\n",
      at_quarter, at_all, at_quarter / at_all, *limit, interval.low, interval.high, estimate);
  CHECK(at_all > 0);
  CHECK(std::abs(at_quarter / at_all - 4) < 0.4);
  CHECK(std::abs(*limit) < (interval.high - interval.low) / 2);  // consistent with 0
  CHECK(interval.low < estimate);
  CHECK(interval.high > estimate);
  CHECK(!frechet_limit(real, table_of_rows(std::span(b).first(40 * d), d)));
}

TEST_CASE("G3: on Fashion-MNIST in 64 principal components the distances are the known ones") {
  if (!has_fashion("Frechet distances of Fashion-MNIST")) return;
  std::vector<float> train = rows_of(read_fashion("train", 10000)),
                     test = rows_of(read_fashion("t10k"));
  const std::int64_t d = 784, k = 64;
  Pca pca = fit_pca(table_of_rows(train, d), k);
  std::vector<float> a = projected(pca, train), b = projected(pca, test);
  FrechetReference real{of(a, k), table_of_rows(a, k)};
  double distance = frechet_distance(real.moments, of(b, k));
  std::optional<double> limit = frechet_limit(real, table_of_rows(b, k));
  REQUIRE(limit);
  std::vector<float> shuffled = test;  // the pixels of each picture in an order of its own
  RandomStream random(0, stream_of("frechet_test.shuffle"));
  for (std::size_t row = 0; row < shuffled.size(); row += std::size_t(d)) {
    for (std::size_t i = std::size_t(d); i > 1; --i)
      std::swap(shuffled[row + i - 1], shuffled[row + random.below(i)]);
  }
  double apart = frechet_distance(real.moments, of(projected(pca, shuffled), k));
  fmt::print(
      "summary: G3 Fashion-MNIST, PCA-64: train against test {:.4f}, limit {:.4f}, shuffled "
      "{:.2f}\n",
      distance, *limit, apart);
  CHECK(std::abs(distance - 0.069) < 0.01);
  CHECK(std::abs(*limit) < 0.2 * distance);
  CHECK(apart > 30);
}
