// Nearest centres, and the figures made of them.
#include "eval/modes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "eval/mode_plot.h"
#include "eval/sliced_wasserstein.h"

namespace atelier {
namespace {

constexpr std::int64_t kPlane = 2;

void require_points(const JudgedSet& set, const Toy& toy) {
  if (set.vectors.dim != kPlane) {
    throw Error(fmt::format("{}: vectors of {} numbers, but the points of a {} have {}", set.source,
                            set.vectors.dim, toy.name, kPlane));
  }
  if (set.size() < 1) throw Error(fmt::format("{}: holds no points", set.source));
}

// As many as asked for, of those that no file of this toy holds: they come behind `first`.
std::vector<float> drawn_anew(const Toy& toy, std::int64_t first, std::int64_t count) {
  std::vector<float> points;
  for (std::int64_t i = 0; i < count; ++i) {
    ToyPoint point = draw_point(toy, first + i);
    points.insert(points.end(), point.values.begin(), point.values.end());
  }
  return points;
}

void say_modes(const Toy& toy, std::span<const float> points, std::int64_t least_points,
               Figures& figures) {
  ModeCounts counts = count_modes(toy, points);
  double rows = double(points.size() / kPlane);
  std::int64_t covered =
      std::ranges::count_if(counts.good, [&](std::int64_t good) { return good >= least_points; });
  std::int64_t good = std::accumulate(counts.good.begin(), counts.good.end(), std::int64_t{0});
  auto [least, most] = std::ranges::minmax(counts.basin);
  figures.insert(figures.end(), {{"modes", toy.modes()},
                                 {"modes_covered", covered},
                                 {"good_fraction", double(good) / rows},
                                 {"basin_min", double(least) / rows},
                                 {"basin_max", double(most) / rows}});
  for (std::size_t mode = 0; mode < counts.basin.size(); ++mode)
    figures.push_back({fmt::format("basin_{}", mode), double(counts.basin[mode]) / rows});
}

}  // namespace

ModeCounts count_modes(const Toy& toy, std::span<const float> points) {
  std::size_t modes = toy.centres.size();
  ModeCounts counts{std::vector<std::int64_t>(modes, 0), std::vector<std::int64_t>(modes, 0)};
  const double reach = kGoodDeviations * toy.std;
  for (std::size_t i = 0; i + 1 < points.size(); i += kPlane) {
    std::size_t nearest = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t mode = 0; mode < modes; ++mode) {
      double x = double(points[i]) - toy.centres[mode][0];
      double y = double(points[i + 1]) - toy.centres[mode][1];
      double square = x * x + y * y;
      if (square < least) least = square, nearest = mode;
    }
    ++counts.basin[nearest];
    counts.good[nearest] += least <= reach * reach;
  }
  return counts;
}

Comparison judge_modes(const JudgedSet& points, const JudgedSet& reference, const ModeArgs& args) {
  Toy toy = described_toy(reference.vectors.config, reference.source);
  require_points(reference, toy);
  require_points(points, toy);
  Comparison result;
  result.figures = {
      {"toy", toy.name}, {"rows", points.size()}, {"reference_rows", reference.size()}};
  std::span<const float> values = points.vectors.values;
  if (toy.modes() > 0) say_modes(toy, values, args.least_points, result.figures);
  std::span<const float> real = reference.vectors.values;
  const Scalar* drawn = find(reference.vectors.config, "synthetic_count");
  auto* count = drawn ? std::get_if<std::int64_t>(drawn) : nullptr;
  std::int64_t first = std::max(reference.size(), count ? *count : 0);
  double control = 0;
  for (int i = 0; i < kControls; ++i) {
    std::vector<float> others = drawn_anew(toy, first + i * points.size(), points.size());
    control += sliced_wasserstein(others, real) / kControls;
  }
  result.figures.push_back({"sliced_wasserstein", sliced_wasserstein(values, real)});
  result.figures.push_back({"sliced_wasserstein_real", control});
  if (args.plot.empty()) return result;
  AtomicFile file(args.plot);
  file.write(mode_plot(toy, values, real));
  file.commit();
  return result;
}

}  // namespace atelier
