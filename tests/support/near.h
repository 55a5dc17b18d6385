// How far a figure may be off: of its own size, or in its own unit. doctest's Approx adds one to
// the size, so that a small figure passes whatever it is.
#pragma once

#include <cmath>
#include <ostream>

namespace atelier::testing {

struct Near {
  double expected, off;
};

inline Near near(double expected, double relative = 1e-5) {
  return {expected, relative * std::abs(expected)};
}
inline Near within(double expected, double off) { return {expected, off}; }

inline bool operator==(double found, const Near& near) {
  return std::abs(found - near.expected) <= near.off;
}
inline std::ostream& operator<<(std::ostream& out, const Near& near) {
  return out << near.expected << " +- " << near.off;
}

}  // namespace atelier::testing
