// The op table: one row an op is the whole language. The type rule, the adjoint, the f64 oracle,
// the cost and the samples that tests run over stand side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "graph/ops.h"

namespace atelier {

// What a row's functions see of one node.
struct NodeView {
  Op op;
  std::span<const Type> operands;
  std::span<const std::int64_t> attributes;
  std::span<const Type> results;  // empty while the type rule runs
};

// Dense f64 values of one tensor, row-major; integers and masks too.
struct Dense {
  Type type;
  std::vector<double> v;
};

struct Cost {
  double flops = 0;  // 2 x multiply-accumulate for products, 1 an element elsewhere
  double read_bytes = 0, write_bytes = 0;
};

// One case that tests build: operand types, value ranges and attributes.
struct Sample {
  std::string name;  // "asymmetric pads, stride over kernel"
  std::vector<Type> operands;
  std::vector<std::int64_t> attributes = {};
  double low = -1, high = 1;  // range of float operands
  // Fills operand k instead of the range (indices, positive values, distinct values); may be empty.
  std::function<void(int k, Dense&, std::uint64_t seed)> fill = {};
};

struct OpRow {
  const char* name = nullptr;
  int min_operands = 0, max_operands = 0;
  bool differentiable = false;
  // Types of the outputs; throws std::invalid_argument with the reason, which the graph completes.
  std::vector<Type> (*types)(const NodeView&) = nullptr;
  // Adjoints of the operands (absent Expr = none) from those of the outputs (absent = zero).
  // `self` are the node's outputs. Null for composites without a fused one; a composite's may
  // return nothing to be differentiated through its decomposition.
  std::vector<Expr> (*vjp)(Graph&, std::span<const Expr> operands, std::span<const Expr> self,
                           std::span<const Expr> adjoints,
                           std::span<const std::int64_t> attributes) = nullptr;
  // Composites: outputs as primitives.
  std::vector<Expr> (*decompose)(Graph&, std::span<const Expr> operands,
                                 std::span<const std::int64_t> attributes) = nullptr;
  // Naive loops in f64 (results come sized and typed). Composites use decompose() instead.
  void (*oracle)(const NodeView&, std::span<const Dense> operands,
                 std::span<Dense> results) = nullptr;
  Cost (*cost)(const NodeView&) = nullptr;
  std::vector<Sample> (*samples)() = nullptr;
};

const OpRow& row(Op op);

}  // namespace atelier
