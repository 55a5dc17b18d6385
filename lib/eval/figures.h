// Figures as tools print them, and the bars that they must keep.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/fields.h"

namespace atelier {

struct Figure {
  std::string key;        // snake_case
  Scalar value;           // numbers and texts
  std::string unit = {};  // or the features that it was measured in; empty: none
};
using Figures = std::vector<Figure>;

// "key: value unit", numbers with six digits.
std::string to_lines(std::span<const Figure> figures);
// One JSON object on one line: keys and values; units are those of the lines.
std::string to_json(std::span<const Figure> figures);

// KEY=VALUE: a figure that must not be above, or not below, a value.
struct Bar {
  std::string key;
  double value = 0;
  bool above = true;
};
// A list with commas; UsageError, which names the flag, for what is no KEY=VALUE.
std::vector<Bar> parse_bars(const std::string& text, std::string_view flag, bool above);

// "frechet 0.31 is above 0.1", one a bar that is not kept. Infinity is above any bar, as the psnr
// of equal pictures; what is no number, or infinity below 0, keeps none, nor does a figure that was
// left out. UsageError for a key that no figure of numbers has, listing those that do.
std::vector<std::string> broken_bars(std::span<const Figure> figures, std::span<const Bar> bars,
                                     std::span<const std::string> left_out = {});

}  // namespace atelier
