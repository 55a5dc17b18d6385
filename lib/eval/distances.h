// Squared distances between all rows of two tables, block by block; private to this floor.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "eval/table.h"

namespace atelier {

double squared_distance(std::span<const float> a, std::span<const float> b);  // in double

// Products in f32 about the mean of the base rows, and what is needed to decide in double where
// their rounding leaves a doubt.
struct DistanceBlock {
  std::int64_t query_first = 0, queries = 0, base_first = 0, bases = 0, columns = 0;
  std::span<const float> query_rows, base_rows;  // as they were read
  std::span<const float> products;               // [queries, stride], of centred rows
  std::int64_t stride = 0;
  std::span<const double> query_squares, base_squares;  // of centred rows

  double squares(std::int64_t i, std::int64_t j) const {
    return query_squares[std::size_t(i)] + base_squares[std::size_t(j)];
  }
  double near(std::int64_t i, std::int64_t j) const {
    return squares(i, j) - 2 * double(products[std::size_t(i * stride + j)]);
  }
  // How far near() may be off: rounding of a sum of `columns` products, and of centred rows.
  double share() const { return double(columns + 4) * 0x1p-23; }
  double slack(std::int64_t i, std::int64_t j) const { return share() * squares(i, j); }
  double exact(std::int64_t i, std::int64_t j) const {
    return squared_distance(query_rows.subspan(std::size_t(i * columns), std::size_t(columns)),
                            base_rows.subspan(std::size_t(j * columns), std::size_t(columns)));
  }
  // Calls body(j) for at least those base rows that may be nearer to query i than `bar`, squared,
  // which the body may lower: eight rows at a time are passed over where none can be.
  template <class Body>
  void for_each_near(std::int64_t i, const double& bar, const Body& body) const {
    const float* p = products.data() + i * stride;
    const double* base = base_squares.data();
    double keep = 1 - share(), own = query_squares[std::size_t(i)];
    constexpr std::int64_t kGroup = 8;
    std::int64_t j = 0;
    for (; j + kGroup <= bases; j += kGroup) {
      double limit = bar;
      int near = 0;
      for (std::int64_t k = j; k < j + kGroup; ++k)
        near |= int((own + base[k]) * keep - 2 * double(p[k]) < limit);
      for (std::int64_t k = j; near && k < j + kGroup; ++k) body(k);
    }
    for (; j < bases; ++j) body(j);
  }
};

// Calls `body` with each pair of blocks, the blocks of queries outermost.
void for_each_block(const Table& queries, const Table& base,
                    const std::function<void(const DistanceBlock&)>& body);

}  // namespace atelier
