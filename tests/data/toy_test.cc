// Toys: their points against the densities they are drawn from, alone and packed.
#include "data/toy.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "files.h"
#include "io/vectors.h"
#include "support/near.h"

using namespace atelier;
using namespace atelier::test;

namespace {

ReadOptions toy_options(const std::string& name, std::int64_t count = 1000) {
  ReadOptions options;
  options.real = true;
  options.synthetic = name;
  options.synthetic_count = count;
  return options;
}

double distance(const std::array<double, 2>& a, const std::array<double, 2>& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

std::string refusal(const ReadOptions& options) {
  return message_of<UsageError>([&] { read_dataset({}, options); });
}

}  // namespace

TEST_CASE("centres are where the papers have them, or where they are asked to be") {
  Toy ring = make_toy(toy_options("ring"));
  REQUIRE(ring.modes() == 8);
  CHECK(ring.std == 0.02);
  for (std::int64_t k = 0; k < 8; ++k) {
    CHECK(std::hypot(ring.centres[k][0], ring.centres[k][1]) == testing::near(2));
    CHECK(distance(ring.centres[k], ring.centres[(k + 1) % 8]) ==
          testing::near(4 * std::sin(std::numbers::pi / 8)));
  }
  Toy grid = make_toy(toy_options("grid"));
  REQUIRE(grid.modes() == 25);
  CHECK(grid.std == 0.05);
  for (std::int64_t k = 0; k < 25; ++k)
    CHECK(grid.centres[k] == std::array<double, 2>{double(k / 5) * 2 - 4, double(k % 5) * 2 - 4});
  Toy scattered = make_toy(toy_options("gaussians"));
  REQUIRE(scattered.modes() == 8);
  double nearest = 1e9;
  for (std::int64_t k = 0; k < 8; ++k) {
    for (std::int64_t j = 0; j < k; ++j)
      nearest = std::min(nearest, distance(scattered.centres[k], scattered.centres[j]));
    for (double place : scattered.centres[k]) CHECK(std::abs(place) <= 4);
  }
  CHECK(nearest >= 6 * scattered.std);
  ReadOptions other = toy_options("gaussians");
  other.seed = 1;
  CHECK(make_toy(other).centres != scattered.centres);
  ReadOptions asked = toy_options("ring");
  asked.synthetic_modes = 5;
  asked.synthetic_radius = 1;
  asked.synthetic_std = 0.1;
  Toy small = make_toy(asked);
  CHECK(small.modes() == 5);
  CHECK(small.std == 0.1);
  CHECK(std::hypot(small.centres[2][0], small.centres[2][1]) == testing::near(1));
}

TEST_CASE("points have the means, the deviations and the shares of their density") {
  constexpr std::int64_t kPoints = 80000;
  for (const char* name : {"ring", "grid", "gaussians"}) {
    Toy toy = make_toy(toy_options(name));
    double modes = double(toy.modes()), square = 0, x = 0, y = 0, xy = 0, worst = 0;
    std::vector<std::int64_t> counts(std::size_t(toy.modes()), 0);
    std::int64_t good = 0;
    for (std::int64_t i = 0; i < kPoints; ++i) {
      ToyPoint point = draw_point(toy, i);
      REQUIRE(point.mode >= 0);
      ++counts[std::size_t(point.mode)];
      const auto& centre = toy.centres[std::size_t(point.mode)];
      double dx = (point.values[0] - centre[0]) / toy.std,
             dy = (point.values[1] - centre[1]) / toy.std;
      x += dx, y += dy, xy += dx * dy, square += dx * dx + dy * dy;
      good += dx * dx + dy * dy <= 9;
    }
    // Four standard errors each: of a mean 1, of a squared length about 2 also 2, of a product 1,
    // of a share p (1 - p).
    double n = kPoints, root = std::sqrt(n);
    CHECK(std::abs(x / n) < 4 / root);
    CHECK(std::abs(y / n) < 4 / root);
    CHECK(std::abs(xy / n) < 4 / root);
    CHECK(std::abs(square / n - 2) < 4 * 2 / root);
    double inside = 1 - std::exp(-4.5);
    CHECK(std::abs(double(good) / n - inside) < 4 * std::sqrt(inside * (1 - inside)) / root);
    for (std::int64_t count : counts)
      worst = std::max(worst, std::abs(double(count) / n - 1 / modes));
    CHECK(worst < 5 * std::sqrt(1 / modes) / root);
    fmt::print(
        "summary: {}: {} points, {:.5f} within three deviations (exact {:.5f}), shares off by "
        "at most {:.5f}\n",
        name, kPoints, double(good) / n, inside, worst);
  }
}

TEST_CASE("a swiss roll lies along its spiral") {
  ReadOptions options = toy_options("swiss-roll");
  options.synthetic_std = 1e-6;
  Toy roll = make_toy(options);
  constexpr std::int64_t kPoints = 20000;
  double sum = 0, least = 1e9, most = 0, furthest = 0;
  for (std::int64_t i = 0; i < kPoints; ++i) {
    ToyPoint point = draw_point(roll, i);
    CHECK(point.mode == -1);
    // The radius tells t, and t the angle.
    double t = 7.5 * std::hypot(double(point.values[0]), double(point.values[1]));
    furthest = std::max({furthest, std::abs(point.values[0] - t * std::cos(t) / 7.5),
                         std::abs(point.values[1] - t * std::sin(t) / 7.5)});
    sum += t;
    least = std::min(least, t);
    most = std::max(most, t);
  }
  CHECK(furthest < 1e-4);
  CHECK(least >= 1.5 * std::numbers::pi - 1e-3);
  CHECK(most <= 4.5 * std::numbers::pi + 1e-3);
  // Even over a width of 3 pi, of deviation 3 pi / sqrt(12): four standard errors.
  CHECK(std::abs(sum / kPoints - 3 * std::numbers::pi) <
        4 * 3 * std::numbers::pi / std::sqrt(12.0 * kPoints));
  options.synthetic_std = 0;
  CHECK(make_toy(options).std == testing::near(0.25 / 7.5));
}

TEST_CASE("points depend on seed and place alone, and packed ones are the same set") {
  Folder folder;
  for (const char* name : {"ring", "grid", "swiss-roll", "gaussians"}) {
    CAPTURE(std::string(name));
    ReadOptions options = toy_options(name, 60);
    Dataset all = read_dataset({}, options);
    CHECK(all.real);
    CHECK(std::vector{all.size, all.height, all.width, all.channels} ==
          std::vector<std::int64_t>{60, 1, 1, 2});
    CHECK(all.preprocess.empty());
    options.synthetic_count = 20;
    Dataset few = read_dataset({}, options);
    CHECK(std::equal(few.pixels.begin(), few.pixels.end(), all.pixels.begin()));
    PackResult packed = pack_dataset({}, options, folder.path("a.h5"), {}, false);
    std::int64_t modes = make_toy(options).modes();
    CHECK(describe(packed) == fmt::format("20 vectors of 2, {} classes, 0 skipped", modes));
    pack_dataset({}, options, folder.path("b.h5"), {}, false);
    CHECK(read_bytes(folder.path("a.h5")) == read_bytes(folder.path("b.h5")));
    ReadOptions reading;
    reading.real = true;
    Dataset stored = read(folder.path("a.h5"), reading);
    CHECK(stored.digest == few.digest);
    CHECK(stored.names == few.names);
    CHECK(stored.labels == few.labels);
    CHECK(stored.label_names == few.label_names);
    CHECK(std::int64_t(stored.label_names.size()) == modes);
    CHECK(stored.labels.size() == (modes > 0 ? 20u : 0u));
    options.seed = 1;
    CHECK(read_dataset({}, options).digest != few.digest);
  }
}

TEST_CASE("a file of points describes its toy") {
  Folder folder;
  ReadOptions options = toy_options("gaussians", 10);
  options.seed = 7;
  options.synthetic_modes = 3;
  options.synthetic_radius = 2.5;
  options.synthetic_std = 0.125;
  pack_dataset({}, options, folder.path("a.h5"), {{"program", std::string("test")}}, false);
  Vectors v = read_vectors(Hdf5Reader{std::filesystem::path(folder.path("a.h5"))});
  CHECK(v.model == "gaussians");
  CHECK(v.metric == "l2");
  CHECK(!v.normalized);
  CHECK(*find(v.config, "synthetic_count") == Scalar(std::int64_t{10}));
  Toy made = make_toy(options), found = described_toy(v.config, "a.h5");
  CHECK(found.name == made.name);
  CHECK(found.centres == made.centres);
  CHECK(found.std == 0.125);
  for (std::int64_t i = 0; i < 10; ++i)
    CHECK(draw_point(found, i).values[0] == v.values[std::size_t(2 * i)]);
  Attributes config = v.config;
  auto without = [&](const char* name) {
    Attributes less = config;
    std::erase_if(less, [&](const auto& entry) { return entry.first == name; });
    return message_of<Error>([&] { described_toy(less, "a.h5"); });
  };
  CHECK(contains(without("synthetic"), "a.h5: /config describes no toy"));
  for (const char* name :
       {"synthetic_modes", "synthetic_radius", "synthetic_seed", "synthetic_std"})
    CHECK(contains(without(name), std::string("a.h5: /config lacks ") + name));
  for (auto& [name, value] : config) {
    if (name == "synthetic_std") value = std::string("wide");
  }
  CHECK(contains(message_of<Error>([&] { described_toy(config, "a.h5"); }),
                 "a.h5: /config: synthetic_std"));
  for (auto& [name, value] : config) {
    if (name == "synthetic_std") value = 0.0;
  }
  CHECK(contains(message_of<Error>([&] { described_toy(config, "a.h5"); }),
                 "a.h5: /config: synthetic_std 0: expected more"));
  for (auto& [name, value] : config) {
    if (name == "synthetic_std") value = 10.0;
  }
  CHECK(contains(message_of<Error>([&] { described_toy(config, "a.h5"); }), "no place is left"));
}

TEST_CASE("what a toy lacks is misuse, as are toys where pictures are needed") {
  auto with = [](const std::string& name, auto change) {
    ReadOptions options = toy_options(name);
    change(options);
    return options;
  };
  CHECK(contains(refusal(with("swiss-roll", [](auto& o) { o.synthetic_modes = 3; })),
                 "--synthetic-modes: swiss-roll has none"));
  CHECK(contains(refusal(with("swiss-roll", [](auto& o) { o.synthetic_radius = 3; })),
                 "--synthetic-radius: swiss-roll has none"));
  CHECK(contains(refusal(with("grid", [](auto& o) { o.synthetic_modes = 24; })),
                 "--synthetic-modes 24: a grid has a square number"));
  CHECK(contains(refusal(with("gaussians", [](auto& o) { o.synthetic_modes = 9000; })),
                 "--synthetic-modes 9000: no place is left"));
  CHECK(contains(refusal(with("ring", [](auto& o) { o.image_size = 3; })),
                 "--synthetic ring: holds vectors, --image-size goes with pictures"));
  CHECK(
      contains(refusal(with("cats", [](auto&) {})),
               "--synthetic 'cats': expected noise, shapes, ring, grid, swiss-roll or gaussians"));
  CHECK(contains(refusal(with("ring", [](auto& o) { o.real = false; })),
                 "--synthetic ring: draws vectors, expected pictures: noise or shapes"));
  for (const char* name : {"shapes", ""}) {
    CHECK(contains(refusal(with(name, [](auto& o) { o.synthetic_std = 1; })),
                   "--synthetic-std goes with --synthetic ring, grid, swiss-roll or gaussians"));
  }
  std::vector<std::string> sources = {"somewhere"};
  CHECK(contains(message_of<UsageError>([&] { read_dataset(sources, toy_options("ring")); }),
                 "'somewhere': --synthetic draws points and reads none"));
}
