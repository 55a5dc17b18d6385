// How points lie to the modes of a toy: which are covered, how much lies at each, how near it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/toy.h"
#include "eval/comparison.h"
#include "eval/sets.h"

namespace atelier {

// A point belongs to the basin of the nearest centre, and is good within so many standard
// deviations of it, as 1 - exp(-9/2) = 0.98889 of the toy's own points are (Metz et al. 2016,
// arXiv:1611.02163; Srivastava et al. 2017, arXiv:1705.07761).
inline constexpr double kGoodDeviations = 3;

struct ModeCounts {
  std::vector<std::int64_t> basin, good;  // [modes] points, and good ones among them
};
// `points`: [N,2]; the toy has modes.
ModeCounts count_modes(const Toy& toy, std::span<const float> points);

struct ModeArgs {
  std::int64_t least_points = 20;  // good ones, that make a mode covered
  std::string plot = {};           // SVG file to write; empty: none
};

inline constexpr int kControls = 4;

// Of vectors [N,2] against the file of a toy:
//   toy, rows, reference_rows
//   modes, modes_covered, good_fraction, basin_min, basin_max, basin_0, basin_1, .. (shares of the
//     rows): none of these of a toy without modes
//   sliced_wasserstein to the toy's points, and sliced_wasserstein_real, the mean of that of
//     kControls times as many points as there are rows, drawn anew from the toy
// Throws Error for points of another width or none, or for a file that describes no toy.
Comparison judge_modes(const JudgedSet& points, const JudgedSet& reference, const ModeArgs& args);

}  // namespace atelier
