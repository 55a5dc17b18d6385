// The drawing, in units of SVG's pixels.
#include "infer/attention_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace atelier {
namespace {

constexpr double kWidth = 480, kHeight = 320, kLeft = 56, kRight = 16, kTop = 16, kBottom = 44;
constexpr double kTicks = 5;  // at most, of the scale of pixels

// 1, 2 or 5 times a power of ten: the least step that divides `range` into at most kTicks.
double step_of(double range) {
  double power = std::pow(10, std::floor(std::log10(range / kTicks)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power * kTicks >= range) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::string attention_plot(const AttentionMeter& meter) {
  std::int64_t layers = meter.layers(), heads = meter.heads();
  double most = 1e-6;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (std::int64_t head = 0; head < heads; ++head)
      most = std::max(most, meter.distance(layer, head));
  }
  double step = step_of(most), top = step * std::ceil(most / step);
  double wide = kWidth - kLeft - kRight, high = kHeight - kTop - kBottom;
  auto x_of = [&](std::int64_t layer) {
    return kLeft + wide * (double(layer) + 0.5) / double(layers);
  };
  auto y_of = [&](double distance) { return kTop + high * (1 - distance / top); };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      kWidth, kHeight);
  auto out = std::back_inserter(svg);
  for (double value = 0; value <= top * 1.0001; value += step) {
    fmt::format_to(out,
                   "<path d=\"M{} {:.1f}H{}\" stroke=\"#ddd\"/>"
                   "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n",
                   kLeft, y_of(value), kWidth - kRight, kLeft - 6, y_of(value) + 4,
                   value / step < 0.5 ? 0 : value);
  }
  std::int64_t every = (layers + 15) / 16;
  std::string line;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    if (layer % every == 0)
      fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{}\">{}</text>\n", x_of(layer),
                     kHeight - kBottom + 18, layer + 1);
    for (std::int64_t head = 0; head < heads; ++head)
      fmt::format_to(out, "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"#9ab\"/>\n",
                     x_of(layer), y_of(meter.distance(layer, head)));
    fmt::format_to(std::back_inserter(line), "{}{:.1f} {:.1f}", layer == 0 ? "M" : "L", x_of(layer),
                   y_of(meter.distance(layer)));
  }
  fmt::format_to(out,
                 "<path d=\"{}\" fill=\"none\" stroke=\"#c33\" stroke-width=\"2\"/>\n"
                 "<text x=\"{}\" y=\"{}\">layer (dots: heads; line: their mean)</text>\n"
                 "<text transform=\"translate(14 {}) rotate(-90)\">attention distance in pixels"
                 "</text>\n</svg>\n",
                 line, kLeft + wide / 2, kHeight - 8, kTop + high / 2);
  return svg;
}

}  // namespace atelier
