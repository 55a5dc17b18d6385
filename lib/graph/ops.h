// The operations of the expression graph (44 primitives closed under differentiation, composites
// that decompose into them, and those that only passes create), and every expression a model may
// write, one declaration a line. Shapes: [..] is any rank; binary operations broadcast size-1 and
// missing leading axes. Errors: ShapeError naming op, scope, shapes, dtypes and call site. Integers
// never turn into floats silently: cast first.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace atelier {

// Adding an op: its enumerator and builder here, its row in a family file of lib/graph/rows_*.cc,
// its opcode in lib/kernels/tile.cc or a kernel. Order is the order of the table.
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
constexpr bool is_elementwise(Op op) { return (op >= Op::exp && op <= Op::where) || op == Op::fma; }

std::string_view name(Op op);

// Lets operators record their call site and take numbers.
class Operand {
 public:
  Operand(Expr e, Where w = Where::here()) : expr(e), absent(!e), where(w) {}
  Operand(double v, Where w = Where::here()) : number(v), where(w) {}
  Operand(int v, Where w = Where::here()) : number(v), where(w) {}
  Expr expr;
  double number = 0;
  bool absent = false;  // an Expr was meant, but it is a default one
  Where where;
};

// ---- arithmetic; equal dtypes; numbers take the other operand's type
Expr operator+(Operand a, Operand b);
Expr operator-(Operand a, Operand b);
Expr operator*(Operand a, Operand b);
Expr operator/(Operand a, Operand b);
Expr operator-(Operand a);
Expr max(Operand a, Operand b);  // a<b ? b : a
Expr min(Operand a, Operand b);
Expr less(Operand a, Operand b);   // u8 mask
Expr equal(Operand a, Operand b);  // integers only
Expr where(Expr mask, Operand yes, Operand no, Where = Where::here());

// ---- functions of one float
Expr unary(Op op, Expr x, Where);  // any elementwise op of one operand
inline Expr exp(Expr x, Where w = Where::here()) { return unary(Op::exp, x, w); }
inline Expr log(Expr x, Where w = Where::here()) { return unary(Op::log, x, w); }
// slope is infinite at 0: add an epsilon to the operand
inline Expr sqrt(Expr x, Where w = Where::here()) { return unary(Op::sqrt, x, w); }
inline Expr tanh(Expr x, Where w = Where::here()) { return unary(Op::tanh, x, w); }
inline Expr sigmoid(Expr x, Where w = Where::here()) { return unary(Op::sigmoid, x, w); }
// log(1 + e^x)
inline Expr softplus(Expr x, Where w = Where::here()) { return unary(Op::softplus, x, w); }
inline Expr erf(Expr x, Where w = Where::here()) { return unary(Op::erf, x, w); }
inline Expr sin(Expr x, Where w = Where::here()) { return unary(Op::sin, x, w); }
inline Expr cos(Expr x, Where w = Where::here()) { return unary(Op::cos, x, w); }
Expr square(Expr x, Where = Where::here());
Expr abs(Expr x, Where = Where::here());
Expr relu(Expr x, Where = Where::here());
Expr leaky_relu(Expr x, double slope, Where = Where::here());
Expr silu(Expr x, Where = Where::here());
Expr gelu(Expr x, Where = Where::here());  // erf form (Hendrycks and Gimpel 2016)
Expr gelu_tanh(Expr x, Where = Where::here());
// sqrt(sum of squares over axes + eps): finite slope everywhere.
Expr safe_norm(Expr x, std::vector<int> axes, double eps = 1e-12, Where = Where::here());
Expr cast(Expr x, DType to, Where = Where::here());
Expr clamp(Expr x, double low, double high, Where = Where::here());

// ---- movement
Expr reshape(Expr x, Shape shape, Where = Where::here());  // one axis may be -1
Expr transpose(Expr x, std::vector<int> order, Where = Where::here());
Expr broadcast(Expr x, Shape shape, Where = Where::here());
Expr slice(Expr x, int axis, std::int64_t lo, std::int64_t hi, std::int64_t step = 1,
           Where = Where::here());
Expr pad(Expr x, int axis, std::int64_t lo, std::int64_t hi, std::int64_t gap = 0,
         Where = Where::here());
Expr concat(std::span<const Expr> pieces, int axis, Where = Where::here());
std::vector<Expr> split(Expr x, int pieces, int axis, Where = Where::here());
Expr reverse(Expr x, std::vector<int> axes, Where = Where::here());

// ---- indexing
Expr take(Expr x, Expr index, Where = Where::here());  // [n,..], i32 [i..] -> [i.., ..]
Expr put_add(Expr values, Expr index, std::int64_t rows, Where = Where::here());
Expr dyn_slice(Expr x, Expr start, Shape size, Where = Where::here());  // start i32[rank]
Expr dyn_update(Expr x, Expr window, Expr start, Where = Where::here());
Expr iota(Graph& graph, Shape shape, std::vector<int> axes, Where = Where::here());  // i32

// ---- reductions; no axes = all of them; reduced axes stay, size 1
Expr sum(Expr x, std::vector<int> axes = {}, Where = Where::here());
Expr mean(Expr x, std::vector<int> axes = {}, Where = Where::here());
Expr top(Expr x, std::vector<int> axes = {}, Where = Where::here());
Expr argtop(Expr x, std::vector<int> axes = {}, Where = Where::here());  // i32, row-major position
Expr logsumexp(Expr x, int axis, Where = Where::here());

