// Sliced Wasserstein-1 distance between points in the plane (Rabin et al. 2011,
// doi:10.1007/978-3-642-24785-9_37; Bonneel et al. 2015).
#pragma once

#include <span>

namespace atelier {

inline constexpr int kSlices = 128;

// Distance between the empirical distributions of numbers, which are sorted in place:
// the integral of |F^-1(q) - G^-1(q)| over q in 0..1, exact for any two numbers of rows.
double wasserstein(std::span<float> a, std::span<float> b);

// Mean over kSlices fixed directions, evenly over the half circle, of the distance between the
// projections, in the points' units. `a`: [N,2], `b`: [M,2], N, M >= 1. The same for any number of
// threads. Two samples of N points each of one distribution are apart too, by about 1/sqrt(N): a
// figure wants such a pair beside it.
double sliced_wasserstein(std::span<const float> a, std::span<const float> b);

}  // namespace atelier
