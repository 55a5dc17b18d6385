// Denoisers without learning: the best linear one, and the best of all for toys.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "data/dataset.h"
#include "eval/covariance_baselines.h"
#include "eval/support.h"
#include "eval/toy_noise.h"
#include "support/near.h"

using namespace atelier;

namespace {

// Two columns that go together, with another covariance and mean for each set.
std::vector<float> plane(std::int64_t rows, std::uint64_t seed, double slope, double shift) {
  std::vector<float> values = normal_rows(rows, 2, seed);
  for (std::size_t i = 0; i < values.size(); i += 2) {
    values[i] += float(shift);
    values[i + 1] = float(slope * double(values[i]) + 0.3 * double(values[i + 1]));
  }
  return values;
}

// Mean square error in v of the filter in the plane, measured: the prediction of the clean data is
// mu + S s (s^2 S + n^2)^-1 (x - s mu), and v is off by 1 / n of what the clean data are off by. S
// goes by the share `shrinkage` towards the identity times its mean variance.
double measured_v_error(const Moments& fitted, std::span<const float> rows, double scale, double a,
                        double shrinkage, int draws) {
  double s = std::sqrt(a), n2 = 1 - a, total = 0;
  double mean = (fitted.sigma[0] + fitted.sigma[3]) / 2, kept = scale * scale * (1 - shrinkage);
  double xx = kept * fitted.sigma[0] + scale * scale * shrinkage * mean,
         xy = kept * fitted.sigma[1],
         yy = kept * fitted.sigma[3] + scale * scale * shrinkage * mean;
  double p = a * xx + n2, q = a * xy, r = a * yy + n2, det = p * r - q * q;
  RandomStream random(1, stream_of("denoisers_test"));
  for (int draw = 0; draw < draws; ++draw) {
    for (std::size_t i = 0; i < rows.size(); i += 2) {
      double x = scale * (double(rows[i]) - fitted.mu[0]);
      double y = scale * (double(rows[i + 1]) - fitted.mu[1]);
      double u = s * x + std::sqrt(n2) * random.normal();
      double w = s * y + std::sqrt(n2) * random.normal();
      double cu = (r * u - q * w) / det, cw = (p * w - q * u) / det;
      double dx = s * (xx * cu + xy * cw) - x, dy = s * (xy * cu + yy * cw) - y;
      total += (dx * dx + dy * dy) / 2;
    }
  }
  return total / (double(rows.size() / 2) * draws) / n2;
}

Toy ring() {
  ReadOptions options;
  options.real = true;
  options.synthetic = "ring";
  options.synthetic_radius = 1;
  options.synthetic_std = 0.1;
  return make_toy(options);
}

// log of the density of noised points of the toy, up to a constant.
double log_density(const Toy& toy, double x, double y, double a, std::int32_t mode) {
  double spread = a * toy.std * toy.std + 1 - a, sum = 0;
  for (std::size_t k = 0; k < toy.centres.size(); ++k) {
    if (mode >= 0 && k != std::size_t(mode)) continue;
    double dx = x - std::sqrt(a) * toy.centres[k][0], dy = y - std::sqrt(a) * toy.centres[k][1];
    sum += std::exp(-(dx * dx + dy * dy) / (2 * spread));
  }
  return std::log(sum);
}

}  // namespace

TEST_CASE("the error of a Wiener filter is what it measures, on its own data and on others") {
  std::vector<float> own = plane(2000, 1, 0.8, 0.5), others = plane(2000, 2, -0.4, -0.2);
  Moments fitted = moments_of(table_of_rows(own, 2)), judged = moments_of(table_of_rows(others, 2));
  WienerFilter same = wiener_filter(fitted, 2), both = wiener_filter(fitted, fitted, 2);
  WienerFilter apart = wiener_filter(fitted, judged, 2);
  double worst = 0;
  for (double a : {0.999, 0.5, 0.02}) {
    CHECK(both.v_error(a) == testing::near(same.v_error(a), 2e-3));  // count - 1, count
    for (auto& [filter, rows] : {std::pair(&both, &own), std::pair(&apart, &others)}) {
      for (double shrinkage : {0.0, 0.3}) {
        double measured = measured_v_error(fitted, *rows, 2, a, shrinkage, 50);
        CHECK(filter->v_error(a, shrinkage) == testing::near(measured, 0.01));
        worst = std::max(worst, std::abs(filter->v_error(a, shrinkage) / measured - 1));
      }
      CHECK(filter->v_error(a) <= filter->v_error(a, 0.3));
    }
    CHECK(both.v_error(a) == testing::near(both.v_error(a, 0), 1e-6));
    CHECK(apart.v_error(a) > wiener_filter(judged, 2).v_error(a));
  }
  fmt::print("summary: Wiener filter: {:.4f} of its error off what it measures\n", worst);
}

