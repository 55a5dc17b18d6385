// Helpers shared by the family files of the op table.
#pragma once

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "graph/op_table.h"
#include "graph/ops.h"

namespace atelier {

// Every family file fills the rows of its ops; table.cc asks all of them once.
using RowSetter = void (*)(Op, const OpRow&);
void leaf_rows(OpRow* table);
void elementwise_rows(OpRow* table);
void movement_rows(OpRow* table);
void indexing_rows(OpRow* table);
void reduction_rows(OpRow* table);
void linear_rows(OpRow* table);
void control_rows(OpRow* table);
void norm_rows(OpRow* table);
void loss_rows(OpRow* table);
void attention_rows(OpRow* table);
void optimizer_rows(OpRow* table);

namespace rows {

using Attrs = std::span<const std::int64_t>;
using Exprs = std::span<const Expr>;
using Ins = std::span<const Dense>;
using Outs = std::span<Dense>;

[[noreturn]] inline void refuse(const std::string& reason) { throw std::invalid_argument(reason); }
inline void require(bool condition, const std::string& reason) {
  if (!condition) refuse(reason);
}
inline bool real(const Type& t) { return t.dtype == DType::f32 || t.dtype == DType::f64; }

// Cost of a pass over all operands and results with `flops` an output element.
template <int kFlops>
Cost pass_cost(const NodeView& node) {
  Cost cost;
  for (const Type& t : node.operands) cost.read_bytes += double(t.bytes());
  for (const Type& t : node.results) cost.write_bytes += double(t.bytes());
  if (!node.results.empty()) cost.flops = kFlops * double(node.results[0].shape.count());
  return cost;
}

inline std::int64_t mask_of(const Shape& shape, std::int64_t mask, int axis) {
  return axis < shape.rank() ? (mask >> axis & 1) : 0;
}

// Row-major strides of a shape, in elements.
inline std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(std::size_t(shape.rank()), 1);
  for (int i = shape.rank() - 2; i >= 0; --i) {
    strides[std::size_t(i)] = strides[std::size_t(i + 1)] * shape[i + 1];
  }
  return strides;
}

// Calls body(index, linear) for every index of a shape in row-major order.
template <class Body>
void for_each_index(const Shape& shape, Body body) {
  std::vector<std::int64_t> index(std::size_t(shape.rank()), 0);
  std::int64_t count = shape.count();
  for (std::int64_t linear = 0; linear < count; ++linear) {
    body(index, linear);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (++index[std::size_t(axis)] < shape[axis]) break;
      index[std::size_t(axis)] = 0;
    }
  }
}

inline Type f64(Shape shape) { return {DType::f64, shape}; }
inline Type i32(Shape shape) { return {DType::i32, shape}; }

// Values that keep at least `gap` apart: order statistics of them do not flip under a small step.
void fill_distinct(Dense& dense, std::uint64_t seed, double gap = 0.05);
void fill_indices(Dense& dense, std::uint64_t seed, std::int64_t below);

}  // namespace rows
}  // namespace atelier
