// Baselines from counts and covariances: closed forms, and the known figures of Fashion-MNIST.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "eval/covariance_baselines.h"
#include "eval/histograms.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

TEST_CASE("the best linear denoiser of white data has the closed form") {
  // D6 of a variance c^2 = 0.25 of data 2x - 1, so 1/16 of x.
  Moments white{100, {0.5, 0.5}, {0.0625, 0, 0, 0.0625}};
  WienerLosses found = wiener_losses(wiener_filter(white, 2));
  CHECK(found.linear_epsilon == testing::near(0.173053, 1e-5));
  CHECK(found.cosine_epsilon == testing::near(0.327653, 1e-5));
  CHECK(found.linear_v == testing::near(0.379790, 1e-5));
  CHECK(found.cosine_v == testing::near(0.495740, 1e-5));
  white.sigma = {0.25, 0, 0, 0.25};
  CHECK(wiener_losses(wiener_filter(white, 2)).linear_v == testing::near(1, 1e-12));
  // A Gaussian's bits at itself: its entropy in steps.
  double deviation = 0.5 * 255;
  double bits =
      0.5 * std::log2(2 * std::numbers::pi * std::numbers::e * (deviation * deviation + 1.0 / 12));
  Moments many{1000000000, white.mu, white.sigma};
  CHECK(gaussian_bits(many, many) == testing::near(bits, 1e-8));
}

TEST_CASE("histograms count levels, places and neighbours") {
  // 2x2 pictures of level 0 or 255: the left column is free, the right one repeats it.
  std::vector<float> rows;
  RandomStream random(1, stream_of("counting_test"));
  for (int i = 0; i < 20000; ++i) {
    for (int line = 0; line < 2; ++line) {
      float level = random.uniform() < 0.5 ? 1.0f : 0.0f;
      rows.insert(rows.end(), {level, level});
    }
  }
  Table table = table_of_rows(rows, 4);
  HistogramBits bits = histogram_bits(table, table, 2, 1);
  CHECK(bits.whole == testing::near(1, 0.01));
  CHECK(bits.place == testing::near(1, 0.03));
  // Left column: its left neighbour is outside, as 0; a right one of level 255 is known.
  CHECK(bits.context < 0.95);
  CHECK_THROWS_AS(histogram_bits(table, table, 3, 1), Error);
}

TEST_CASE("baselines of Fashion-MNIST by counts and covariance are the known ones") {
  if (!has_fashion("histograms and Wiener losses of Fashion-MNIST")) return;
  Dataset train = read_fashion("train"), test = read_fashion("t10k");
  PixelReader train_pixels(train), test_pixels(test);
  std::vector<std::int64_t> all = all_of(train), test_rows = all_of(test);
  Table judged = table_of(test_pixels, test_rows);
  Table fitted = table_of(train_pixels, all);
  HistogramBits bits = histogram_bits(fitted, judged, 28, 1);
  Moments moments = moments_of(fitted);
  WienerLosses wiener = wiener_losses(wiener_filter(moments, 2));
  double gaussian = gaussian_bits(moments, moments_of(judged));
  fmt::print(
      "summary: Fashion-MNIST bits/dim: histogram {:.3f}, per place {:.3f}, by neighbours {:.3f}, "
      "Gaussian {:.3f}; Wiener noise {:.5f} linear, {:.5f} cosine\n",
      bits.whole, bits.place, bits.context, gaussian, wiener.linear_epsilon, wiener.cosine_epsilon);
  CHECK(std::abs(bits.whole - 4.917) < 0.001);
  CHECK(std::abs(bits.place - 4.588) < 0.02);
  CHECK(std::abs(bits.context - 3.511) < 0.01);
  CHECK(std::abs(gaussian - 6.461) < 0.002);
  CHECK(std::abs(wiener.linear_epsilon - 0.08695) < 2e-5);
  CHECK(std::abs(wiener.cosine_epsilon - 0.16611) < 2e-5);
}
