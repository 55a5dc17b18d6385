// Probes on vectors, retrieval, the optimiser that the logistic one uses.
#include "eval/probes.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/lbfgs.h"
#include "eval/neighbors.h"
#include "eval/retrieval.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

// Three classes about corners of a cube, apart by `apart` deviations.
struct Corners {
  std::vector<float> rows;
  std::vector<std::int32_t> labels;
  static constexpr std::int64_t d = 5;

  Corners(std::int64_t count, std::uint64_t seed, double apart) {
    rows = normal_rows(count, d, seed);
    for (std::int64_t i = 0; i < count; ++i) {
      labels.push_back(std::int32_t(i % 3));
      rows[std::size_t(i * d + i % 3)] += float(apart);
    }
  }
  LabelledRows labelled() const { return {table_of_rows(rows, d), labels}; }
};

}  // namespace

TEST_CASE("the optimiser finds the minimum of Rosenbrock's valley and of a quadratic") {
  std::vector<double> x{-1.2, 1};
  LbfgsResult valley = minimise(
      [](std::span<const double> p, std::span<double> g) {
        double a = 1 - p[0], b = p[1] - p[0] * p[0];
        g[0] = -2 * a - 400 * p[0] * b;
        g[1] = 200 * b;
        return a * a + 100 * b * b;
      },
      x, {.gradient_tolerance = 1e-9, .value_tolerance = 0});
  CHECK(valley.converged);
  CHECK(x[0] == testing::near(1, 1e-6));
  CHECK(x[1] == testing::near(1, 1e-6));
  CHECK(valley.iterations < 60);
  std::vector<double> y(30, 1.0);
  LbfgsResult bowl = minimise(
      [](std::span<const double> p, std::span<double> g) {
        double value = 0;
        for (std::size_t i = 0; i < p.size(); ++i) {
          double curvature = std::pow(10.0, double(i) / 10);
          value += curvature * (p[i] - 3) * (p[i] - 3) / 2;
          g[i] = curvature * (p[i] - 3);
        }
        return value;
      },
      y, {.gradient_tolerance = 1e-5, .value_tolerance = 0});
  CHECK(bowl.converged);
  for (double v : y) CHECK(v == testing::near(3, 1e-6));
}

TEST_CASE("probes tell classes apart as well as their distance allows") {
  Corners train(3000, 1, 3), test(1500, 2, 3);
  double knn = agreement(knn_labels(train.labelled(), test.labelled().rows, 10), test.labels);
  LinearProbe ridge = fit_ridge(train.labelled(), 1), logistic = fit_logistic(train.labelled(), 1);
  double by_ridge = agreement(predict(ridge, test.labelled().rows), test.labels);
  double by_logistic = agreement(predict(logistic, test.labelled().rows), test.labels);
  fmt::print("summary: probes of 3 classes: knn {:.3f}, ridge {:.3f}, logistic {:.3f} of 0.971\n",
             knn, by_ridge, by_logistic);
  // The best rule, argmax of the first three numbers, errs in about 2.9 % of cases.
  CHECK(std::abs(by_ridge - 0.971) < 0.012);
  CHECK(std::abs(by_logistic - 0.971) < 0.012);
  CHECK(std::abs(knn - 0.971) < 0.02);
  CHECK(logistic.converged);
  // Rows of equal length: cosine and distance agree.
  LabelledRows units{unit_rows(train.labelled().rows), train.labels};
  CHECK(knn_labels(units, unit_rows(test.labelled().rows), 1).size() == 1500);
  CHECK_THROWS_AS(fit_ridge({table_of_rows(std::span(train.rows).first(4 * 5), 5),
                             std::span(train.labels).first(4)},
                            0),
                  Error);
  std::vector<std::int32_t> negative(3000, -1);
  CHECK_THROWS_AS(classes_of({train.labelled().rows, negative}), Error);
}

TEST_CASE("ridge and logistic regression stand where their gradients vanish") {
  Corners train(400, 3, 1);
  const std::int64_t d = Corners::d, n = 400;
  const double l2 = 7;
  LinearProbe ridge = fit_ridge(train.labelled(), l2);
  LinearProbe logistic = fit_logistic(train.labelled(), l2);
  double worst = 0, worst_logistic = 0;
  for (std::int64_t c = 0; c < 3; ++c) {
    std::vector<double> gradient(std::size_t(d + 1), 0.0), nll(std::size_t(d + 1), 0.0);
    std::vector<double> mean(std::size_t(d), 0.0), square(std::size_t(d), 0.0);
    for (std::int64_t i = 0; i < n; ++i) {
      const float* x = &train.rows[std::size_t(i * d)];
      auto value = [&](const LinearProbe& probe, std::int64_t k) {
        double sum = probe.bias[std::size_t(k)];
        for (std::int64_t j = 0; j < d; ++j)
          sum += double(x[j]) * probe.weight[std::size_t(j * 3 + k)];
        return sum;
      };
      double target = train.labels[std::size_t(i)] == c ? 1 : 0;
      double residual = value(ridge, c) - target;
      double total = 0;
      for (std::int64_t k = 0; k < 3; ++k) total += std::exp(value(logistic, k));
      double surprise = std::exp(value(logistic, c)) / total - target;
      for (std::int64_t j = 0; j <= d; ++j) {
        double v = j < d ? double(x[j]) : 1.0;
        gradient[std::size_t(j)] += residual * v;
        nll[std::size_t(j)] += surprise * v;
        if (j == d) continue;
        mean[std::size_t(j)] += v / n;
        square[std::size_t(j)] += v * v / n;
      }
    }
    for (std::int64_t j = 0; j <= d; ++j) {
      double w = j < d ? ridge.weight[std::size_t(j * 3 + c)] : 0;
      worst = std::max(worst, std::abs(gradient[std::size_t(j)] + l2 * w));
      if (j == d) continue;
      // The penalty is on weights of standardised columns: w s, and its slope in w is l2 w s^2.
      double variance = square[std::size_t(j)] - mean[std::size_t(j)] * mean[std::size_t(j)];
      worst_logistic =
          std::max(worst_logistic,
                   std::abs(nll[std::size_t(j)] - mean[std::size_t(j)] * nll[std::size_t(d)] +
                            l2 * logistic.weight[std::size_t(j * 3 + c)] * variance) /
                       n);
    }
  }
  CHECK(worst < 1e-9);
  CHECK(worst_logistic < 5e-4);
  set_threads(1);
  LinearProbe alone = fit_logistic(train.labelled(), l2);
  set_threads(3);
  LinearProbe shared = fit_logistic(train.labelled(), l2);
  set_threads(0);
  CHECK(alone.weight == shared.weight);
}

