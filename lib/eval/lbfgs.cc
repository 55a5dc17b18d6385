// L-BFGS: two-loop recursion and a line search by bisection.
#include "eval/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

namespace atelier {
namespace {

constexpr double kFall = 1e-4, kCurve = 0.9;  // weak Wolfe conditions
constexpr int kMostTrials = 40;

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double largest(const Vector& a) {
  double top = 0;
  for (double v : a) top = std::max(top, std::abs(v));
  return top;
}

void add(Vector& to, double scale, const Vector& a) {
  for (std::size_t i = 0; i < a.size(); ++i) to[i] += scale * a[i];
}

struct Pair {
  Vector step, change;  // of the place, of the gradient
  double curvature = 0;
};

// -H gradient, H the inverse Hessian that the pairs suggest.
Vector direction_of(const Vector& gradient, const std::deque<Pair>& pairs) {
  Vector direction = gradient;
  std::vector<double> alphas;
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
    alphas.push_back(dot(pair->step, direction) / pair->curvature);
    add(direction, -alphas.back(), pair->change);
  }
  double scale = pairs.empty()
                     ? 1 / std::max(1.0, std::sqrt(dot(gradient, gradient)))
                     : pairs.back().curvature / dot(pairs.back().change, pairs.back().change);
  for (double& v : direction) v *= scale;
  for (const Pair& pair : pairs) {
    double beta = dot(pair.change, direction) / pair.curvature;
    add(direction, alphas.back() - beta, pair.step);
    alphas.pop_back();
  }
  for (double& v : direction) v = -v;
  return direction;
}

struct Place {
  Vector x, gradient;
  double value = 0;
};

}  // namespace

LbfgsResult minimise(const SmoothFunction& function, std::vector<double>& x,
                     const LbfgsArgs& args) {
  LbfgsResult result;
  auto evaluate = [&](Vector at) {
    Place place{std::move(at), Vector(x.size()), 0};
    place.value = function(place.x, place.gradient);
    ++result.evaluations;
    return place;
  };
  Place here = evaluate(x);
  std::deque<Pair> pairs;
  // The first step that meets both conditions, or falls at all when trials run out.
  auto search = [&](const Vector& direction, double slope) {
    double low = 0, high = std::numeric_limits<double>::infinity(), length = 1;
    Place there = here;
    for (int trial = 0; trial < kMostTrials; ++trial) {
      Vector at = here.x;
      add(at, length, direction);
      there = evaluate(std::move(at));
      if (!(there.value <= here.value + kFall * length * slope)) {
        high = length;
      } else if (dot(there.gradient, direction) < kCurve * slope) {
        low = length;
      } else {
        break;
      }
      length = std::isfinite(high) ? (low + high) / 2 : 2 * low;
    }
    return there;
  };
  while (result.iterations < args.most_iterations) {
    if (largest(here.gradient) <= args.gradient_tolerance) {
      result.converged = true;
      break;
    }
    Vector direction = direction_of(here.gradient, pairs);
    double slope = dot(direction, here.gradient);
    if (!(slope < 0)) break;
    Place there = search(direction, slope);
    ++result.iterations;
    if (!(there.value < here.value)) break;
    Pair pair{there.x, there.gradient, 0};
    add(pair.step, -1, here.x);
    add(pair.change, -1, here.gradient);
    pair.curvature = dot(pair.step, pair.change);
    if (pair.curvature > 0) pairs.push_back(std::move(pair));
    if (std::int64_t(pairs.size()) > args.memory) pairs.pop_front();
    double fall = here.value - there.value;
    here = std::move(there);
    if (fall <= args.value_tolerance * std::abs(here.value)) {
      result.converged = true;
      break;
    }
  }
  x = here.x;
  result.value = here.value;
  return result;
}

}  // namespace atelier
