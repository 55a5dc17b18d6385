// Products: weights are packed once a version, activations where they are needed.
#include <fmt/format.h>

#include <algorithm>

#include "compile/lowering.h"

namespace atelier {

// The packed form of `from`. Packs of stored tensors go to the prologue and are shared.
View Lowering::packed(const PackArgs& args, const View& from, NodeId id) {
  bool stored = program_.tensors[from.tensor].home == Home::slot;
  const auto* words = reinterpret_cast<const std::int64_t*>(&args.batch);
  std::vector<std::int64_t> key(words, words + (sizeof(PackArgs) - offsetof(PackArgs, batch)) / 8);
  key.insert(key.end(), {std::int64_t(args.format), std::int64_t(args.word),
                         std::int64_t(from.tensor), from.offset});
  auto [it, fresh] = packs_.try_emplace(key, kNoTensor);
  View to;
  to.type = {DType::f32, {packed_count(args)}};
  to.stride = dense_strides(to.type.shape);
  if (fresh) {
    it->second = new_tensor(to.type.bytes(), stored ? Home::packed : Home::arena);
    if (stored) program_.tensors[it->second].slot = program_.tensors[from.tensor].slot;
    to.tensor = it->second;
    StepOf<PackArgs> step(KernelId::pack, id);
    step.args = args;
    step.writes(offsetof(PackArgs, dst), to);
    step.reads(offsetof(PackArgs, src), from);
    (stored ? program_.prologue : program_.steps).push_back(step.finish(g_, program_));
  }
  to.tensor = it->second;
  return to;
}

// Widening is exact, so that the product is that of the bf16 numbers, accumulated in f32.
View Lowering::widened(Value v) {
  View from = view(v);
  if (from.type.dtype != DType::bf16) return from;
  auto [it, fresh] = widened_.try_emplace(key(v), kNoTensor);
  View to;
  to.type = {DType::f32, from.type.shape};
  to.stride = dense_strides(to.type.shape);
  if (fresh) it->second = new_tensor(to.type.bytes());
  to.tensor = it->second;
  if (fresh) convert(to, from, v.node);
  return to;
}

namespace {
// Leading axes of a product as one batch axis with one stride; nothing if they do not join.
std::optional<std::int64_t> batch_stride(const View& v) {
  std::int64_t stride = 0, extent = 0;
  for (int i = v.type.shape.rank() - 3; i >= 0; --i) {
    if (v.type.shape[i] == 1) continue;
    if (extent == 0) {
      stride = v.stride[std::size_t(i)];
      extent = v.type.shape[i];
    } else if (v.stride[std::size_t(i)] == stride * extent) {
      extent *= v.type.shape[i];
    } else {
      return std::nullopt;
    }
  }
  return stride;
}
}  // namespace

void Lowering::matmul(NodeId id) {
  auto operands = g_.operands(id);
  bool ta = g_.attributes(id)[0], tb = g_.attributes(id)[1];
  View a = widened(operands[0]), b = widened(operands[1]);
  if (a.constant || !batch_stride(a)) a = dense(operands[0]);
  if (b.constant || !batch_stride(b)) b = dense(operands[1]);
  int rank = a.type.shape.rank();
  auto row = std::size_t(rank - 2), column = std::size_t(rank - 1);
  const Shape& out = g_.type({id, 0}).shape;
  std::int64_t batch = 1;
  for (int i = 0; i < rank - 2; ++i) batch *= out[i];
  std::int64_t k = a.type.shape[ta ? -2 : -1];

  PackArgs pack{};
  pack.format = PackFormat::matmul;
  pack.batch = batch;
  pack.k = k;
  pack.n = out[-1];
  pack.batch_stride = *batch_stride(b);
  pack.k_stride = b.stride[tb ? column : row];
  pack.n_stride = b.stride[tb ? row : column];
  View panel = packed(pack, b, id);

  View c = define({id, 0});
  StepOf<MatmulArgs> step(KernelId::matmul, id);
  step.args.batch = batch;
  step.args.m = out[-2];
  step.args.n = out[-1];
  step.args.k = k;
  step.args.a_batch_stride = *batch_stride(a);
  step.args.a_row_stride = a.stride[ta ? column : row];
  step.args.a_k_stride = a.stride[ta ? row : column];
  step.args.b_batch_stride = batch > 1 ? packed_count(pack) / batch : 0;
  step.writes(offsetof(MatmulArgs, c), c);
  step.reads(offsetof(MatmulArgs, a), a);
  step.reads(offsetof(MatmulArgs, b), panel);
  program_.steps.push_back(step.finish(g_, program_));
}

void Lowering::convolution(NodeId id) {
  Op op = g_.node(id).op;
  auto operands = g_.operands(id);
  auto a = ConvAttributes::from(g_.attributes(id));
  const Shape& p = g_.type(operands[0]).shape;
  const Shape& q = g_.type(operands[1]).shape;
  const Shape& r = g_.type({id, 0}).shape;
  const Shape& x = op == Op::conv_dx ? r : p;
  const Shape& w = op == Op::conv_dw ? r : q;
  const Shape& y = op == Op::conv ? r : op == Op::conv_dx ? p : q;
  ConvGeometry geometry{x[0],
                        x[1],
                        x[2],
                        x[3],
                        y[1],
                        y[2],
                        y[3],
                        {w[0], w[1]},
                        {a.stride[0], a.stride[1]},
                        {a.pad[0], a.pad[1], a.pad[2], a.pad[3]},
                        {a.dilation[0], a.dilation[1]},
                        a.groups};
  View in = widened(operands[0]), other = widened(operands[1]);
  if (!in.dense()) in = dense(operands[0]);
  if (!other.dense()) other = dense(operands[1]);
  PackArgs pack{};
  pack.format = op == Op::conv      ? PackFormat::conv
                : op == Op::conv_dx ? PackFormat::conv_dx
                                    : PackFormat::conv_dw;
  pack.batch = 1;
  pack.conv = geometry;
  View panel = packed(pack, other, id);
  View out = define({id, 0});
  KernelId kernel = op == Op::conv      ? KernelId::conv
                    : op == Op::conv_dx ? KernelId::conv_dx
                                        : KernelId::conv_dw;
  StepOf<ConvArgs> step(kernel, id);
  step.args.conv = geometry;
  step.writes(offsetof(ConvArgs, out), out);
  step.reads(offsetof(ConvArgs, in), in);
  step.reads(offsetof(ConvArgs, packed), panel);
  step.scratch(offsetof(ConvArgs, scratch));
  program_.steps.push_back(step.finish(g_, program_));
}

}  // namespace atelier
