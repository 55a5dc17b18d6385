// Judging generators: kernel distance, precision and its kin, class scores, copies; G4 to G7.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/class_scores.h"
#include "eval/fidelity.h"
#include "eval/kernel_distance.h"
#include "eval/memorization.h"
#include "eval/neighbors.h"
#include "eval/probes.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

std::vector<float> joined(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

double kernel(const float* x, const float* y, std::int64_t d) {
  double dot = 0;
  for (std::int64_t i = 0; i < d; ++i) dot += double(x[i]) * double(y[i]);
  return std::pow(dot / double(d) + 1, 3);
}

}  // namespace

TEST_CASE("G4: the kernel distance of one distribution is 0 on average, of two it is the formula") {
  const std::int64_t d = 12, n = 1000, splits = 40;
  double mean = 0, squares = 0, stated = 0;
  for (std::uint64_t s = 0; s < splits; ++s) {
    std::vector<float> a = normal_rows(n, d, 2 * s), b = normal_rows(n, d, 2 * s + 1);
    KernelDistance found = kernel_distance(table_of_rows(a, d), table_of_rows(b, d));
    CHECK(found.subsets == 10);
    CHECK(found.rows == 100);
    mean += found.mean / splits;
    squares += found.mean * found.mean / splits;
    stated += found.standard_error / splits;
  }
  double error = std::sqrt((squares - mean * mean) / (splits - 1)), spread = std::sqrt(squares);
  fmt::print(
      "summary: G4 kernel distance of one Gaussian: {:.5f} on average of {} splits, standard error "
      "{:.5f}; of one split stated {:.5f}, found {:.5f}\n",
      mean, splits, error, stated, spread);
  CHECK(std::abs(mean) < 3 * error);
  CHECK(std::abs(stated / spread - 1) < 0.4);

  // Two rows a subset: each by hand.
  std::vector<float> a = normal_rows(4, d, 1), b = normal_rows(4, d, 2, 1, 1);
  KernelDistance few = kernel_distance(table_of_rows(a, d), table_of_rows(b, d));
  CHECK(few.subsets == 2);
  double pairs = 0;
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t j = 0; j < 4; ++j) {
      if (i != j)
        pairs += (kernel(&a[std::size_t(i * d)], &a[std::size_t(j * d)], d) +
                  kernel(&b[std::size_t(i * d)], &b[std::size_t(j * d)], d)) /
                 12;
      pairs -= 2 * kernel(&a[std::size_t(i * d)], &b[std::size_t(j * d)], d) / 16;
    }
  }
  CHECK(std::abs(few.mean - pairs) < 6 * few.standard_error);
  std::vector<float> far = normal_rows(n, d, 3, 1, 0.5), near = normal_rows(n, d, 4);
  KernelDistance apart = kernel_distance(table_of_rows(near, d), table_of_rows(far, d));
  CHECK(apart.mean > 20 * apart.standard_error);
  CHECK_THROWS_AS(kernel_distance(table_of_rows(std::span(a).first(3 * d), d), table_of_rows(b, d)),
                  Error);
}

TEST_CASE("G5: equal sets have precision, recall, density and coverage 1, far ones 0") {
  const std::int64_t d = 7, n = 700;
  std::vector<float> a = normal_rows(n, d, 1), far = normal_rows(n, d, 2, 1, 1000);
  Fidelity same = fidelity(table_of_rows(a, d), table_of_rows(a, d));
  CHECK(same.precision == 1);
  CHECK(same.recall == 1);
  CHECK(same.density == 1);
  CHECK(same.coverage == 1);
  Fidelity apart = fidelity(table_of_rows(a, d), table_of_rows(far, d));
  CHECK(apart.precision == 0);
  CHECK(apart.recall == 0);
  CHECK(apart.density == 0);
  CHECK(apart.coverage == 0);
  // Half of the modes missing: recall and coverage halve, precision stays.
  std::vector<float> real = joined(a, far), half = normal_rows(n, d, 3);
  Fidelity dropped = fidelity(table_of_rows(real, d), table_of_rows(half, d));
  fmt::print(
      "summary: G5 half of the modes dropped: precision {:.3f}, recall {:.3f}, density {:.3f}, "
      "coverage {:.3f}\n",
      dropped.precision, dropped.recall, dropped.density, dropped.coverage);
  CHECK(dropped.precision > 0.8);
  CHECK(std::abs(dropped.recall - 0.45) < 0.1);
  CHECK(std::abs(dropped.density - 1) < 0.15);
  CHECK(std::abs(dropped.coverage - 0.48) < 0.1);
  std::vector<float> few = normal_rows(5, d, 9);
  CHECK_THROWS_WITH_AS(fidelity(table_of_rows(few, d), table_of_rows(a, d)),
                       "nearest neighbours: expected at least 6 rows, found 5", Error);
}

