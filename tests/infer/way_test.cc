// Ways between points, and frames on them by what they decode to, against the line's own inverse.
#include "infer/way.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

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
  Store store;
  const std::vector<float> points{0, 1};
  // Nearly all changes within a hundredth of the way about 0.3.
  Loaded steep(along([](Expr z) { return tanh(300.0 * z - 90.0); }), store, "");
  for (std::int64_t frames : {2, 9, 60}) {
    Way way(points, 1, {.frames = frames});
    std::vector<double> places = places_of_even_steps(steep, way);
    REQUIRE(places.size() == std::size_t(frames));
    CHECK(places.front() == 0);
    CHECK(places.back() == 1);
    double mean = 2.0 / double(frames - 1), largest = 0;
    for (std::size_t i = 1; i < places.size(); ++i) {
      CHECK(places[i] > places[i - 1]);
      double step = std::tanh(300 * places[i] - 90) - std::tanh(300 * places[i - 1] - 90);
      largest = std::max(largest, step);
    }
    CHECK(largest <= 1.26 * mean);
    for (std::int64_t batch : {1, 7})
      CHECK(places_of_even_steps(steep, way, {.batch_size = batch}) == places);
  }
  // What is even stays as it is, what does not change too, and a loop goes back to its beginning.
  Loaded even(along([](Expr z) { return 2.0 * z; }), store, "");
  Loaded still(along([](Expr z) { return 0.0 * z; }), store, "");
  for (const Loaded* model : {&even, &still}) {
    for (bool loop : {false, true}) {
      Way way(points, 1, {.frames = 6, .loop = loop});
      std::vector<double> places = places_of_even_steps(*model, way);
      REQUIRE(places.size() == 6);
      for (std::int64_t i = 0; i < 6; ++i)
        CHECK(places[std::size_t(i)] == within(way.place(i), 1e-6));
    }
  }
  CHECK(places_of_even_steps(steep, Way(points, 1, {.frames = 1})) == std::vector<double>{0});
}
