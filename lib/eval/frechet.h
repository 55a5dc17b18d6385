// Frechet distance between Gaussians fitted to two sets of rows (Dowson and Landau 1982; as a
// measure of generators: Heusel et al. 2017, arXiv:1706.08500), its interval and its limit.
#pragma once

#include <cstdint>
#include <optional>

#include "eval/moments.h"

namespace atelier {

// How the trace of the square root of sigma_a sigma_b is found. Both take eigenvalues of a
// symmetric matrix, never the square root of an unsymmetric one: L^T sigma_b L with the Cholesky
// factor of sigma_a, or A sigma_b A with its square root by eigenvectors, which any rank has.
enum class FrechetRoute { automatic, cholesky, eigen };

// |mu_a - mu_b|^2 + tr(sigma_a + sigma_b - 2 (sigma_a sigma_b)^(1/2)), in the squared unit of the
// features. Automatic: Cholesky if sigma_a is far from singular. Throws Error for different widths,
// and by the route cholesky for a sigma_a that is singular.
double frechet_distance(const Moments& a, const Moments& b,
                        FrechetRoute route = FrechetRoute::automatic);

// What is compared with: moments, and the rows they are of if there are any (moments from a file
// have none).
struct FrechetReference {
  Moments moments;
  std::optional<Table> rows;
};

struct Interval {
  double low = 0, high = 0;
};
// 95 % interval about `estimate`: resamples of the rows of both sets, with replacement. A resample
// is biased upwards as the estimate itself is, so the quantiles are taken about their own mean.
Interval frechet_interval(double estimate, const FrechetReference& real, const Table& generated,
                          std::int64_t resamples, std::uint64_t seed = 0);

// The estimate falls like 1/rows: its limit for endless rows (Chong and Forsyth 2020,
// arXiv:1911.07023), by a line through the distance of all rows and the mean distances of their
// halves, thirds and quarters, each a random share of both sets. Shares have at least twice as many
// rows as columns; nothing if halves have not. What `real` has no rows of keeps its bias.
std::optional<double> frechet_limit(const FrechetReference& real, const Table& generated,
                                    std::uint64_t seed = 0);

}  // namespace atelier
