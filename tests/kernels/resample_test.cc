// Resampling of odd sizes by every filter against weights in double precision, in guarded buffers.
#include <algorithm>

#include "kernels/support.h"

namespace atelier {
namespace {
using namespace test;

struct Size {
  std::int64_t height, width;
};

// The filters as functions of the distance.
struct FilterRow {
  Filter filter;
  const char* name;
  double (*weight)(double x);
};
double cubic(double x) {  // Keys (1981) with a = -1/2
  const double a = std::abs(x);
  if (a < 1) return 1.5 * a * a * a - 2.5 * a * a + 1;
  return a < 2 ? -0.5 * a * a * a + 2.5 * a * a - 4 * a + 2 : 0;
}
double lanczos(double x) {
  if (x == 0) return 1;
  const double t = M_PI * x;
  return std::abs(x) < 3 ? 3 * std::sin(t) * std::sin(t / 3) / (t * t) : 0;
}
const FilterRow kFilters[] = {
    {Filter::box, "box", [](double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }},
    {Filter::bilinear, "bilinear", [](double x) { return std::max(0.0, 1 - std::abs(x)); }},
    {Filter::bicubic, "bicubic", cubic},
    {Filter::lanczos, "lanczos", lanczos},
};

// Weights of all inputs of one output, of sum 1; the filter widens when shrinking.
std::vector<double> weights(const FilterRow& f, std::int64_t out, std::int64_t to,
                            std::int64_t from) {
  const double scale = double(from) / double(to), stretch = std::max(1.0, scale);
  const double centre = (double(out) + 0.5) * scale;
  std::vector<double> w;
  double sum = 0;
  for (std::int64_t i = 0; i < from; ++i) {
    w.push_back(f.weight((double(i) + 0.5 - centre) / stretch));
    sum += w.back();
  }
  for (double& v : w) v /= sum;
  return w;
}

// One axis; `room` becomes how far a result may lie from the program's, which rounds after each
// axis: what its inputs may differ by, times the weights, and half a level.
struct Image {
  Size size;
  std::int64_t channels;
  std::vector<double> v;
  double room = 0;
  double& at(std::int64_t y, std::int64_t x, std::int64_t c) {
    return v[std::size_t((y * size.width + x) * channels + c)];
  }
};
Image along_width(const FilterRow& f, Image& in, std::int64_t width) {
  Image out{{in.size.height, width}, in.channels, {}, 0};
  out.v.resize(std::size_t(in.size.height * width * in.channels));
  double largest = 0;
  for (std::int64_t x = 0; x < width; ++x) {
    const std::vector<double> w = weights(f, x, width, in.size.width);
    double magnitude = 0;
    for (double v : w) magnitude += std::abs(v);
    largest = std::max(largest, magnitude);
    for (std::int64_t line = 0; line < in.size.height * in.channels; ++line) {
      const std::int64_t y = line / in.channels, c = line % in.channels;
      double sum = 0;
      for (std::size_t i = 0; i < w.size(); ++i) sum += w[i] * in.at(y, std::int64_t(i), c);
      out.at(y, x, c) = std::clamp(sum, 0.0, 255.0);
    }
  }
  out.room = in.room * largest + 0.501;  // the weights are in 22 bits
  return out;
}
Image turned(Image& in) {
  Image out{
      {in.size.width, in.size.height}, in.channels, std::vector<double>(in.v.size()), in.room};
  for (std::int64_t y = 0; y < in.size.height; ++y) {
    for (std::int64_t x = 0; x < in.size.width; ++x) {
      for (std::int64_t c = 0; c < in.channels; ++c) out.at(x, y, c) = in.at(y, x, c);
    }
  }
  return out;
}
// An axis that keeps its size is left alone.
Image resampled(const FilterRow& f, Image image, const Size& to) {
  if (image.size.width != to.width) image = along_width(f, image, to.width);
  if (image.size.height == to.height) return image;
  Image columns = turned(image);
  columns = along_width(f, columns, to.height);
  return turned(columns);
}

std::vector<std::pair<Size, Size>> sizes() {
  std::vector<std::pair<Size, Size>> all = {
      {{1, 1}, {5, 3}},   {{64, 48}, {17, 13}}, {{9, 31}, {9, 7}},    {{31, 9}, {5, 9}},
      {{40, 40}, {1, 1}}, {{2, 3}, {33, 65}},   {{100, 3}, {28, 28}}, {{28, 28}, {32, 32}}};
  for (std::int64_t n = 1; n <= 40; n += 3) all.push_back({{n, 41 - n}, {1 + n * 7 % 23, 19}});
  return all;
}

void check(const FilterRow& f, const Size& from, const Size& to, std::int64_t channels) {
  Ledger worst("resample", "levels of 255", f.name);
  GuardedBuffer<std::uint8_t> in(std::size_t(from.height * from.width * channels)),
      out(std::size_t(to.height * to.width * channels));
  Image image{from, channels, {}, 0};
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::uint64_t word = mix64(i * 3 + std::uint64_t(from.width));
    in[i] = word % 3 ? std::uint8_t(word >> 8 & 255) : std::uint8_t(word % 2 ? 255 : 0);
    image.v.push_back(double(in[i]));
  }
  const Image exact = resampled(f, std::move(image), to);
  std::vector<std::uint8_t> first;
  for (Level level : levels()) {
    resample(level, out.data(), to.height, to.width, in.data(), from.height, from.width, channels,
             f.filter);
    if (first.empty()) first.assign(out.span().begin(), out.span().end());
    INFO(f.name, " ", from.height, "x", from.width, " to ", to.height, "x", to.width, " ",
         std::string(name(level)));
    for (std::size_t i = 0; i < out.size(); ++i)
      worst[level].check(double(out[i]), exact.v[i], 1, exact.room);
    const bool same = std::equal(first.begin(), first.end(), out.data());
    CHECK(same);
  }
}

TEST_CASE("resampling by every filter, sizes odd and even, within rounding of double precision") {
  for (const FilterRow& f : kFilters) {
    for (const auto& [from, to] : sizes()) {
      for (std::int64_t channels : {1, 2, 3, 4, 7}) check(f, from, to, channels);
    }
  }
}

TEST_CASE("the largest and the smallest sums are clipped, not wrapped") {
  constexpr std::int64_t pairs[][2] = {{4, 197}, {197, 4}, {2, 9}, {300, 17}, {33, 65}};
  for (const FilterRow& f : kFilters) {
    for (const auto& pair : pairs) {
      const std::int64_t from = pair[0], to = pair[1];
      for (std::int64_t x = 0; x < to; ++x) {
        // White where the weight of output x is positive, black elsewhere, and the reverse.
        std::vector<std::uint8_t> most, least, out(static_cast<std::size_t>(to));
        for (double w : weights(f, x, to, from)) {
          most.push_back(w > 0 ? 255 : 0);
          least.push_back(w > 0 ? 0 : 255);
        }
        for (Level level : levels()) {
          INFO(f.name, " ", from, " to ", to, " at ", x, " ", std::string(name(level)));
          resample(level, out.data(), 1, to, most.data(), 1, from, 1, f.filter);
          CHECK(int(out[std::size_t(x)]) == 255);
          resample(level, out.data(), to, 1, least.data(), from, 1, 1, f.filter);
          CHECK(int(out[std::size_t(x)]) == 0);
        }
      }
    }
  }
}

TEST_CASE("the nearest filter takes the pixel under the centre") {
  for (const auto& [from, to] : sizes()) {
    constexpr std::int64_t channels = 3;
    GuardedBuffer<std::uint8_t> in(std::size_t(from.height * from.width * channels)),
        out(std::size_t(to.height * to.width * channels));
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = std::uint8_t(mix64(i) & 255);
    resample(out.data(), to.height, to.width, in.data(), from.height, from.width, channels,
             Filter::nearest);
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < to.height * to.width * channels; ++i) {
      // Centre (2 i + 1) / 2 of `to`, times from / to, rounded down, in whole numbers.
      const std::int64_t y = i / (to.width * channels), x = i / channels % to.width;
      const std::int64_t from_y = (2 * y + 1) * from.height / (2 * to.height);
      const std::int64_t from_x = (2 * x + 1) * from.width / (2 * to.width);
      wrong += out[std::size_t(i)] ==
                       in[std::size_t((from_y * from.width + from_x) * channels + i % channels)]
                   ? 0
                   : 1;
    }
    CHECK(wrong == 0);
  }
}

}  // namespace
}  // namespace atelier