TEST_CASE("a Wiener filter of fewer rows than numbers is that of their covariance") {
  double worst = 0;
  for (std::int64_t rows : {2, 3, 39}) {
    const std::int64_t columns = 40;
    std::vector<float> own = normal_rows(rows, columns, 3), others = normal_rows(50, columns, 4);
    for (std::size_t i = 0; i < others.size(); ++i) {  // some numbers vary little, some hardly
      float width = std::pow(0.7f, float(i % columns));
      others[i] = 1 + width * others[i];
      if (i < own.size()) own[i] = 2 + width * own[i];
    }
    Table fitted = table_of_rows(own, columns), judged = table_of_rows(others, columns);
    WienerFilter few = wiener_filter(fitted, judged, 2);
    WienerFilter whole = wiener_filter(moments_of(fitted), moments_of(judged), 2);
    REQUIRE(few.fitted.size() == std::size_t(columns));
    for (double a : {0.9999, 0.9, 0.5, 0.001})
      worst = std::max(worst, std::abs(few.v_error(a) / whole.v_error(a) - 1));
  }
  CHECK(worst < 1e-8);
  // Of rows that repeat there are fewer directions still.
  std::vector<float> rows = normal_rows(3, 8, 5), twice = rows;
  twice.insert(twice.end(), rows.begin(), rows.end());
  Table repeated = table_of_rows(twice, 8);
  Moments moments = moments_of(repeated);
  CHECK(wiener_filter(repeated, repeated, 2).v_error(0.5) ==
        testing::near(wiener_filter(moments, moments, 2).v_error(0.5), 1e-8));
  Table one = table_of_rows(std::span(rows).first(8), 8);
  CHECK_THROWS_WITH_AS(wiener_filter(one, repeated, 2),
                       "Wiener filter: expected 2 rows to fit to and one to judge, found 1, 6",
                       Error);
  fmt::print("summary: Wiener filter of few rows: {:.1e} of its error off that of moments\n",
             worst);
}

TEST_CASE("few rows give nearly the bar of many") {
  const std::int64_t columns = 60;
  std::string said;
  // Numbers that all vary alike, and such as vary less and less, the last not at all.
  for (float fall : {1.0f, 0.8f}) {
    std::vector<double> widths, truth;
    for (std::int64_t j = 0; j < columns; ++j) {
      double width = j < columns - 5 ? std::pow(double(fall), double(j)) : 0;
      widths.push_back(width);
      truth.push_back(width * width);
    }
    auto rows_of = [&](std::int64_t rows, std::uint64_t seed) {
      std::vector<float> values = normal_rows(rows, columns, seed);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] *= float(widths[i % columns]);
      return values;
    };
    std::vector<float> others = rows_of(4000, 1);
    WienerLosses best = wiener_losses(WienerFilter{truth, truth});
    for (std::int64_t rows : {10, 59, 70, 3000}) {
      std::vector<float> own = rows_of(rows, std::uint64_t(rows));
      WienerFilter filter =
          wiener_filter(table_of_rows(own, columns), table_of_rows(others, columns), 1);
      WienerLosses found = wiener_losses(filter);
      double off = found.linear_epsilon / best.linear_epsilon - 1;
      CHECK(off > -0.02);  // of the rows judged
      CHECK(off < (rows == 10 ? 1.5 : rows == 3000 ? 0.01 : 0.1));
      // In the noise, of which predicting 0 is off by 1, at the first timestep.
      CHECK(0.9999 * filter.v_error(0.9999) < 1.001);
      said += fmt::format(" {:.3f}", off);
    }
  }
  fmt::print("summary: Wiener filter of 10, 59, 70, 3000 rows of 60 numbers, above the best by{}\n",
             said);
}

TEST_CASE("the noise expected of a toy is its score") {
  Toy toy = ring();
  double worst = 0;
  for (double a : {0.9999, 0.9, 0.3, 0.0001}) {
    for (std::int32_t mode : {-1, 3}) {
      for (auto place : {std::pair(0.9, 0.1), std::pair(-0.4, 0.6), std::pair(0.0, 0.02)}) {
        const double h = 1e-6, x = place.first, y = place.second;
        auto slope = [&](double dx, double dy) {
          return (log_density(toy, x + dx, y + dy, a, mode) -
                  log_density(toy, x - dx, y - dy, a, mode)) /
                 (2 * h);
        };
        auto noise = expected_noise(toy, {x, y}, a, mode);
        double n = std::sqrt(1 - a);
        for (double off : {noise[0] + n * slope(h, 0), noise[1] + n * slope(0, h)})
          worst = std::max(worst, std::abs(off));
      }
    }
  }
  CHECK(worst < 1e-6);
  std::vector<float> noised{0.5f, 0.2f};
  auto best = expected_noise(toy, {0.5, double(0.2f)}, 0.5);
  std::vector<float> said{float(best[0]) + 0.3f, float(best[1]) - 0.1f};
  CHECK(excess_noise_error(toy, noised, said, 0.5) == testing::near(0.05, 1e-5));
  fmt::print("summary: expected noise of a ring: {:.1e} off its score by differences\n", worst);
}
