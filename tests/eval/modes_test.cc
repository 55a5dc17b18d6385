// Modes of toys against counts by hand and shares in closed form; sliced distances against
// integrals.
#include "eval/modes.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <numbers>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/mode_plot.h"
#include "eval/sliced_wasserstein.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

ReadOptions toy_options(const std::string& name) {
  ReadOptions options;
  options.real = true;
  options.synthetic = name;
  return options;
}

JudgedSet points_set(std::vector<float> values, const std::string& source, std::int64_t dim = 2) {
  JudgedSet set;
  set.source = source;
  set.of_vectors = true;
  set.vectors.dim = dim;
  set.vectors.values = std::move(values);
  return set;
}

std::vector<float> drawn(const Toy& toy, std::int64_t first, std::int64_t count) {
  std::vector<float> values;
  for (std::int64_t i = first; i < first + count; ++i) {
    ToyPoint point = draw_point(toy, i);
    values.insert(values.end(), point.values.begin(), point.values.end());
  }
  return values;
}

JudgedSet toy_set(const Toy& toy, std::int64_t count) {
  JudgedSet set = points_set(drawn(toy, 0, count), "toy.h5");
  set.vectors.config = describe_toy(toy);
  set.vectors.config.emplace_back("synthetic_count", count);
  return set;
}

std::map<std::string, double> judged(const JudgedSet& points, const JudgedSet& toy,
                                     const ModeArgs& args = {}) {
  std::map<std::string, double> values;
  for (const Figure& f : judge_modes(points, toy, args).figures) {
    if (auto* number = std::get_if<double>(&f.value)) values[f.key] = *number;
    if (auto* whole = std::get_if<std::int64_t>(&f.value)) values[f.key] = double(*whole);
  }
  return values;
}

