// Points over the modes of a toy as a drawing.
#pragma once

#include <span>
#include <string>

#include "data/toy.h"

namespace atelier {

inline constexpr std::size_t kPointsShown = 10000;

// SVG: `points` [N,2] as dots, at most kPointsShown of them, evenly taken; the circle of three
// standard deviations about each centre and, of a toy without modes, of its own points `real` [M,2]
// as many dots below. One scale in both directions holds all that the toy has; points further out
// are left out and counted in the drawing.
std::string mode_plot(const Toy& toy, std::span<const float> points, std::span<const float> real);

}  // namespace atelier
