// Antialiased separable resampling by Pillow's rules: the filter widens when shrinking, weights
// are 22-bit fixed point, each pass rounds and clips to u8.
#include <vector>

#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#ifndef ATELIER_KERNELS_RESAMPLE_TAPS
#define ATELIER_KERNELS_RESAMPLE_TAPS
namespace atelier {
namespace {

constexpr int kBits = 22;
constexpr std::int64_t kLines = 32;  // of a picture that are turned and weighed at once

// Weights of the inputs [first, first + w.size()) of one output.
struct Taps {
  std::int64_t first;
  std::vector<std::int32_t> w;
};

}  // namespace
}  // namespace atelier
#endif

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using Sum = hn::CappedTag<std::int32_t, 16>;
using Byte = hn::Rebind<std::uint8_t, Sum>;
inline constexpr std::int64_t kSums = std::int64_t(hn::MaxLanes(Sum()));

// Vectors of elements of one output line at once. 32 bits hold the sums, all of them: weights add
// up to 2^22, the negative ones to less than a third of that.
template <int kVectors>
HWY_INLINE void weigh_vectors(std::uint8_t* out, const std::uint8_t* in, std::int64_t line,
                              const std::vector<std::int32_t>& w) {
  hn::Vec<Sum> sum[kVectors];
  ATELIER_UNROLL
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::Set(Sum(), 1 << (kBits - 1));
  for (const std::int32_t weight : w) {
    const auto factor = hn::Set(Sum(), weight);
    ATELIER_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const auto x = hn::PromoteTo(Sum(), hn::LoadU(Byte(), in + v * kSums));
      sum[v] = hn::Add(sum[v], hn::Mul(x, factor));
    }
    in += line;
  }
  ATELIER_UNROLL
  for (int v = 0; v < kVectors; ++v)
    hn::StoreU(hn::DemoteTo(Byte(), hn::ShiftRight<kBits>(sum[v])), Byte(), out + v * kSums);
}

// out = sum of the lines of `in` from taps.first on, `count` elements of each, rounded and clipped.
void weigh(std::uint8_t* out, const std::uint8_t* in, std::int64_t line, std::int64_t count,
           const Taps& taps) {
  in += taps.first * line;
  std::int64_t i = 0;
  for (; i + 4 * kSums <= count; i += 4 * kSums) weigh_vectors<4>(out + i, in + i, line, taps.w);
  for (; i + kSums <= count; i += kSums) weigh_vectors<1>(out + i, in + i, line, taps.w);
  if (i < count && count >= kSums) {  // the last ones again, with some before them
    i = count - kSums;
    return weigh_vectors<1>(out + i, in + i, line, taps.w);
  }
  for (; i < count; ++i) {
    std::int32_t sum = 1 << (kBits - 1);
    for (std::size_t k = 0; k < taps.w.size(); ++k)
      sum += std::int32_t(in[std::int64_t(k) * line + i]) * taps.w[k];
    out[i] = std::uint8_t(std::clamp(sum >> kBits, 0, 255));
  }
}

// `lines` x `columns` pixels to `columns` x `lines`; steps are of bytes. Three bytes are moved as
// four where the next pixel of the line will overwrite the fourth.
template <int kChannels>
void turn_of(std::uint8_t* out, std::int64_t out_step, const std::uint8_t* in, std::int64_t in_step,
             std::int64_t lines, std::int64_t columns, std::int64_t channels) {
  const auto size = std::size_t(kChannels ? kChannels : channels);
  const std::size_t move = kChannels == 3 ? 4 : size;
  for (std::int64_t x = 0; x < columns; ++x, in += size, out += out_step) {
    const std::uint8_t* from = in;
    std::uint8_t* to = out;
    for (std::int64_t y = 1; y < lines; ++y, from += in_step, to += size)
      std::memcpy(to, from, move);
    std::memcpy(to, from, size);
  }
}
void turn(std::uint8_t* out, std::int64_t out_step, const std::uint8_t* in, std::int64_t in_step,
          std::int64_t lines, std::int64_t columns, std::int64_t channels) {
  switch (channels) {
    case 1:
      return turn_of<1>(out, out_step, in, in_step, lines, columns, channels);
    case 3:
      return turn_of<3>(out, out_step, in, in_step, lines, columns, channels);
    case 4:
      return turn_of<4>(out, out_step, in, in_step, lines, columns, channels);
    default:
      return turn_of<0>(out, out_step, in, in_step, lines, columns, channels);
  }
}

}  // namespace

// [H, .., C] of `line` elements a line to taps.size() lines.
void resample_height(std::uint8_t* out, const std::uint8_t* in, std::int64_t line,
                     const std::vector<Taps>& taps) {
  for (std::size_t y = 0; y < taps.size(); ++y)
    weigh(out + std::int64_t(y) * line, in, line, line, taps[y]);
}

// [H,W,C] to a width of taps.size(): some lines at a time are turned, so that their elements are
// neighbours, and the results turned back.
void resample_width(std::uint8_t* out, const std::uint8_t* in, std::int64_t height,
                    std::int64_t width, std::int64_t channels, const std::vector<Taps>& taps) {
  const auto out_width = std::int64_t(taps.size());
  const std::int64_t block = std::min(height, kLines) * channels;
  std::vector<std::uint8_t> columns(std::size_t(width * block)),
      weighed(std::size_t(out_width * block));
  for (std::int64_t y = 0; y < height; y += kLines) {
    const std::int64_t lines = std::min(kLines, height - y);
    turn(columns.data(), block, in + y * width * channels, width * channels, lines, width,
         channels);
    for (std::int64_t x = 0; x < out_width; ++x)
      weigh(weighed.data() + x * block, columns.data(), block, lines * channels,
            taps[std::size_t(x)]);
    turn(out + y * out_width * channels, out_width * channels, weighed.data(), block, out_width,
         lines, channels);
  }
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {
namespace {

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

}  // namespace

void resample(Level level, std::uint8_t* out, std::int64_t out_height, std::int64_t out_width,
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
  const bool wide = uses_avx512(level);
  // A pass along an axis that keeps its size is left out, as Pillow does.
  const std::uint8_t* rows = in;
  std::vector<std::uint8_t> middle;
  if (out_width != width) {
    middle.resize(std::size_t(height * out_width * channels));
    (wide ? N_AVX3::resample_width : N_AVX2::resample_width)(
        middle.data(), in, height, width, channels, taps_of(out_width, width, filter));
    rows = middle.data();
  }
  if (out_height != height) {
    (wide ? N_AVX3::resample_height : N_AVX2::resample_height)(out, rows, out_width * channels,
                                                               taps_of(out_height, height, filter));
  } else {
    std::copy_n(rows, height * out_width * channels, out);
  }
}

void resample(std::uint8_t* out, std::int64_t out_height, std::int64_t out_width,
              const std::uint8_t* in, std::int64_t height, std::int64_t width,
              std::int64_t channels, Filter filter) {
  static const Level level = host_level();
  resample(level, out, out_height, out_width, in, height, width, channels, filter);
}

}  // namespace atelier
#endif
