// Contributions to the adjoint of each value, kept as lists and summed once when it is reached.
#pragma once

#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace atelier {

// What a naive sum would make expensive is joined first:
//   zero-padded disjoint windows along an axis (the adjoints of T slices) become one concat, since
//   T full-size additions would cost O(T^2);
//   products A_t B_t of one shape (the weight gradient of T time steps) become one product of the
//   joined A and the joined B.
// The rest is a balanced tree in the order of arrival, so rounding depends on nothing else.
class Terms {
 public:
  explicit Terms(Graph& graph) : graph_(graph) {}

  void add(Value value, Expr term) { lists_[key(value)].push_back(term); }
  bool any(NodeId id) const;  // for any part of the node
  Expr total(Value value);    // takes the list; absent if there is none

 private:
  struct Window {
    std::int64_t lo, hi;
    Expr inner;
    std::size_t place;  // in the list
  };

  static std::uint64_t key(Value v) { return std::uint64_t(v.node) << 16 | v.part; }
  int padded_axis(Expr term) const;
  void join_windows(std::vector<Expr>& list);
  Expr joined(int axis, const std::vector<Window>& windows, Expr like);
  void join_products(std::vector<Expr>& list);
  Expr end_to_end(const std::vector<Expr>& pieces, int axis);

  Graph& graph_;
  std::unordered_map<std::uint64_t, std::vector<Expr>> lists_;
};

}  // namespace atelier