std::string message_of(const JudgedSet& points, const JudgedSet& toy) {
  try {
    judge_modes(points, toy, {});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the distance of numbers is that between their quantiles") {
  auto distance = [](std::vector<float> a, std::vector<float> b) { return wasserstein(a, b); };
  CHECK(distance({3, 1, 2}, {2, 3, 1}) == 0);
  CHECK(distance({0, 1}, {5, 6}) == 5);
  CHECK(distance({0}, {1, -3}) == 2);
  // Quantiles 0, 0, 6 against 1, 1, 2, 2 over twelfths: 4*1 + 2*1 + 2*2 + 4*4, / 12.
  CHECK(distance({6, 0, 0}, {2, 1, 2, 1}) == testing::near((4 + 2 + 4 + 16) / 12.0));
  CHECK(distance({1, 2, 3, 4}, {1, 1, 2, 2, 3, 3, 4, 4}) == 0);
  std::vector<float> rows = normal_rows(1000, 1, 3), moved = rows;
  for (float& v : moved) v += 2;
  CHECK(distance(rows, moved) == testing::near(2, 1e-6));
}

TEST_CASE("sliced distances of moved and widened clouds have closed forms") {
  constexpr std::int64_t kPoints = 20000;
  std::vector<float> cloud = normal_rows(kPoints, 2, 1), moved = cloud, wide = cloud;
  for (std::size_t i = 0; i < cloud.size(); i += 2) {
    moved[i] += 3, moved[i + 1] -= 4;
    wide[i] *= 2, wide[i + 1] *= 2;
  }
  // A move by d: the mean of |d cos| over directions. Twice as wide: E|x| of a normal number.
  double by_move = sliced_wasserstein(cloud, moved), by_width = sliced_wasserstein(cloud, wide);
  CHECK(by_move == testing::near(5 * 2 / std::numbers::pi, 1e-4));
  CHECK(by_width == testing::near(std::sqrt(2 / std::numbers::pi), 0.01));
  CHECK(sliced_wasserstein(cloud, cloud) == 0);
  CHECK(sliced_wasserstein(moved, cloud) == by_move);
  double first = by_width;
  for (int threads : {1, 3}) {
    set_threads(threads);
    CHECK(sliced_wasserstein(cloud, wide) == first);
  }
  set_threads(0);
  fmt::print(
      "summary: sliced Wasserstein: moved by 5 {:.5f} (exact {:.5f}), twice as wide {:.5f} "
      "(exact {:.5f})\n",
      by_move, 10 / std::numbers::pi, by_width, std::sqrt(2 / std::numbers::pi));
}

TEST_CASE("points are counted at the nearest centre, good ones within three deviations") {
  ReadOptions options = toy_options("ring");
  options.synthetic_modes = 4;
  options.synthetic_radius = 1;
  options.synthetic_std = 0.1;
  Toy toy = make_toy(options);
  // At (1, 0): one hit, one just within, one just beyond 0.3. At (0, 1) one good one. Beyond all:
  // (0, -9).
  std::vector<float> values = {1, 0, 1.2999f, 0, 1, 0.3001f, 0.1f, 0.9f, 0, -9};
  ModeCounts counts = count_modes(toy, values);
  CHECK(counts.basin == std::vector<std::int64_t>{3, 1, 0, 1});
  CHECK(counts.good == std::vector<std::int64_t>{2, 1, 0, 0});
  auto found = judged(points_set(values, "p.h5"), toy_set(toy, 100), {.least_points = 2});
  CHECK(found["rows"] == 5);
  CHECK(found["reference_rows"] == 100);
  CHECK(found["modes"] == 4);
  CHECK(found["modes_covered"] == 1);
  CHECK(found["good_fraction"] == 0.6);
  CHECK(found["basin_min"] == 0);
  CHECK(found["basin_max"] == 0.6);
  CHECK(found["basin_0"] == 0.6);
  CHECK(found["basin_3"] == 0.2);
  CHECK(judged(points_set(values, "p.h5"), toy_set(toy, 100),
               {.least_points = 1})["modes_covered"] == 2);
}

TEST_CASE("a toy's own points are judged well, and those that lost modes badly") {
  constexpr std::int64_t kPoints = 10000;
  ReadOptions options = toy_options("ring");
  options.synthetic_radius = 1;
  options.synthetic_std = 0.1;
  for (const ReadOptions& o :
       {options, toy_options("ring"), toy_options("grid"), toy_options("gaussians")}) {
    Toy toy = make_toy(o);
    CAPTURE(toy.name);
    double modes = double(toy.modes());
    auto found =
        judged(points_set(drawn(toy, 5000000, kPoints), "fresh.h5"), toy_set(toy, kPoints));
    double inside = 1 - std::exp(-4.5), error = std::sqrt(inside * (1 - inside) / kPoints);
    CHECK(found["modes_covered"] == modes);
    CHECK(std::abs(found["good_fraction"] - inside) < 4 * error);
    double share_error = std::sqrt((1 - 1 / modes) / modes / kPoints);
    CHECK(found["basin_min"] > 1 / modes - 5 * share_error);
    CHECK(found["basin_max"] < 1 / modes + 5 * share_error);
    // Two fresh samples against one: of one size, whatever it is.
    CHECK(found["sliced_wasserstein"] < 4 * found["sliced_wasserstein_real"]);
    CHECK(found["sliced_wasserstein_real"] < 4 * found["sliced_wasserstein"]);
    fmt::print(
        "summary: {} of radius {} and deviation {}: covered {} of {}, good {:.4f}, basins "
        "{:.4f} to {:.4f}, sliced Wasserstein {:.4f}, real against real {:.4f}\n",
        toy.name, toy.radius, toy.std, found["modes_covered"], modes, found["good_fraction"],
        found["basin_min"], found["basin_max"], found["sliced_wasserstein"],
        found["sliced_wasserstein_real"]);
  }
  Toy toy = make_toy(options);
  std::vector<float> half;
  for (std::int64_t i = 0; std::int64_t(half.size()) < 2 * kPoints; ++i) {
    ToyPoint point = draw_point(toy, i);
    if (point.mode < 4) half.insert(half.end(), point.values.begin(), point.values.end());
  }
  auto found = judged(points_set(half, "half.h5"), toy_set(toy, kPoints));
  CHECK(found["modes_covered"] == 4);
  CHECK(found["basin_7"] < 0.01);
  CHECK(found["sliced_wasserstein"] > 10 * found["sliced_wasserstein_real"]);
}

TEST_CASE("a toy without modes has distances alone") {
  Toy roll = make_toy(toy_options("swiss-roll"));
  auto found = judged(points_set(drawn(roll, 90000, 4000), "fresh.h5"), toy_set(roll, 4000));
  CHECK(!found.contains("modes"));
  CHECK(found["sliced_wasserstein"] < 3 * found["sliced_wasserstein_real"]);
  std::vector<float> ring = drawn(make_toy(toy_options("ring")), 0, 4000);
  found = judged(points_set(ring, "ring.h5"), toy_set(roll, 4000));
  CHECK(found["sliced_wasserstein"] > 10 * found["sliced_wasserstein_real"]);
}

TEST_CASE("what cannot be judged is named") {
  Toy toy = make_toy(toy_options("ring"));
  JudgedSet reference = toy_set(toy, 50), points = points_set({1, 2, 3}, "p.h5", 3);
  CHECK(message_of(points, reference) ==
        "p.h5: vectors of 3 numbers, but the points of a ring have 2");
  CHECK(message_of(points_set({}, "none.h5"), reference) == "none.h5: holds no points");
  CHECK(message_of(reference, points_set({1, 2}, "plain.h5"))
            .starts_with("plain.h5: /config describes no toy"));
  reference.vectors.dim = 1;
  CHECK(message_of(points_set({1, 2}, "p.h5"), reference) ==
        "toy.h5: vectors of 1 numbers, but the points of a ring have 2");
}

TEST_CASE("the drawing has the modes, the points within reach and the number of the others") {
  Toy toy = make_toy(toy_options("ring"));
  auto count = [](const std::string& text, const std::string& part) {
    int found = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  std::vector<float> points = {0, 0, 2, 0, 0.5f, -1, 90, 0, 0, -3};
  std::string svg = mode_plot(toy, points, {});
  CHECK(count(svg, "<circle") == 8);
  CHECK(count(svg, "h0") == 3);
  CHECK(count(svg, ">2 further out<") == 1);
  CHECK(count(svg, "M240.0 240.0h0") == 1);  // the origin is the middle of 480
  CHECK(svg.ends_with("</svg>\n"));
  std::vector<float> many(50000, 0.0f);
  CHECK(count(mode_plot(toy, many, {}), "h0") == int(kPointsShown));
  Toy roll = make_toy(toy_options("swiss-roll"));
  std::string spiral = mode_plot(roll, points, drawn(roll, 0, 300));
  CHECK(count(spiral, "<circle") == 0);
  CHECK(count(spiral, "h0") >= 300);
}
