// Limited-memory BFGS (Nocedal 1980; Liu and Nocedal 1989) for smooth functions of many variables.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace atelier {

// Value at x; writes the gradient.
using SmoothFunction = std::function<double(std::span<const double> x, std::span<double> gradient)>;

struct LbfgsArgs {
  std::int64_t memory = 10, most_iterations = 200;
  double gradient_tolerance = 1e-4;  // largest component at which it is done
  double value_tolerance = 1e-7;     // or relative fall of the value in one iteration
};
struct LbfgsResult {
  double value = 0;
  std::int64_t iterations = 0, evaluations = 0;
  bool converged = false;  // false: out of iterations, or no step falls any more
};

// Minimises from x, which becomes the place found. Step lengths by bisection for the weak Wolfe
// conditions. Deterministic: the same function values give the same steps.
LbfgsResult minimise(const SmoothFunction& function, std::vector<double>& x,
                     const LbfgsArgs& args = {});

}  // namespace atelier
