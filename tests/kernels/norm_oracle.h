// Normalisation in double precision, one definition for layer, group and batch norm: elements
// belong to a group (which shares moments) and to a channel (which shares scale and shift).
#pragma once

#include <cmath>
#include <functional>
#include <vector>

#include "kernels/everywhere.h"

namespace atelier::test {

// A value and the sum of the magnitudes it was made of, which rounding errors are relative to.
struct Sum {
  double value = 0, magnitude = 0;
  void add(double v, double m) {
    value += v;
    magnitude += m;
  }
};
using Sums = std::vector<Sum>;

struct NormShape {
  std::int64_t count, groups, channels;
  std::function<std::int64_t(std::int64_t)> group, channel;  // of an element
  std::int64_t size() const { return count / groups; }       // of a group
};

inline NormShape layer_shape(std::int64_t rows, std::int64_t width) {
  return {rows * width, rows, width, [width](std::int64_t i) { return i / width; },
          [width](std::int64_t i) { return i % width; }};
}
inline NormShape batch_shape(std::int64_t rows, std::int64_t channels) {
  const auto channel = [channels](std::int64_t i) { return i % channels; };
  return {rows * channels, channels, channels, channel, channel};
}
inline NormShape group_shape(std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                             std::int64_t groups) {
  return {batch * pixels * channels, batch * groups, channels,
          [=](std::int64_t i) {
            return i / (pixels * channels) * groups + i % channels / (channels / groups);
          },
          [=](std::int64_t i) { return i % channels; }};
}

struct Moments {
  Sums mean, variance, rstd;
};
inline Moments moments_of(const NormShape& s, const Floats& x, double eps) {
  Moments m{Sums(std::size_t(s.groups)), Sums(std::size_t(s.groups)), Sums(std::size_t(s.groups))};
  const double n = double(s.size());
  for (std::int64_t i = 0; i < s.count; ++i) {
    const double v = double(x[std::size_t(i)]);
    m.mean[std::size_t(s.group(i))].add(v / n, std::abs(v) / n);
  }
  for (std::int64_t i = 0; i < s.count; ++i) {
    const auto g = std::size_t(s.group(i));
    const double v = double(x[std::size_t(i)]), d = v - m.mean[g].value;
    const double lost = std::abs(v) + m.mean[g].magnitude;  // what the difference is exact to
    m.variance[g].add(d * d / n, (d * d + 2 * std::abs(d) * lost) / n);
  }
  for (std::size_t g = 0; g < m.rstd.size(); ++g) {
    const double r = 1 / std::sqrt(m.variance[g].value + eps);
    m.rstd[g].add(r, r + 0.5 * r * r * r * m.variance[g].magnitude);
  }
  return m;
}

inline Sums normalised(const NormShape& s, const Floats& x, const Moments& m, const Floats& scale,
                       const Floats& shift) {
  Sums y(static_cast<std::size_t>(s.count));
  for (std::int64_t i = 0; i < s.count; ++i) {
    const auto g = std::size_t(s.group(i)), c = std::size_t(s.channel(i));
    const double v = double(x[std::size_t(i)]), d = v - m.mean[g].value;
    const double lost = std::abs(v) + m.mean[g].magnitude;
    const double gain = double(scale[c]), bias = double(shift[c]);
    y[std::size_t(i)] = {
        d * m.rstd[g].value * gain + bias,
        std::abs(gain) * (lost * m.rstd[g].value + std::abs(d) * m.rstd[g].magnitude) +
            std::abs(bias)};
  }
  return y;
}

struct NormGrads {
  Sums dx, dscale, dshift;
};
// From the moments that were given, as the kernels take them.
inline NormGrads norm_grads(const NormShape& s, const Floats& x, const Floats& scale,
                            const std::vector<double>& mean, const std::vector<double>& rstd,
                            const Floats& dy) {
  NormGrads out{Sums(std::size_t(s.count)), Sums(std::size_t(s.channels)),
                Sums(std::size_t(s.channels))};
  Sums a(std::size_t(s.groups)), b(std::size_t(s.groups));
  const double n = double(s.size());
  const auto hat = [&](std::int64_t i) {
    const auto g = std::size_t(s.group(i));
    const double v = double(x[std::size_t(i)]);
    return Sum{(v - mean[g]) * rstd[g], (std::abs(v) + std::abs(mean[g])) * rstd[g]};
  };
  for (std::int64_t i = 0; i < s.count; ++i) {
    const auto g = std::size_t(s.group(i)), c = std::size_t(s.channel(i));
    const Sum h = hat(i);
    const double d = double(dy[std::size_t(i)]), scaled = d * double(scale[c]);
    a[g].add(scaled / n, std::abs(scaled) / n);
    b[g].add(scaled * h.value / n, std::abs(scaled) * h.magnitude / n);
    out.dscale[c].add(d * h.value, std::abs(d) * h.magnitude);
    out.dshift[c].add(d, std::abs(d));
  }
  for (std::int64_t i = 0; i < s.count; ++i) {
    const auto g = std::size_t(s.group(i)), c = std::size_t(s.channel(i));
    const Sum h = hat(i);
    const double scaled = double(dy[std::size_t(i)]) * double(scale[c]);
    out.dx[std::size_t(i)] = {
        rstd[g] * (scaled - a[g].value - h.value * b[g].value),
        rstd[g] * (std::abs(scaled) + a[g].magnitude + h.magnitude * b[g].magnitude)};
  }
  return out;
}

inline void compare(Worst& worst, const Floats& got, const Sums& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    worst.check(double(got[i]), expected[i].value, expected[i].magnitude, 1e-6);
}

}  // namespace atelier::test
