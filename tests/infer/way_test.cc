// Ways between points, and frames on them by what they decode to, against the line's own inverse.
#include "infer/way.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "infer/infer.h"
#include "support/near.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

std::vector<float> frames_of(const std::vector<float>& points, std::int64_t dim,
                             const WayOptions& options) {
  Way way(points, dim, options);
  std::vector<float> all(std::size_t(options.frames * dim));
  for (std::int64_t i = 0; i < options.frames; ++i)
    way.write(way.place(i), std::span(all).subspan(std::size_t(i * dim), std::size_t(dim)));
  return all;
}

// Decodes a number z to (3, -4) shape(z): lengths of differences are 5 / sqrt(2) of those of shape.
Model along(const std::function<Expr(Expr)>& shape) {
  Model model;
  model.name = "along";
  model.data_shape = [] { return DataShape{.height = 1, .width = 1, .channels = 2, .real = true}; };
  model.latent_shape = [](std::int64_t rows) { return Shape{rows, 1}; };
  model.decode = [shape](const Scope&, Expr latent, Expr) {
    Expr y = shape(latent);
    const Expr both[] = {3.0 * y, -4.0 * y};
    return concat(both, 1);
  };
  return model;
}

}  // namespace

TEST_CASE("ways go through their points, straight or in arcs, round and beyond") {
  using Floats = std::vector<float>;
  Floats two{0, 0, 4, 8};
  CHECK(frames_of(two, 2, {.frames = 5}) == Floats{0, 0, 1, 2, 2, 4, 3, 6, 4, 8});
  CHECK(frames_of(two, 2, {.frames = 3, .extrapolate = 0.5}) == Floats{-2, -4, 2, 4, 6, 12});
  CHECK(frames_of(two, 2, {.frames = 4, .loop = true}) == Floats{0, 0, 2, 4, 4, 8, 2, 4});
  CHECK(frames_of(two, 2, {.frames = 1}) == Floats{0, 0});
  Floats three{0.1f, 0.7f, -0.3f};
  CHECK(frames_of(three, 1, {.frames = 3}) == three);
  // A quarter of a circle in three steps of 30 degrees; 90 more on both sides.
  Floats arc = frames_of({1, 0, 0, 1}, 2, {.mode = "slerp", .frames = 10, .extrapolate = 1});
  for (int i = 0; i < 10; ++i) {
    double angle = (i - 3) * std::acos(-1.0) / 6;
    CHECK(arc[std::size_t(2 * i)] == within(std::cos(angle), 1e-6));
    CHECK(arc[std::size_t(2 * i + 1)] == within(std::sin(angle), 1e-6));
  }
  // Ends come back to the bit; ends that agree, oppose each other or vanish have no one arc.
  Floats ends{0.3f, -1.7f, 2.1f, 1e-3f, 5, -0.25f};
  Floats there = frames_of(ends, 3, {.mode = "slerp", .frames = 7});
  CHECK(std::equal(ends.begin(), ends.begin() + 3, there.begin()));
  CHECK(std::equal(ends.begin() + 3, ends.end(), there.end() - 3));
  for (const Floats& odd : {Floats{1, 2, 1, 2}, Floats{1, 2, -1, -2}, Floats{0, 0, 1, 2}}) {
    CHECK(frames_of(odd, 2, {.mode = "slerp", .frames = 3}) == frames_of(odd, 2, {.frames = 3}));
  }
}

TEST_CASE("at the pace of pictures frames are evenly apart in what they decode to") {
  // In mean steps: each end lies within half a step of where it should.
  constexpr double kMostStep = 2;
  Store store;
  const std::vector<float> points{0, 1};
  // Nearly all changes within a hundredth of the way about 0.3.
  Loaded steep(along([](Expr z) { return tanh(300.0 * z - 90.0); }), store, "");
  double worst = 0;
  for (std::int64_t frames : {2, 9, 60}) {
    Way way(points, 1, {.frames = frames});
    std::vector<double> places = places_of_even_steps(steep, way);
    REQUIRE(places.size() == std::size_t(frames));
    CHECK(places.front() == 0);
    CHECK(places.back() == 1);
    double mean = 2.0 / double(frames - 1);
    for (std::size_t i = 1; i < places.size(); ++i) {
      CHECK(places[i] > places[i - 1]);
      double step = std::tanh(300 * places[i] - 90) - std::tanh(300 * places[i - 1] - 90);
      worst = std::max(worst, step / mean);
    }
    for (std::int64_t batch : {1, 7})
      CHECK(places_of_even_steps(steep, way, {.batch_size = batch}) == places);
  }
  CHECK(worst <= kMostStep);
  fmt::print("summary: frames at the pace of pictures: largest step in mean steps {:.2f}\n", worst);
}

TEST_CASE("at the pace of pictures what is even stays so, and nothing is asked of a jump") {
  Store store;
  const std::vector<float> two{0, 1}, there_and_back{0, 1, 0, 1, 0};
  Loaded even(along([](Expr z) { return 2.0 * z; }), store, "");
  Loaded still(along([](Expr z) { return 0.0 * z; }), store, "");
  Loaded jump(along([](Expr z) { return tanh(1e9 * z - 3e8); }), store, "");
  for (const Loaded* model : {&even, &still, &jump}) {
    for (const WayOptions& options :
         {WayOptions{.frames = 6}, WayOptions{.frames = 6, .loop = true},
          WayOptions{.frames = 5, .extrapolate = 0.5}, WayOptions{.frames = 1}}) {
      Way way(two, 1, options);
      std::vector<double> places = places_of_even_steps(*model, way);
      REQUIRE(std::int64_t(places.size()) == way.frames());
      for (std::int64_t i = 0; i < way.frames(); ++i)
        CHECK(places[std::size_t(i)] == within(way.place(i), 1e-6));
    }
  }
  // Beside a jump frames are where they would be without it.
  Loaded squared(along([](Expr z) { return z * z + tanh(1e9 * z - 3e8); }), store, "");
  std::vector<double> places = places_of_even_steps(squared, Way(two, 1, {.frames = 17}));
  for (std::size_t i = 0; i < 17; ++i) CHECK(places[i] == within(std::sqrt(double(i) / 16), 0.02));
  // Frames at an even pace would all be of the same point.
  places = places_of_even_steps(even, Way(there_and_back, 1, {.frames = 3}));
  CHECK(places[1] == within(2, 1e-6));
  places = places_of_even_steps(even, Way(there_and_back, 1, {.frames = 4}));
  for (std::size_t i = 0; i < 4; ++i) CHECK(places[i] == within(4 * double(i) / 3, 1e-6));
}

TEST_CASE("at the pace of pictures what pixels have beyond their range does not count") {
  Store store;
  const std::vector<float> points{0, 1};
  Model model = along([](Expr z) { return z; });
  model.data_shape = [] { return DataShape{1, 1, 2}; };
  std::vector<double> places =
      places_of_even_steps(Loaded(model, store, ""), Way(points, 1, {.frames = 5}));
  // The first of (3 z, -4 z) stays at 1 from z = 1 / 3 on, the second at 0.
  for (std::size_t i = 0; i < 4; ++i) CHECK(places[i] == within(double(i) / 12, 0.05));
}
