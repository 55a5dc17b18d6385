// The drawing, in units of SVG's pixels.
#include "eval/mode_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "eval/modes.h"

namespace atelier {
namespace {

constexpr double kSide = 480, kMargin = 24;

// Half the side of the square about the origin that is shown: all of the toy and a fifth more.
double reach_of(const Toy& toy, std::span<const float> real) {
  double reach = 0;
  for (const auto& centre : toy.centres) {
    for (double place : centre)
      reach = std::max(reach, std::abs(place) + kGoodDeviations * toy.std);
  }
  if (toy.centres.empty()) {
    for (float place : real) reach = std::max(reach, std::abs(double(place)));
  }
  return 1.2 * reach;
}

class Drawing {
 public:
  explicit Drawing(double reach) : scale_((kSide / 2 - kMargin) / reach), reach_(reach) {
    fmt::format_to(
        out(),
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {0}\" width=\"{0}\" "
        "height=\"{0}\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"{0}\" height=\"{0}\" fill=\"white\"/>\n"
        "<path d=\"M{1} {2}H{3}M{2} {1}V{3}\" stroke=\"#ddd\"/>\n",
        kSide, kMargin, kSide / 2, kSide - kMargin);
    for (double tick : {-1.0, 1.0}) {
      fmt::format_to(out(),
                     "<text x=\"{:.1f}\" y=\"{}\" fill=\"#888\" text-anchor=\"{}\">{:.3g}</text>\n",
                     x_of(tick * reach), kSide / 2 + 14, tick < 0 ? "start" : "end", tick * reach);
    }
  }
  void circle(double x, double y, double radius) {
    fmt::format_to(
        out(), "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"none\" stroke=\"#c33\"/>\n",
        x_of(x), y_of(y), std::max(1.5, scale_ * radius));
  }
  // Dots are strokes of no length with round ends: a tenth of what circles would take.
  void dots(std::span<const float> points, const char* colour) {
    std::size_t count = points.size() / 2, shown = std::min(count, kPointsShown);
    fmt::format_to(
        out(), "<path stroke=\"{}\" stroke-width=\"2\" stroke-linecap=\"round\" fill=\"none\" d=\"",
        colour);
    for (std::size_t i = 0; i < shown; ++i) {
      std::size_t row = i * count / shown;
      double x = double(points[2 * row]), y = double(points[2 * row + 1]);
      if (std::abs(x) > reach_ || std::abs(y) > reach_) {
        ++outside_;
        continue;
      }
      fmt::format_to(out(), "M{:.1f} {:.1f}h0", x_of(x), y_of(y));
    }
    svg_ += "\"/>\n";
  }
  std::string finish() {
    if (outside_ > 0) {
      fmt::format_to(out(), "<text x=\"{}\" y=\"{}\">{} further out</text>\n", kMargin, kSide - 8,
                     outside_);
    }
    return svg_ + "</svg>\n";
  }

 private:
  std::back_insert_iterator<std::string> out() { return std::back_inserter(svg_); }
  double x_of(double x) const { return kSide / 2 + scale_ * x; }
  double y_of(double y) const { return kSide / 2 - scale_ * y; }
  double scale_, reach_;
  std::size_t outside_ = 0;
  std::string svg_;
};

}  // namespace

std::string mode_plot(const Toy& toy, std::span<const float> points, std::span<const float> real) {
  Drawing drawing(reach_of(toy, real));
  if (toy.centres.empty()) drawing.dots(real, "#e9b0b0");
  drawing.dots(points, "#357");
  for (const auto& centre : toy.centres)
    drawing.circle(centre[0], centre[1], kGoodDeviations * toy.std);
  return drawing.finish();
}

}  // namespace atelier
