// The op table, assembled from its family files once.
#include <array>
#include <numeric>

#include "base/random.h"
#include "graph/rows.h"

namespace atelier {

const OpRow& row(Op op) {
  static const std::array<OpRow, kNumOps> table = [] {
    std::array<OpRow, kNumOps> rows{};
    for (auto fill :
         {leaf_rows, elementwise_rows, movement_rows, indexing_rows, reduction_rows, linear_rows,
          control_rows, norm_rows, loss_rows, attention_rows, optimizer_rows}) {
      fill(rows.data());
    }
    return rows;
  }();
  return table[std::size_t(op)];
}

namespace rows {

void fill_distinct(Dense& dense, std::uint64_t seed, double gap) {
  std::vector<std::size_t> order(dense.v.size());
  std::iota(order.begin(), order.end(), 0);
  RandomStream stream(seed, stream_of("distinct"));
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
  double middle = double(order.size()) / 2;
  for (std::size_t i = 0; i < order.size(); ++i)
    dense.v[i] = gap * (double(order[i]) - middle + 0.5);
}

void fill_indices(Dense& dense, std::uint64_t seed, std::int64_t below) {
  RandomStream stream(seed, stream_of("indices"));
  for (double& v : dense.v) v = double(stream.below(std::uint64_t(below)));
}

}  // namespace rows
}  // namespace atelier
