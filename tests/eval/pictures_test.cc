// Picture quality, and pictures drawn from the Gaussian of others.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/frechet.h"
#include "eval/gaussian_control.h"
#include "eval/picture_quality.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

// Structural similarity as the paper writes it, a window at a time.
double plain_ssim(const std::vector<float>& a, const std::vector<float>& b, const PictureShape& s) {
  const std::int64_t n = 11;
  double total = 0, places = 0;
  for (std::int64_t c = 0; c < s.channels; ++c) {
    for (std::int64_t top = 0; top + n <= s.height; ++top) {
      for (std::int64_t left = 0; left + n <= s.width; ++left) {
        double w = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
        for (std::int64_t i = 0; i < n; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            double weight = std::exp(-double((i - 5) * (i - 5) + (j - 5) * (j - 5)) / 4.5);
            std::size_t at = std::size_t(((top + i) * s.width + left + j) * s.channels + c);
            double p = double(a[at]), q = double(b[at]);
            w += weight;
            x += weight * p;
            y += weight * q;
            xx += weight * p * p;
            yy += weight * q * q;
            xy += weight * p * q;
          }
        }
        x /= w;
        y /= w;
        double var_x = xx / w - x * x, var_y = yy / w - y * y, both = xy / w - x * y;
        total += (2 * x * y + 1e-4) * (2 * both + 9e-4) /
                 ((x * x + y * y + 1e-4) * (var_x + var_y + 9e-4));
        places += 1;
      }
    }
  }
  return total / places;
}

std::vector<float> grey(std::size_t count, std::uint64_t seed) {
  RandomStream random(seed, stream_of("pictures_test"));
  std::vector<float> values(count);
  for (float& v : values) v = float(random.uniform());
  return values;
}

}  // namespace

TEST_CASE("structural similarity is the paper's, 1 for equal pictures, and takes small ones") {
  PictureShape shape{19, 14, 3};
  std::vector<float> a = grey(19 * 14 * 3, 1), b = grey(19 * 14 * 3, 2);
  CHECK(ssim(a, b, shape) == testing::near(plain_ssim(a, b, shape), 1e-10));
  CHECK(ssim(a, a, shape) == testing::near(1, 1e-12));
  CHECK(ssim(a, b, shape) == testing::near(ssim(b, a, shape), 1e-12));
  // Constant pictures have the luminance term alone.
  std::vector<float> dark(121, 0.2f), light(121, 0.6f);
  CHECK(ssim(dark, light, {11, 11, 1}) == testing::near((2 * 0.12 + 1e-4) / (0.4 + 1e-4), 1e-6));
  CHECK(ssim(std::span(a).first(8), std::span(a).first(8), {4, 2, 1}) == testing::near(1));
  CHECK_THROWS_AS(ssim(a, std::span(b).first(9), shape), Error);
  CHECK(squared_error(dark, light) == testing::near(0.16, 1e-6));
  CHECK(psnr(0.01) == testing::near(20));
  CHECK(std::isinf(psnr(0)));
}

TEST_CASE("Gaussian pictures have the mean and the covariance of the training rows") {
  const std::int64_t d = 30, n = 1500, drawn = 6000;
  std::vector<float> rows = normal_rows(n, d, 1, 0.05, 0.5);
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (i % std::size_t(d)) rows[i] += 0.6f * (rows[i - 1] - 0.5f);  // columns that go together
  std::vector<float> into(std::size_t(drawn * d));
  draw_gaussian(table_of_rows(rows, d), 7, into);
  Moments real = moments_of(table_of_rows(rows, d)), control = moments_of(table_of_rows(into, d));
  double off = 0, size = 0;
  for (std::size_t i = 0; i < real.sigma.size(); ++i) {
    off += std::pow(real.sigma[i] - control.sigma[i], 2);
    size += std::pow(real.sigma[i], 2);
  }
  double distance = frechet_distance(real, control);
  fmt::print("summary: Gaussian control: covariance off by {:.3f} of itself, Frechet {:.2e}\n",
             std::sqrt(off / size), distance);
  // Expected of so many draws: about sqrt((D_eff + 1) / 6000), and D_eff is below D.
  CHECK(std::sqrt(off / size) < 0.075);
  for (std::size_t j = 0; j < std::size_t(d); ++j)
    CHECK(std::abs(real.mu[j] - control.mu[j]) <
          5 * std::sqrt(real.sigma[j * std::size_t(d + 1)] / drawn));
  // A row is its own, whatever is drawn with it and by how many threads.
  std::vector<float> few(std::size_t(3 * d));
  set_threads(3);
  draw_gaussian(table_of_rows(rows, d), 7, few);
  set_threads(0);
  CHECK(std::memcmp(few.data(), into.data(), few.size() * sizeof(float)) == 0);
  CHECK_THROWS_AS(draw_gaussian(table_of_rows(std::span(rows).first(30), d), 7, few), Error);
}