// ---- linear
Expr matmul(Expr a, Expr b, bool ta = false, bool tb = false, Where = Where::here());
// x [N,H,W,C], w [KH,KW,C/groups,O] -> [N,Ho,Wo,O]
struct ConvArgs2d {
  std::int64_t stride[2] = {1, 1};
  std::int64_t pad[4] = {0, 0, 0, 0};  // top, bottom, left, right
  std::int64_t dilation[2] = {1, 1};
  std::int64_t groups = 1;
};
Expr conv(Expr x, Expr w, const ConvArgs2d& = {}, Where = Where::here());
// The transpose of conv in x: y [N,Ho,Wo,O], w [KH,KW,C/groups,O] -> [N,height,width,C]. Also the
// generators' up-convolution (its weight is stored as that of the convolution it transposes).
Expr conv_dx(Expr y, Expr w, std::int64_t height, std::int64_t width, const ConvArgs2d& = {},
             Where = Where::here());
// The transpose of conv in w: -> [kh,kw,C/groups,O]
Expr conv_dw(Expr x, Expr y, std::int64_t kh, std::int64_t kw, const ConvArgs2d& = {},
             Where = Where::here());

// ---- random numbers; ids i32 [N] name the rows, clock i32 [3] = seed low, seed high, step.
// Element j of row r depends on (seed, stream, step, ids[r], j) alone. shape[0] = N.
Expr random(Expr ids, Expr clock, Shape shape, std::uint64_t stream, Where = Where::here());
Expr normal(Expr ids, Expr clock, Shape shape, std::uint64_t stream, Where = Where::here());

// ---- control
Expr stop_gradient(Expr x, Where = Where::here());
Expr after(Expr x, Expr earlier,
           Where = Where::here());  // identity, computed after `earlier`, opaque to merging
Expr all_reduce(Expr x, Where = Where::here());  // mean over ranks

// ---- composites: one node with a kernel, decompose() always exists
Expr softmax(Expr x, Where = Where::here());  // last axis
struct Normed {
  Expr y, mean, variance_or_rstd;
};
// x [..,D], scale and shift [D]; biased variance -> y, mean [..,1], rstd [..,1]
Normed layer_norm(Expr x, Expr scale, Expr shift, double eps, Where = Where::here());
// x [N,..,C], scale and shift [C] -> y, mean [N,groups], rstd [N,groups]
Normed group_norm(Expr x, Expr scale, Expr shift, int groups, double eps, Where = Where::here());
// x [..,C] -> y, mean [C], biased variance [C] of the batch (Ioffe and Szegedy 2015)
Normed batch_norm(Expr x, Expr scale, Expr shift, double eps, Where = Where::here());
// logits [N,K], labels i32 [N] -> loss [N] in nats
Expr cross_entropy(Expr logits, Expr labels, Where = Where::here());
struct AttentionArgs {
  bool causal = false;
  double scale = 0;        // 0: 1/sqrt(head_dim)
  Expr bias = {};          // [heads,T,S] or absent
  Expr valid_length = {};  // i32 [B]: keys at and beyond it are masked; absent: all valid
};
// q [B,T,heads,D], k and v [B,S,heads,D] -> [B,T,heads,D]
Expr attention(Expr q, Expr k, Expr v, const AttentionArgs& = {}, Where = Where::here());
// One Adam(W) step of one tensor (Kingma and Ba 2014; decoupled decay: Loshchilov and Hutter 2017):
//   m' = beta1 m + (1-beta1) s g,  v' = beta2 v + (1-beta2) (s g)^2
//   p' = p - rate (m' / c1) / (sqrt(v' / c2) + eps) - rate decay p
//   average_i' = average_i + (1 - keep_i) (p' - average_i)
// rate, c1 = 1-beta1^t, c2 = 1-beta2^t, s (gradient scale) and keep_i are f32 scalars [].
struct AdamArgs {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
};
struct AdamResult {
  Expr p, m, v;
  std::vector<Expr> averages;
};
AdamResult adam(Expr p, Expr m, Expr v, Expr g, Expr rate, Expr c1, Expr c2, Expr gradient_scale,
                std::span<const Expr> averages, std::span<const Expr> keeps, const AdamArgs&,
                Where = Where::here());

// The same value as primitives: outputs of a composite node rebuilt from its operands.
std::vector<Expr> decompose(Graph& graph, NodeId composite);

// ---- derivatives
// d loss / d wrt_i, appended to the graph; zeros where the loss does not depend on it. Any order.
std::vector<Expr> gradient(Expr loss, std::span<const Expr> wrt, Where = Where::here());
Expr gradient(Expr loss, Expr wrt, Where = Where::here());
// The same, each of `wrt` held while another moves: they count as independent of each other even
// where one is computed from another. Nothing is computed again.
std::vector<Expr> partial_gradient(Expr loss, std::span<const Expr> wrt, Where = Where::here());
// f(inputs) whose inner values are computed again for the backward pass instead of being kept.
std::vector<Expr> checkpoint(const std::function<std::vector<Expr>(std::span<const Expr>)>& f,
                             std::span<const Expr> inputs, Where = Where::here());

// ---- attributes
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
