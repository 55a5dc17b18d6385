// Centres of toys, and their points.
#include "data/toy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/random.h"
#include "data/prepare.h"

namespace atelier {
namespace {

using Centre = std::array<double, 2>;

struct Usual {
  const char* name;
  std::int64_t modes;
  double radius, std;
};
constexpr double kRollScale = 7.5;
constexpr std::array<Usual, 4> kUsual = {{{"ring", 8, 2, 0.02},
                                          {"grid", 25, 4, 0.05},
                                          {"swiss-roll", 0, 0, 0.25 / kRollScale},
                                          {"gaussians", 8, 4, 0.05}}};

const Usual* find_usual(std::string_view name) {
  auto found = std::ranges::find(kUsual, name, &Usual::name);
  return found == kUsual.end() ? nullptr : &*found;
}

std::vector<Centre> ring(std::int64_t modes, double radius) {
  std::vector<Centre> centres;
  for (std::int64_t k = 0; k < modes; ++k) {
    double angle = 2 * std::numbers::pi * double(k) / double(modes);
    centres.push_back({radius * std::cos(angle), radius * std::sin(angle)});
  }
  return centres;
}

std::vector<Centre> grid(std::int64_t modes, double radius) {
  auto side = std::int64_t(std::lround(std::sqrt(double(modes))));
  if (side * side != modes || side < 2) {
    throw UsageError(fmt::format(
        "--synthetic-modes {}: a grid has a square number of at least 4, such as 25", modes));
  }
  auto place = [&](std::int64_t k) { return radius * (2 * double(k) / double(side - 1) - 1); };
  std::vector<Centre> centres;
  for (std::int64_t k = 0; k < modes; ++k) centres.push_back({place(k / side), place(k % side)});
  return centres;
}

// Each is drawn until it keeps its distance from those before it.
std::vector<Centre> scattered(std::int64_t modes, double radius, double std, std::uint64_t seed) {
  constexpr int kMostDraws = 1000;
  constexpr double kApart = 6;  // standard deviations: the discs of three do not overlap
  std::vector<Centre> centres;
  for (std::int64_t k = 0; k < modes; ++k) {
    RandomStream random(seed, stream_of("data.toy.centre"), std::uint64_t(k));
    for (int draws = 0;; ++draws) {
      if (draws == kMostDraws) {
        throw UsageError(
            fmt::format("--synthetic-modes {}: no place is left for number {} within "
                        "--synthetic-radius {} with "
                        "--synthetic-std {}",
                        modes, k + 1, radius, std));
      }
      double x = radius * (2 * random.uniform() - 1), y = radius * (2 * random.uniform() - 1);
      bool near = std::ranges::any_of(centres, [&](const Centre& other) {
        return std::hypot(x - other[0], y - other[1]) < kApart * std;
      });
      if (near) continue;
      centres.push_back({x, y});
      break;
    }
  }
  return centres;
}

Toy built(const Usual& kind, std::int64_t modes, double radius, double std, std::uint64_t seed) {
  Toy toy{.name = kind.name, .radius = radius, .std = std, .seed = seed, .centres = {}};
  if (toy.name == "ring") toy.centres = ring(modes, radius);
  if (toy.name == "grid") toy.centres = grid(modes, radius);
  if (toy.name == "gaussians") toy.centres = scattered(modes, radius, std, seed);
  return toy;
}

}  // namespace

bool is_toy(std::string_view name) { return find_usual(name) != nullptr; }

Toy make_toy(const ReadOptions& o) {
  const Usual* kind = find_usual(o.synthetic);
  if (!kind) throw UsageError(fmt::format("--synthetic '{}': is no toy", o.synthetic));
  refuse_picture_options(o, "--synthetic " + o.synthetic, "vectors");
  if (kind->modes == 0 && (o.synthetic_modes != 0 || o.synthetic_radius != 0)) {
    throw UsageError(fmt::format(
        "{}: {} has none", o.synthetic_modes != 0 ? "--synthetic-modes" : "--synthetic-radius",
        o.synthetic));
  }
  return built(*kind, o.synthetic_modes > 0 ? o.synthetic_modes : kind->modes,
               o.synthetic_radius > 0 ? o.synthetic_radius : kind->radius,
               o.synthetic_std > 0 ? o.synthetic_std : kind->std, std::uint64_t(o.seed));
}

ToyPoint draw_point(const Toy& toy, std::int64_t index) {
  RandomStream random(toy.seed, stream_of("data.toy." + toy.name), std::uint64_t(index));
  Centre place{};
  ToyPoint point;
  if (toy.centres.empty()) {
    double t = 1.5 * std::numbers::pi * (1 + 2 * random.uniform());
    place = {t * std::cos(t) / kRollScale, t * std::sin(t) / kRollScale};
  } else {
    point.mode = std::int32_t(random.below(toy.centres.size()));
    place = toy.centres[std::size_t(point.mode)];
  }
  for (std::size_t i = 0; i < place.size(); ++i)
    point.values[i] = float(place[i] + toy.std * random.normal());
  return point;
}

Attributes describe_toy(const Toy& toy) {
  Attributes config{{"synthetic", toy.name}};
  if (toy.modes() > 0) {
    config.emplace_back("synthetic_modes", toy.modes());
    config.emplace_back("synthetic_radius", toy.radius);
  }
  config.emplace_back("synthetic_seed", std::int64_t(toy.seed));
  config.emplace_back("synthetic_std", toy.std);
  return config;
}

Toy described_toy(const Attributes& config, const std::string& file) {
  const Scalar* name = find(config, "synthetic");
  const Usual* kind = name ? find_usual(to_text(*name)) : nullptr;
  if (!kind) {
    throw Error(fmt::format(
        "{}: /config describes no toy; data-pack --synthetic ring and its like make some", file));
  }
  ReadOptions options;
  options.real = true;
  options.synthetic = kind->name;
  std::vector<const char*> wanted = {"synthetic_seed", "synthetic_std"};
  if (kind->modes > 0) wanted.insert(wanted.end(), {"synthetic_modes", "synthetic_radius"});
  Attributes stated;
  for (const char* field : wanted) {
    const Scalar* value = find(config, field);
    if (!value)
      throw Error(fmt::format("{}: /config lacks {}, as a {} has it", file, field, kind->name));
    stated.emplace_back(field, *value);
  }
  try {
    from_attributes(options.fields(), stated);
    // As options, zeros are the usual ones; a file says what was drawn.
    for (const auto& [field, value] : stated) {
      if (field != "synthetic_seed" && to_text(value) == "0")
        throw Error(fmt::format("{} 0: expected more", field));
    }
    return make_toy(options);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: /config: {}", file, error.what()));
  }
}

}  // namespace atelier
