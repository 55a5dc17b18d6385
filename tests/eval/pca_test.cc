// Principal components, baselines and latent statistics, also on Fashion-MNIST if it is there.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "eval/baseline_figures.h"
#include "eval/baselines.h"
#include "eval/latents.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

// Rows along orthogonal directions of known variance: scaled pairs of unit vectors.
std::vector<float> axes_data(std::int64_t columns, std::int64_t repeats,
                             const std::function<double(std::int64_t)>& scale) {
  std::vector<float> values;
  for (std::int64_t r = 0; r < repeats; ++r) {
    for (std::int64_t j = 0; j < columns; ++j) {
      for (double sign : {-1.0, 1.0}) {
        for (std::int64_t k = 0; k < columns; ++k)
          values.push_back(float(3 + (k == j ? sign * scale(j) : 0)));
      }
    }
  }
  return values;
}

}  // namespace

TEST_CASE("components of orthogonal directions are those directions, largest first") {
  const std::int64_t d = 7;
  auto scale = [](std::int64_t j) { return 1.0 + double((j * 3) % 7); };  // all different
  std::vector<float> values = axes_data(d, 300, scale);
  Table table = table_of_rows(values, d);
  Pca pca = fit_pca(table, 3);
  double total = 0;
  for (std::int64_t j = 0; j < d; ++j) total += scale(j) * scale(j) / double(d);
  CHECK(pca.total_variance == testing::near(total, 1e-6));
  double rest = total;
  for (std::int64_t c = 0; c < 3; ++c) {
    double wanted = double(7 - c);
    CHECK(pca.mean[std::size_t(c)] == testing::near(3, 1e-6));
    CHECK(pca.variances[std::size_t(c)] == testing::near(wanted * wanted / d, 1e-6));
    for (std::int64_t j = 0; j < d; ++j) {
      double loading = std::abs(pca.components[std::size_t(c * d + j)]);
      CHECK(loading == testing::within(scale(j) == wanted ? 1 : 0, 1e-6));
    }
    rest -= wanted * wanted / double(d);
    CHECK(pca_error(pca, table, c + 1) == testing::near(rest, 1e-5));
  }
  CHECK_THROWS_AS(fit_pca(table, 8), Error);
  CHECK_THROWS_AS(fit_pca(table_of_rows({}, 4), 1), Error);
}

TEST_CASE("subspace iteration for many columns captures the leading variance") {
  const std::int64_t d = 1100;  // beyond what is solved whole
  auto scale = [](std::int64_t j) { return j < 5 ? 20.0 - double(j) : 1.0; };
  std::vector<float> values = axes_data(d, 1, scale);
  Table table = table_of_rows(values, d);
  Pca pca = fit_pca(table, 5);
  for (std::int64_t c = 0; c < 5; ++c) {
    double wanted = (20.0 - double(c)) * (20.0 - double(c)) / double(d);
    CHECK(pca.variances[std::size_t(c)] == testing::near(wanted, 1e-4));
  }
  CHECK(pca_error(pca, table, 5) == testing::near(double(d - 5) / double(d), 1e-4));
}

TEST_CASE("of rows too wide for a covariance the components come from their products") {
  const std::int64_t d = 4200, n = 300;  // three directions in a little noise
  std::vector<float> values = normal_rows(n, d, 1, 0.01, 0.5), along = normal_rows(n, 3, 2);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < d; ++j)
      values[std::size_t(i * d + j)] += float(1 + j % 3) * along[std::size_t(i * 3 + j % 3)];
  }
  Table table = table_of_rows(values, d);
  Pca pca = fit_pca(table, 4);
  double rest = pca.total_variance;
  for (std::int64_t c = 0; c < 3; ++c) rest -= pca.variances[std::size_t(c)];
  CHECK(pca.variances[0] / (9 * 1400) == testing::near(1, 0.2));
  CHECK(pca.variances[3] < 0.02);
  CHECK(pca_error(pca, table, 3) == testing::near(rest, 3e-3));
  for (std::int64_t a = 0; a < 4; ++a) {
    for (std::int64_t b = 0; b <= a; ++b) {
      double dot = 0;
      for (std::int64_t j = 0; j < d; ++j)
        dot += pca.components[std::size_t(a * d + j)] * pca.components[std::size_t(b * d + j)];
      CHECK(dot == testing::within(a == b ? 1 : 0, 1e-4));
    }
  }
  CHECK_THROWS_AS(fit_pca(table, 301), Error);
}

