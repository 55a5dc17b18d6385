// The operations of the expression graph: 44 primitives closed under differentiation, composites
// that decompose into them, and operations that only passes create.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace atelier {

// Adding an op: one enumerator here, one row in a family file of lib/graph/rows_*.cc, one kernel
// or opcode. Order is the order of the table.
enum class Op : std::uint8_t {
  // leaves
  input,
  slot,
  constant,
  iota,
  random,
  // elementwise, one operand
  exp,
  log,
  sqrt,
  tanh,
  sigmoid,
  softplus,
  erf,
  sin,
  cos,
  cast,
  // elementwise, two and three operands
  add,
  sub,
  mul,
  div,
  max,
  less,
  equal,
  where,
  // movement
  reshape,
  transpose,
  broadcast,
  slice,
  pad,
  concat,
  reverse,
  // indexing
  take,
  put_add,
  dyn_slice,
  dyn_update,
  // reductions
  sum,
  top,
  argtop,
  // linear
  matmul,
  conv,
  conv_dx,
  conv_dw,
  // control
  stop_gradient,
  after,
  all_reduce,
  // composites
  normal,
  softmax,
  layer_norm,
  layer_norm_grad,
  group_norm,
  group_norm_grad,
  batch_norm,
  batch_norm_grad,
  cross_entropy,
  attention,
  attention_grad,
  adam,
  // lowered: created by passes after differentiation
  fma,
  pack,
  count_
};
inline constexpr int kNumOps = int(Op::count_);
inline constexpr int kNumPrimitives = int(Op::all_reduce) + 1;
constexpr bool is_primitive(Op op) { return op <= Op::all_reduce; }
constexpr bool is_composite(Op op) { return op >= Op::normal && op <= Op::adam; }
constexpr bool is_lowered(Op op) { return op >= Op::fma; }
constexpr bool is_elementwise(Op op) { return (op >= Op::exp && op <= Op::where) || op == Op::fma; }

std::string_view name(Op op);

// Attributes are a list of i64 beside each node; these structs are their meaning.
//
//   input, slot      {index into Graph::names()}
//   constant         {bits of the double value, DType}
//   iota             {mask of the axes it counts over, row-major; shape...}
//   random, normal   {stream id, shape...}
//   cast             {DType}                       also in the node's type
//   transpose        the permutation: output axis i is input axis p[i]
//   slice            for each axis lo, hi, step
//   pad              for each axis lo, hi, gap     zeros around and between
//   concat           {axis}
//   reverse, sum, top, argtop   {mask of axes}     reduced axes keep size 1
//   put_add          {rows n}
//   dyn_slice        the size of the window        start is an i32[rank] operand
//   matmul           {ta, tb}
//   conv, conv_dx, conv_dw      ConvAttributes
//   reshape, broadcast   the output shape
//   layer_norm, batch_norm, batch_norm_grad   {bits of eps};  layer_norm_grad: none
//   group_norm       {groups, bits of eps};  group_norm_grad: {groups}
//   attention(_grad) {causal, bits of scale, has_bias, has_length}
//   adam             bits of beta1, beta2, eps, weight_decay; number of averages
//   pack             {elements}
//   others: none (the output type says it all)
// Operands of composites: the first lines of rows_norm.cc, rows_loss.cc, rows_attention.cc and
// rows_optimizer.cc.
struct ConvAttributes {
  std::int64_t stride[2] = {1, 1};     // rows, columns
  std::int64_t pad[4] = {0, 0, 0, 0};  // top, bottom, left, right
  std::int64_t dilation[2] = {1, 1};
  std::int64_t groups = 1;
  std::int64_t extent[2] = {0, 0};  // conv_dx: H, W of x; conv_dw: KH, KW; conv: unused
  static ConvAttributes from(std::span<const std::int64_t> a) {
    return {{a[0], a[1]}, {a[2], a[3], a[4], a[5]}, {a[6], a[7]}, a[8], {a[9], a[10]}};
  }
  std::array<std::int64_t, 11> list() const {
    return {stride[0],   stride[1],   pad[0], pad[1],    pad[2],   pad[3],
            dilation[0], dilation[1], groups, extent[0], extent[1]};
  }
};

}  // namespace atelier
