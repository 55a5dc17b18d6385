// Structural similarity by two passes of a separable window, in double.
#include "eval/picture_quality.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"

namespace atelier {
namespace {

constexpr std::int64_t kWindow = 11;
constexpr double kSigma = 1.5;
constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;  // of a range of 1

std::vector<double> window_of(std::int64_t side) {
  std::int64_t size = std::min(kWindow, side % 2 ? side : side - 1);
  std::vector<double> weights;
  double total = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    double x = double(i - size / 2);
    weights.push_back(std::exp(-x * x / (2 * kSigma * kSigma)));
    total += weights.back();
  }
  for (double& w : weights) w /= total;
  return weights;
}

struct Plane {
  std::int64_t height = 0, width = 0;
  std::vector<double> values;
};

// Weighted means where the window lies inside.
Plane blur(const Plane& x, const std::vector<double>& down, const std::vector<double>& across) {
  std::int64_t m = std::int64_t(across.size()), n = std::int64_t(down.size());
  Plane rows{x.height, x.width - m + 1, {}};
  for (std::int64_t i = 0; i < rows.height; ++i) {
    for (std::int64_t j = 0; j < rows.width; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < m; ++k)
        sum += across[std::size_t(k)] * x.values[std::size_t(i * x.width + j + k)];
      rows.values.push_back(sum);
    }
  }
  Plane y{x.height - n + 1, rows.width, {}};
  for (std::int64_t i = 0; i < y.height; ++i) {
    for (std::int64_t j = 0; j < y.width; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < n; ++k)
        sum += down[std::size_t(k)] * rows.values[std::size_t((i + k) * rows.width + j)];
      y.values.push_back(sum);
    }
  }
  return y;
}

}  // namespace

double squared_error(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size() || a.empty()) throw Error("squared error: pictures of different sizes");
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double apart = double(a[i]) - double(b[i]);
    sum += apart * apart;
  }
  return sum / double(a.size());
}

double psnr(double squared_error) {
  if (squared_error <= 0) return std::numeric_limits<double>::infinity();
  return -10 * std::log10(squared_error);
}

double ssim(std::span<const float> a, std::span<const float> b, const PictureShape& shape) {
  std::size_t size = std::size_t(shape.height * shape.width * shape.channels);
  if (size == 0 || a.size() != size || b.size() != size) {
    throw Error("structural similarity: pictures of different sizes");
  }
  std::vector<double> down = window_of(shape.height), across = window_of(shape.width);
  double total = 0;
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    auto plane = [&](auto value) {
      Plane p{shape.height, shape.width, {}};
      for (std::size_t i = std::size_t(c); i < size; i += std::size_t(shape.channels))
        p.values.push_back(value(double(a[i]), double(b[i])));
      return blur(p, down, across);
    };
    Plane mu_a = plane([](double x, double) { return x; });
    Plane mu_b = plane([](double, double y) { return y; });
    Plane aa = plane([](double x, double) { return x * x; });
    Plane bb = plane([](double, double y) { return y * y; });
    Plane ab = plane([](double x, double y) { return x * y; });
    double sum = 0;
    for (std::size_t i = 0; i < aa.values.size(); ++i) {
      double x = mu_a.values[i], y = mu_b.values[i];
      double var_a = aa.values[i] - x * x, var_b = bb.values[i] - y * y;
      double together = ab.values[i] - x * y;
      sum += (2 * x * y + kC1) * (2 * together + kC2) /
             ((x * x + y * y + kC1) * (var_a + var_b + kC2));
    }
    total += sum / double(aa.values.size());
  }
  return total / double(shape.channels);
}

}  // namespace atelier
