// Toys: points in the plane of known density, to try generators of real-valued data on.
//
//   ring        equal Gaussians evenly on a circle: 8 of radius 2 and standard deviation 0.02 (Metz
//               et al. 2016, arXiv:1611.02163, appendix A)
//   grid        equal Gaussians on a square grid: 25 from -4 to 4, standard deviation 0.05, as the
//               toy script of Gulrajani et al. 2017 (arXiv:1704.00028) has them before it divides
//               all by 2.828, so that distances are those that papers state
//   swiss-roll  the spiral t (cos t, sin t) / 7.5, t even in 1.5 pi .. 4.5 pi, with noise of
//               standard deviation 0.25 / 7.5: the same script, all of its steps
//   gaussians   equal Gaussians at random places, which the seed decides: 8 within -4 .. 4,
//               standard deviation 0.05; no two are nearer than six standard deviations
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace atelier {

struct Toy {
  std::string name;
  double radius = 0;  // ring: of the circle; grid and gaussians: the largest coordinate of a centre
  double std = 0;     // standard deviation, the same in both coordinates
  std::uint64_t seed = 0;
  std::vector<std::array<double, 2>> centres;  // of the modes, equally probable; empty: swiss-roll

  std::int64_t modes() const { return std::int64_t(centres.size()); }
};

struct ToyPoint {
  std::array<float, 2> values;
  std::int32_t mode = -1;  // -1: the toy has none
};

bool is_toy(std::string_view name);

// The toy that the options --synthetic, --synthetic-modes, --synthetic-radius, --synthetic-std and
// --synthetic-seed ask for, where 0 stands for the numbers above. UsageError for options that the
// toy lacks, modes of a grid that are no square, centres that do not fit, or options of pictures.
Toy make_toy(const ReadOptions& options);

// Point `index`, from 0: a function of the toy and its place alone.
ToyPoint draw_point(const Toy& toy, std::int64_t index);

// What files of its points say of it in /config: synthetic, synthetic_modes and synthetic_radius
// (if it has modes), synthetic_seed, synthetic_std.
Attributes describe_toy(const Toy& toy);
// The toy that such attributes describe. Throws Error("points.h5: ..") if they describe none.
Toy described_toy(const Attributes& config, const std::string& file);

}  // namespace atelier