TEST_CASE("ridge regression is the same through its columns and through its rows") {
  for (std::int64_t n : {4, 5, 200}) {
    INFO(n, " rows");
    Corners train(n, 3, 1);
    auto fitted = [&](RidgeForm form) {
      LinearProbe probe = fit_ridge(train.labelled(), 0.5, form);
      std::vector<double> all = probe.weight;
      all.insert(all.end(), probe.bias.begin(), probe.bias.end());
      return all;
    };
    std::vector<double> columns = fitted(RidgeForm::columns), rows = fitted(RidgeForm::rows);
    CHECK(fitted(RidgeForm::smaller) == (n < Corners::d ? rows : columns));
    double apart = 0, size = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      apart = std::max(apart, std::abs(rows[i] - columns[i]));
      size = std::max(size, std::abs(columns[i]));
    }
    CHECK(apart <= 1e-9 * size);
    CHECK_THROWS_AS(fit_ridge(train.labelled(), 0, RidgeForm::rows), Error);
  }
  // Columns of which a product would take half a terabyte.
  const std::int64_t wide = 250000;
  std::vector<float> values(std::size_t(3 * wide), 0);
  for (std::int64_t i = 0; i < 3; ++i) values[std::size_t(i * wide + i)] = 1;
  const std::vector<std::int32_t> labels = {0, 1, 2};
  LabelledRows three{table_of_rows(values, wide), labels};
  CHECK(predict(fit_ridge(three, 1), three.rows) == labels);
}

TEST_CASE("a ridge classifier of Fashion-MNIST's pixels reaches the known accuracy") {
  if (!has_fashion("ridge classifier of Fashion-MNIST")) return;
  Dataset train = read_fashion("train", 20000), test = read_fashion("t10k");
  PixelReader train_pixels(train), test_pixels(test);
  std::vector<std::int64_t> train_rows = all_of(train), test_rows = all_of(test);
  LinearProbe probe = fit_ridge({table_of(train_pixels, train_rows), train.labels}, 1);
  double accuracy = agreement(predict(probe, table_of(test_pixels, test_rows)), test.labels);
  fmt::print("summary: ridge classifier on the pixels of Fashion-MNIST: {:.4f}\n", accuracy);
  CHECK(std::abs(accuracy - 0.811) < 0.015);  // of all 60,000: 0.8112
}

TEST_CASE("partners are found by rank, and vectors that are all alike find nothing") {
  const std::int64_t d = 24, n = 600;
  std::vector<float> a = normal_rows(n, d, 1), b = a, noise = normal_rows(n, d, 2, 0.9);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = 3 * (b[i] + noise[i]);
  auto ranks = partner_ranks(table_of_rows(a, d), table_of_rows(b, d));
  auto plain = [&](std::int64_t query) {
    auto cosine = [&](std::int64_t j) {
      double dot = 0, square = 0;
      for (std::int64_t c = 0; c < d; ++c) {
        double y = double(b[std::size_t(j * d + c)]);
        dot += double(a[std::size_t(query * d + c)]) * y;
        square += y * y;
      }
      return dot / std::sqrt(square);
    };
    std::int64_t before = 0;
    for (std::int64_t j = 0; j < n; ++j) before += j != query && cosine(j) >= cosine(query);
    return before;
  };
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < n; ++i) wrong += plain(i) != ranks[std::size_t(i)];
  CHECK(wrong == 0);
  fmt::print("summary: retrieval at 1, 5, 10: {:.3f}, {:.3f}, {:.3f}\n", recall_at(ranks, 1),
             recall_at(ranks, 5), recall_at(ranks, 10));
  CHECK(recall_at(ranks, 1) < recall_at(ranks, 5));
  CHECK(recall_at(partner_ranks(table_of_rows(a, d), table_of_rows(a, d)), 1) == 1);
  std::vector<float> alike(std::size_t(n * d), 0.5f);
  CHECK(recall_at(partner_ranks(table_of_rows(a, d), table_of_rows(alike, d)), 10) == 0);
  CHECK_THROWS_AS(partner_ranks(table_of_rows(a, d), table_of_rows(std::span(b).first(24), d)),
                  Error);
}
