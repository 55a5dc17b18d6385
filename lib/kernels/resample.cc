// Antialiased separable resampling by Pillow's rules: the filter widens when shrinking, weights
// are 22-bit fixed point, each pass rounds and clips to u8.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernels.h"

namespace atelier {
namespace {

constexpr int kBits = 22;

double sinc(double x) { return x == 0 ? 1 : std::sin(M_PI * x) / (M_PI * x); }

double weight(Filter filter, double x) {
  double a = std::abs(x);
  switch (filter) {
    case Filter::box:
      return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::bilinear:
      return a < 1 ? 1 - a : 0;
    case Filter::bicubic:
      if (a < 1) return (1.5 * a - 2.5) * a * a + 1;
      if (a < 2) return ((-0.5 * a + 2.5) * a - 4) * a + 2;
      return 0;
    case Filter::lanczos:
      return a < 3 ? sinc(x) * sinc(x / 3) : 0;
    case Filter::nearest:
      return 0;
  }
  return 0;
}

double support(Filter filter) {
  switch (filter) {
    case Filter::box:
      return 0.5;
    case Filter::bilinear:
      return 1;
    case Filter::bicubic:
      return 2;
    default:
      return 3;
  }
}

// Weights of the inputs [first, first + w.size()) of one output.
struct Taps {
  std::int64_t first;
  std::vector<std::int32_t> w;
};

std::vector<Taps> taps_of(std::int64_t out, std::int64_t in, Filter filter) {
  double scale = double(in) / double(out), stretch = std::max(scale, 1.0),
         reach = support(filter) * stretch;
  std::vector<Taps> taps;
  for (std::int64_t i = 0; i < out; ++i) {
    double centre = (double(i) + 0.5) * scale;
    auto first = std::max<std::int64_t>(0, std::int64_t(centre - reach + 0.5));
    auto last = std::min<std::int64_t>(in, std::int64_t(centre + reach + 0.5));
    std::vector<double> w;
    double total = 0;
    for (std::int64_t k = first; k < last; ++k) {
      w.push_back(weight(filter, (double(k) - centre + 0.5) / stretch));
      total += w.back();
    }
    Taps t{first, {}};
    for (double v : w) {
      double scaled = v / (total != 0 ? total : 1) * (1 << kBits);
      t.w.push_back(std::int32_t(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
    taps.push_back(std::move(t));
  }
  return taps;
}

std::uint8_t clip(std::int64_t sum) {
  return std::uint8_t(std::clamp<std::int64_t>(sum >> kBits, 0, 255));
}

// out[i] = sum of taps along an axis of `count` lines with the given strides.
void pass(std::uint8_t* out, const std::uint8_t* in, const std::vector<Taps>& taps,
          std::int64_t in_step, std::int64_t out_step, std::int64_t lines, std::int64_t in_line,
          std::int64_t out_line, std::int64_t channels) {
  for (std::int64_t line = 0; line < lines; ++line) {
    for (std::size_t i = 0; i < taps.size(); ++i) {
      for (std::int64_t c = 0; c < channels; ++c) {
        std::int64_t sum = std::int64_t{1} << (kBits - 1);
        const std::uint8_t* from = in + line * in_line + taps[i].first * in_step + c;
        for (std::size_t k = 0; k < taps[i].w.size(); ++k)
          sum += std::int64_t(from[std::int64_t(k) * in_step]) * taps[i].w[k];
        out[line * out_line + std::int64_t(i) * out_step + c] = clip(sum);
      }
    }
  }
}

}  // namespace

void resample(std::uint8_t* out, std::int64_t out_height, std::int64_t out_width,
              const std::uint8_t* in, std::int64_t height, std::int64_t width,
              std::int64_t channels, Filter filter) {
  if (filter == Filter::nearest) {
    for (std::int64_t y = 0; y < out_height; ++y) {
      auto from_y = std::min<std::int64_t>(
          height - 1, std::int64_t((double(y) + 0.5) * double(height) / double(out_height)));
      for (std::int64_t x = 0; x < out_width; ++x) {
        auto from_x = std::min<std::int64_t>(
            width - 1, std::int64_t((double(x) + 0.5) * double(width) / double(out_width)));
        std::copy_n(in + (from_y * width + from_x) * channels, channels,
                    out + (y * out_width + x) * channels);
      }
    }
    return;
  }
  // A pass along an axis that keeps its size is left out, as Pillow does.
  const std::uint8_t* rows = in;
  std::vector<std::uint8_t> middle;
  if (out_width != width) {
    middle.resize(std::size_t(height * out_width * channels));
    pass(middle.data(), in, taps_of(out_width, width, filter), channels, channels, height,
         width * channels, out_width * channels, channels);
    rows = middle.data();
  }
  if (out_height != height) {
    pass(out, rows, taps_of(out_height, height, filter), out_width * channels, out_width * channels,
         out_width, channels, channels, channels);
  } else {
    std::copy_n(rows, height * out_width * channels, out);
  }
}

}  // namespace atelier
