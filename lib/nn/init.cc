// Initialisers.
#include "nn/init.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace atelier {
namespace {

void fill_normal(std::span<float> values, double mean, double std, std::uint64_t seed,
                 std::uint64_t stream) {
  RandomStream random(seed, stream);
  for (float& v : values) v = float(mean + std * random.normal());
}

void fill_uniform(std::span<float> values, double bound, std::uint64_t seed, std::uint64_t stream) {
  RandomStream random(seed, stream);
  for (float& v : values) v = float(bound * (2 * random.uniform() - 1));
}

std::int64_t fan_out_of(const Shape& weight) {
  if (weight.rank() < 2) return weight.count();
  return weight.count() / weight[-2];
}

// Orthonormalises `count` vectors of `length` by Gram-Schmidt, each twice ("twice is enough",
// Giraud et al. 2005). count <= length.
void orthonormalise(std::vector<double>& rows, std::int64_t count, std::int64_t length) {
  for (std::int64_t i = 0; i < count; ++i) {
    double* row = rows.data() + i * length;
    for (std::int64_t k = 0; k < 2 * i; ++k) {
      const double* other = rows.data() + k % i * length;
      double overlap = 0;
      for (std::int64_t j = 0; j < length; ++j) overlap += row[j] * other[j];
      for (std::int64_t j = 0; j < length; ++j) row[j] -= overlap * other[j];
    }
    double squares = 0;
    for (std::int64_t j = 0; j < length; ++j) squares += row[j] * row[j];
    for (std::int64_t j = 0; j < length; ++j) row[j] /= std::sqrt(squares);
  }
}

}  // namespace

std::int64_t fan_in_of(const Shape& weight) {
  return weight.rank() < 1 ? 1 : weight.count() / weight[-1];
}

Init constant(double value) {
  return [value](std::span<float> values, const Shape&, std::uint64_t, std::uint64_t) {
    std::fill(values.begin(), values.end(), float(value));
  };
}
Init zeros() { return constant(0); }
Init ones() { return constant(1); }

Init normal(double std, double mean) {
  return [std, mean](std::span<float> values, const Shape&, std::uint64_t seed,
                     std::uint64_t stream) { fill_normal(values, mean, std, seed, stream); };
}
Init uniform(double bound) {
  return [bound](std::span<float> values, const Shape&, std::uint64_t seed, std::uint64_t stream) {
    fill_uniform(values, bound, seed, stream);
  };
}
Init fan_in_uniform(std::int64_t fan_in) { return uniform(1 / std::sqrt(double(fan_in))); }

Init xavier_uniform(double gain) {
  return [gain](std::span<float> values, const Shape& shape, std::uint64_t seed,
                std::uint64_t stream) {
    double bound = gain * std::sqrt(6.0 / double(fan_in_of(shape) + fan_out_of(shape)));
    fill_uniform(values, bound, seed, stream);
  };
}
Init kaiming_normal(double gain) {
  return [gain](std::span<float> values, const Shape& shape, std::uint64_t seed,
                std::uint64_t stream) {
    fill_normal(values, 0, gain / std::sqrt(double(fan_in_of(shape))), seed, stream);
  };
}
Init orthogonal(double gain) {
  return [gain](std::span<float> values, const Shape& shape, std::uint64_t seed,
                std::uint64_t stream) {
    std::int64_t columns = shape[-1], rows = fan_in_of(shape);
    std::int64_t count = std::min(rows, columns), length = std::max(rows, columns);
    std::vector<double> vectors(values.size());
    RandomStream random(seed, stream);
    for (double& v : vectors) v = random.normal();
    orthonormalise(vectors, count, length);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        std::int64_t at = rows <= columns ? i * length + j : j * length + i;
        values[std::size_t(i * columns + j)] = float(gain * vectors[std::size_t(at)]);
      }
    }
  };
}

}  // namespace atelier