TEST_CASE("nearest neighbours are those of a plain search, by any team") {
  const std::int64_t d = 33, n = 1300, k = 4;
  // Far from the origin, where products in f32 alone would be wrong.
  std::vector<float> a = normal_rows(600, d, 1, 0.01, 100), b = normal_rows(n, d, 2, 0.01, 100);
  std::copy_n(b.begin() + 77 * d, d, a.begin() + 5 * d);
  set_threads(1);
  Neighbors alone = nearest(table_of_rows(a, d), table_of_rows(b, d), k);
  set_threads(3);
  Neighbors found = nearest(table_of_rows(a, d), table_of_rows(b, d), k);
  set_threads(0);
  CHECK(alone.index == found.index);
  CHECK(alone.square == found.square);
  CHECK(found.index[5 * k] == 77);
  CHECK(found.square[5 * k] == 0);
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < 600; ++i) {
    std::vector<std::pair<double, std::int64_t>> all;
    for (std::int64_t j = 0; j < n; ++j) {
      double square = 0;
      for (std::int64_t c = 0; c < d; ++c) {
        double apart = double(a[std::size_t(i * d + c)]) - double(b[std::size_t(j * d + c)]);
        square += apart * apart;
      }
      all.emplace_back(square, j);
    }
    std::partial_sort(all.begin(), all.begin() + k, all.end());
    for (std::int64_t m = 0; m < k; ++m)
      wrong += all[std::size_t(m)].second != found.index[std::size_t(i * k + m)];
  }
  CHECK(wrong == 0);
}

TEST_CASE(
    "G6: the class score of evenly spread sure rows is the number of classes, of equal rows 1") {
  std::vector<float> sure, equal;
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 70; ++i) {
    for (int c = 0; c < 7; ++c) {
      sure.push_back(i % 7 == c ? 1.0f : 0.0f);
      equal.push_back(float(c + 1) / 28.0f);
    }
    labels.push_back(i % 7);
  }
  CHECK(class_score(sure, 7) == testing::near(7, 1e-6));
  CHECK(class_score(equal, 7) == testing::near(1, 1e-6));
  CHECK(class_accuracy(sure, 7, labels) == 1);
  CHECK(class_accuracy(equal, 7, labels) == testing::near(1.0 / 7));
  labels[3] = 7;
  CHECK_THROWS_WITH_AS(class_accuracy(sure, 7, labels),
                       "class scores: label 7 of row 3, but there are 7 classes", Error);
  std::vector<float> logits{0, std::log(3.0f), 1000, 1000};
  to_probabilities(logits, 2);
  CHECK(logits[1] == testing::near(0.75));
  CHECK(logits[3] == 0.5f);
  fmt::print("summary: G6 class score: {:.9f} of 7, {:.9f} of 1\n", class_score(sure, 7),
             class_score(equal, 7));
}

TEST_CASE("G7: a classifier's accuracy on real test pictures stands beside that on others") {
  if (!has_fashion("accuracy of a classifier of Fashion-MNIST")) return;
  Dataset train = read_fashion("train", 6000), test = read_fashion("t10k", 2000);
  std::vector<float> train_rows = rows_of(train), test_rows = rows_of(test);
  const std::int64_t d = 784;
  LinearProbe probe = fit_ridge({table_of_rows(train_rows, d), train.labels}, 100);
  auto accuracy = [&](const std::vector<float>& rows) {
    return agreement(predict(probe, table_of_rows(rows, d)), test.labels);
  };
  std::vector<float> noised = test_rows, noise = normal_rows(2000, d, 1, 0.5);
  for (std::size_t i = 0; i < noised.size(); ++i) noised[i] += noise[i];
  double real = accuracy(test_rows), worse = accuracy(noised);
  fmt::print("summary: G7 ridge classifier: {:.3f} of real test pictures, {:.3f} of noised ones\n",
             real, worse);
  CHECK(real > 0.75);
  CHECK(worse < real - 0.05);
}

TEST_CASE("copies are told from pictures that are merely like the training pictures") {
  const std::int64_t d = 10, n = 1500;
  std::vector<float> training = normal_rows(n, d, 1), unseen = normal_rows(n, d, 2),
                     honest = normal_rows(n, d, 3);
  Table real = table_of_rows(training, d), held = table_of_rows(unseen, d), none{0, d, {}};
  Memorization good = memorization(real, table_of_rows(honest, d), held);
  CHECK(std::abs(good.z) < 3);
  CHECK(good.copies < 0.03);
  CHECK(good.exact == 0);
  CHECK(good.nearest == testing::near(good.reference, 0.05));
  Memorization alone = memorization(real, table_of_rows(honest, d), none);
  CHECK(std::abs(alone.z) < 3);
  // One in five copied, half of these to the number.
  std::vector<float> copied = honest;
  for (std::int64_t i = 0; i < n / 5; ++i) {
    for (std::int64_t c = 0; c < d; ++c)
      copied[std::size_t(i * d + c)] =
          training[std::size_t((i + 700) % n * d + c)] + (i % 2 ? 0.01f : 0.0f);
  }
  Memorization bad = memorization(real, table_of_rows(copied, d), held);
  CHECK(bad.z > 3);
  CHECK(std::abs(bad.copies - 0.208) < 0.01);
  CHECK(bad.reference_copies == testing::near(0.01));
  CHECK(bad.exact == n / 10);
  CHECK(bad.order[0] == 0);
  CHECK(bad.matches[0] == 700);
  fmt::print(
      "summary: copies: honest z {:.2f}, {:.3f} near; one in five copied: z {:.2f}, {:.3f} near, "
      "{} exact\n",
      good.z, good.copies, bad.z, bad.copies, bad.exact);
}
