// Lines and arcs between points; frames spread over them.
#include "infer/way.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

#include "infer/latents.h"

namespace atelier {
namespace {

double norm(std::span<const float> x) {
  double square = 0;
  for (float v : x) square += double(v) * v;
  return std::sqrt(square);
}

// Weights of the two ends at t; t below 0 and above 1 goes on along the same line or arc.
struct Weights {
  double from, to;
};
Weights weights_at(double t, std::span<const float> from, std::span<const float> to, bool arc) {
  if (!arc) return {1 - t, t};
  double dot = 0, lengths = norm(from) * norm(to);
  for (std::size_t i = 0; i < from.size(); ++i) dot += double(from[i]) * to[i];
  double angle = lengths > 0 ? std::acos(std::clamp(dot / lengths, -1.0, 1.0)) : 0;
  // Of ends that nearly agree the arc is the line; of opposite ones no arc is the shortest.
  constexpr double kLeastSine = 1e-6;
  double sine = std::sin(angle);
  if (sine < kLeastSine) return {1 - t, t};
  return {std::sin((1 - t) * angle) / sine, std::sin(t * angle) / sine};
}

// Places nearer to each other than this are hardly told apart in f32 latents.
constexpr double kNearest = 1e-7;
// Steps of twice or once the wanted length are not cut because of rounding.
constexpr double kRounding = 1e-3;

// What a place on a way decodes to.
struct Seen {
  double place;
  std::vector<float> row;
};

// Between neighbours; none into which no place falls.
double step(const Seen& a, const Seen& b) {
  if (b.place - a.place < kNearest) return 0;
  double square = 0;
  for (std::size_t i = 0; i < a.row.size(); ++i) {
    double difference = double(a.row[i]) - double(b.row[i]);
    square += difference * difference;
  }
  return std::sqrt(square / double(a.row.size()));
}

std::vector<double> steps_between(std::span<const Seen> seen) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < seen.size(); ++i) steps.push_back(step(seen[i - 1], seen[i]));
  return steps;
}

std::vector<Seen> decoded(const Loaded& model, const Way& way, std::span<const double> places,
                          const SampleArgs& args) {
  std::vector<Seen> seen;
  auto write = [&](std::int64_t i, std::span<float> into) {
    way.write(places[std::size_t(i)], into);
  };
  // What pixels have beyond their range is cut off before it is seen.
  bool pixels = !model.data_shape().real;
  auto keep = [&](std::span<const float> row) {
    seen.push_back({places[seen.size()], {row.begin(), row.end()}});
    if (!pixels) return;
    for (float& value : seen.back().row) value = std::clamp(value, 0.0f, 1.0f);
  };
  decode_latent_values(model, std::int64_t(places.size()), write, keep, args);
  return seen;
}

// Places that cut each of `steps`, those between what is seen, that is longer than `most` evenly
// into as many as make it no longer, if it is straight.
std::vector<double> cuts(std::span<const Seen> seen, std::span<const double> steps, double most) {
  std::vector<double> places;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    double from = seen[i].place, to = seen[i + 1].place;
    auto pieces = std::int64_t(std::ceil(steps[i] / most - kRounding));
    for (std::int64_t k = 1; k < pieces; ++k)
      places.push_back(from + (to - from) * double(k) / double(pieces));
  }
  return places;
}

// The places that divide the line through `seen`, in order of their places and `steps` apart, into
// `count` equal lengths; the first and the last are its ends.
std::vector<double> equal_lengths(std::span<const Seen> seen, std::span<const double> steps,
                                  std::int64_t count) {
  std::vector<double> along(seen.size());
  std::partial_sum(steps.begin(), steps.end(), along.begin() + 1);
  std::vector<double> places{seen.front().place};
  std::size_t i = 1;
  for (std::int64_t k = 1; k < count; ++k) {
    double wanted = along.back() * double(k) / double(count);
    while (along[i] < wanted) ++i;
    double part = (wanted - along[i - 1]) / (along[i] - along[i - 1]);
    places.push_back(seen[i - 1].place + part * (seen[i].place - seen[i - 1].place));
  }
  places.push_back(seen.back().place);
  return places;
}

// Both in order of their places.
std::vector<Seen> merged(std::vector<Seen> some, std::vector<Seen> others) {
  std::vector<Seen> both;
  auto moved = [](auto at) { return std::make_move_iterator(at); };
  std::merge(moved(some.begin()), moved(some.end()), moved(others.begin()), moved(others.end()),
             std::back_inserter(both),
             [](const Seen& a, const Seen& b) { return a.place < b.place; });
  return both;
}

}  // namespace

Way::Way(std::span<const float> points, std::int64_t dim, WayOptions options)
    : points_(points), dim_(dim), options_(std::move(options)) {}

std::int64_t Way::pieces() const {
  std::int64_t count = std::int64_t(points_.size()) / dim_;
  return options_.loop ? count : count - 1;
}

double Way::place(std::int64_t frame) const {
  double beyond = options_.loop ? 0 : options_.extrapolate;
  double whole = double(pieces()) + 2 * beyond;
  return (steps() > 0 ? double(frame) * whole / double(steps()) : 0) - beyond;
}

void Way::write(double place, std::span<float> into) const {
  std::int64_t count = std::int64_t(points_.size()) / dim_;
  auto piece = std::clamp(std::int64_t(std::floor(place)), std::int64_t{0}, pieces() - 1);
  auto point = [&](std::int64_t i) {
    return points_.subspan(std::size_t(i % count * dim_), std::size_t(dim_));
  };
  std::span<const float> from = point(piece), to = point(piece + 1);
  Weights w = weights_at(place - double(piece), from, to, options_.mode == "slerp");
  for (std::size_t i = 0; i < into.size(); ++i)
    into[i] = float(w.from * double(from[i]) + w.to * double(to[i]));
}

std::vector<double> Way::places() const {
  std::vector<double> places;
  for (std::int64_t i = 0; i < frames(); ++i) places.push_back(place(i));
  return places;
}

std::vector<double> places_of_even_steps(const Loaded& model, const Way& way,
                                         const SampleArgs& args) {
  constexpr int kRounds = 12;
  std::vector<double> places = way.places();
  if (way.steps() == 0) return places;
  std::vector<double> begun = places;
  for (std::int64_t i = 0; i <= way.pieces(); ++i) begun.push_back(double(i));
  std::ranges::sort(begun);
  begun.erase(std::unique(begun.begin(), begun.end()), begun.end());
  std::vector<Seen> seen = decoded(model, way, begun, args);
  for (int round = 0;; ++round) {
    std::vector<double> steps = steps_between(seen), between;
    double length = std::accumulate(steps.begin(), steps.end(), 0.0);
    if (!(length > 0 && std::isfinite(length))) return places;
    if (round < kRounds) between = cuts(seen, steps, length / double(2 * way.steps()));
    if (between.empty()) {
      places = equal_lengths(seen, steps, way.steps());
      places.resize(std::size_t(way.frames()));  // without the end of a loop
      return places;
    }
    seen = merged(std::move(seen), decoded(model, way, between, args));
  }
}

}  // namespace atelier