TEST_CASE("a Bernoulli mixture is the sum over its classes") {
  std::vector<float> values{1, 0, 1, 0, 0, 1, 0, 0};  // class 0: 10 10; class 1: 01 00
  std::vector<std::int32_t> labels{0, 0, 1, 1};
  Table table = table_of_rows(values, 2);
  BernoulliMixture mixture = fit_bernoulli(table, labels);
  // (sum + 1/2) / (rows + 1)
  double p[2][2] = {{2.5 / 3, 0.5 / 3}, {0.5 / 3, 1.5 / 3}};
  double expected = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    double sum = 0;
    for (auto& row : p) {
      double joint = 0.5;
      for (std::size_t j = 0; j < 2; ++j) joint *= values[2 * i + j] > 0 ? row[j] : 1 - row[j];
      sum += joint;
    }
    expected -= std::log(sum) / 4;
  }
  CHECK(mean_nll(mixture, table) == testing::near(expected, 1e-12));
  // Labels are names, however large: only the classes that occur are held.
  BernoulliMixture large =
      fit_bernoulli(table, std::vector<std::int32_t>{0, 0, 2147483647, 2147483647});
  CHECK(large.classes == 2);
  CHECK(large.on == mixture.on);
  CHECK(mean_nll(large, table) == mean_nll(mixture, table));
  BernoulliMixture single = fit_bernoulli(table, {});
  CHECK(single.classes == 1);
  CHECK(mean_nll(single, table) > expected);
  CHECK_THROWS_AS(fit_bernoulli(table, std::vector<std::int32_t>{1}), Error);
}

TEST_CASE("baselines of vectors are refused") {
  Dataset data;
  data.source = "points.h5";
  data.size = 4;
  data.height = data.width = 1;
  data.channels = 2;
  data.dtype = DType::f32;
  std::vector<float> values = normal_rows(4, 2, 1);
  data.pixels = std::as_bytes(std::span(values));
  auto refused = [&] {
    std::vector<std::string> said;
    for (auto job : {+[](const Dataset& d) { baselines(d, all_of(d), d, {}, {}); },
                     +[](const Dataset& d) { baseline_figures(d, all_of(d), d, all_of(d)); }}) {
      try {
        job(data);
        said.push_back("");
      } catch (const Error& error) {
        said.push_back(error.what());
      }
    }
    return said;
  };
  CHECK(refused() == std::vector<std::string>(2, ""));  // f32 pictures of one pixel
  data.real = true;
  CHECK(refused() ==
        std::vector<std::string>(2, "points.h5: baselines are of pictures, found vectors"));
}

TEST_CASE("active units are those whose mean varies") {
  std::vector<float> latents;
  for (int i = 0; i < 100; ++i) {
    latents.insert(latents.end(), {float(i % 2), 0.05f * float(i % 2), 7.0f});
  }
  auto variances = unit_variances(latents, 3);
  CHECK(variances[0] == testing::near(0.25));
  CHECK(variances[1] == testing::near(0.000625));
  CHECK(variances[2] == testing::within(0, 1e-5));
  CHECK(active_units(latents, 3) == 1);
  CHECK(active_units(latents, 3, 1e-4) == 2);
}

TEST_CASE("the baselines of Fashion-MNIST are the known ones") {
  if (!has_fashion("baselines of Fashion-MNIST")) return;
  Dataset train = read_fashion("train"), test = read_fashion("t10k");
  std::vector<std::int64_t> train_rows = all_of(train), test_rows = all_of(test);
  Baselines grey =
      baselines(train, train_rows, test, test_rows, {.latent_dim = 16, .bernoulli = false});
  Baselines binary =
      baselines(train, train_rows, test, test_rows, {.binarize = Binarize::threshold});
  REQUIRE(grey.pca_error);
  REQUIRE(binary.mixture_nll);
  fmt::print("summary: Fashion-MNIST: PCA 16 error {:.4f}, Bernoulli {:.3f}, mixture {:.3f}\n",
             *grey.pca_error, *binary.factorised_nll, *binary.mixture_nll);
  CHECK(*grey.pca_error == testing::near(16.030, 1e-4));
  CHECK(std::abs(*binary.factorised_nll - 383.13) < 0.05);
  CHECK(std::abs(*binary.mixture_nll - 252.64) < 0.1);
  CHECK(!grey.factorised_nll);
  CHECK(!binary.pca_error);
}
