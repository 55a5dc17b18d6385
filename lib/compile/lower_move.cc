// Movement, reductions and indexing: views where possible, copies where not.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "compile/lowering.h"

namespace atelier {

void Lowering::copy(const View& to, const View& from, NodeId id) {
  StepOf<CopyArgs> step(KernelId::copy, id);
  step.args.element_bytes = std::int32_t(size_of(from.type.dtype));
  // Axes of one element dropped, neighbours joined: long inner runs copy fast.
  int rank = -1;
  for (int i = 0; i < from.type.shape.rank(); ++i) {
    std::int64_t extent = from.type.shape[i];
    if (extent == 1) continue;
    std::int64_t d = to.stride[std::size_t(i)], s = from.stride[std::size_t(i)];
    if (rank >= 0 && step.args.dst_stride[rank] == d * extent &&
        step.args.src_stride[rank] == s * extent) {
      step.args.extent[rank] *= extent;
    } else {
      step.args.extent[++rank] = extent;
    }
    step.args.dst_stride[rank] = d;
    step.args.src_stride[rank] = s;
  }
  if (rank < 0) {
    rank = 0;
    step.args.extent[0] = 1;
    step.args.dst_stride[0] = step.args.src_stride[0] = 1;
  }
  step.args.rank = rank + 1;
  step.writes(offsetof(CopyArgs, dst), to);
  step.reads(offsetof(CopyArgs, src), from);
  program_.steps.push_back(step.finish(g_, program_));
}

void Lowering::fill(const View& to, double value, NodeId id) {
  StepOf<FillArgs> step(KernelId::fill, id);
  DType dtype = to.type.dtype;
  step.args.bytes = to.type.bytes();
  step.args.element_bytes = std::int32_t(size_of(dtype));
  switch (dtype) {
    case DType::i32:
      step.args.pattern = std::uint32_t(std::int32_t(value));
      break;
    case DType::u8:
      step.args.pattern = std::uint8_t(value);
      break;
    case DType::bf16:
      step.args.pattern = to_bf16(float(value)).bits;
      break;
    default:
      step.args.pattern = std::bit_cast<std::uint32_t>(float(value));
      break;
  }
  step.writes(offsetof(FillArgs, dst), to);
  program_.steps.push_back(step.finish(g_, program_));
}

// Reshape, transpose, broadcast, slice and reverse are views.
bool Lowering::movement(NodeId id) {
  const Node& n = g_.node(id);
  auto a = g_.attributes(id);
  const Type& type = g_.type({id, 0});
  if (n.op == Op::reshape) {
    View from = view(g_.operands(id)[0]);
    if (!from.constant) from = dense(g_.operands(id)[0]);
    from.type = type;
    from.stride = from.constant ? decltype(from.stride){} : dense_strides(type.shape);
    alias({id, 0}, from);
    return true;
  }
  bool moves =
      n.op == Op::transpose || n.op == Op::broadcast || n.op == Op::slice || n.op == Op::reverse;
  if (!moves) return false;
  View from = view(g_.operands(id)[0]);
  View to = from;
  to.type = type;
  to.stride = {};
  const Shape& shape = from.type.shape;
  for (int i = 0; i < type.shape.rank() && !from.constant; ++i) {
    auto at = std::size_t(i);
    if (n.op == Op::transpose) {
      to.stride[at] = from.stride[std::size_t(a[at])];
    } else if (n.op == Op::broadcast) {
      int source = i - (type.shape.rank() - shape.rank());
      if (source >= 0 && shape[source] > 1) to.stride[at] = from.stride[std::size_t(source)];
    } else if (n.op == Op::slice) {
      to.offset += a[3 * at] * from.stride[at];
      to.stride[at] = from.stride[at] * a[3 * at + 2];
    } else {
      bool flipped = a[0] >> i & 1;
      if (flipped) to.offset += (shape[i] - 1) * from.stride[at];
      to.stride[at] = flipped ? -from.stride[at] : from.stride[at];
    }
  }
  alias({id, 0}, to);
  return true;
}

void Lowering::pad(NodeId id) {
  auto a = g_.attributes(id);
  View from = view(g_.operands(id)[0]), to = define({id, 0});
  fill(to, 0, id);
  View window = to;
  window.type.shape = from.type.shape;
  for (int i = 0; i < from.type.shape.rank(); ++i) {
    auto at = std::size_t(i);
    window.offset += a[3 * at] * to.stride[at];
    window.stride[at] = to.stride[at] * (a[3 * at + 2] + 1);
  }
  if (from.constant) from = dense_copy(from, id);
  copy(window, from, id);
}

void Lowering::concat(NodeId id) {
  int axis = int(g_.attributes(id)[0]);
  View to = define({id, 0});
  std::int64_t at = 0;
  for (Value piece : g_.operands(id)) {
    View from = view(piece);
    if (from.constant) from = dense_copy(from, id);
    View window = to;
    window.type.shape = from.type.shape;
    window.offset += at * to.stride[std::size_t(axis)];
    copy(window, from, id);
    at += from.type.shape[axis];
  }
}

// Reduced axes that are not neighbours are brought together by a copy.
void Lowering::reduce(NodeId id) {
  std::int64_t mask = g_.attributes(id)[0];
  View from = view(g_.operands(id)[0]);
  const Shape shape = from.type.shape;
  std::vector<int> kept_before, reduced, kept_after;
  bool gap = false;  // a kept axis between reduced ones
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    if (mask >> i & 1) {
      gap = gap || !kept_after.empty();
      reduced.push_back(i);
    } else {
      (reduced.empty() ? kept_before : kept_after).push_back(i);
    }
  }
  std::int64_t outer = 1, count = 1, inner = 1;
  View source;
  if (!gap) {
    source = dense(g_.operands(id)[0]);
    for (int i : kept_before) outer *= shape[i];
    for (int i : reduced) count *= shape[i];
    for (int i : kept_after) inner *= shape[i];
  } else {
    View moved = from;  // kept axes first, reduced ones last
    std::vector<std::int64_t> axes;
    std::vector<int> order;
    for (int i = 0; i < shape.rank(); ++i) {
      if (!(mask >> i & 1)) order.push_back(i), outer *= shape[i];
    }
    for (int i = 0; i < shape.rank(); ++i) {
      if (mask >> i & 1) order.push_back(i), count *= shape[i];
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      axes.push_back(shape[order[i]]);
      moved.stride[i] = from.stride[std::size_t(order[i])];
    }
    moved.type.shape = Shape(axes);
    source = dense_copy(moved, id);
  }
  View to = define({id, 0});
  StepOf<ReduceArgs> step(KernelId::reduce, id);
  Op op = g_.node(id).op;
  step.args.outer = outer;
  step.args.reduce = count;
  step.args.inner = inner;
  step.args.scale = 1;
  step.args.op = op == Op::sum ? ReduceOp::sum : op == Op::top ? ReduceOp::top : ReduceOp::argtop;
  step.reads(offsetof(ReduceArgs, in), source);
  step.writes(offsetof(ReduceArgs, out), to);
  step.scratch(offsetof(ReduceArgs, scratch));
  program_.steps.push_back(step.finish(g_, program_));
}

void Lowering::indexing(NodeId id) {
  Op op = g_.node(id).op;
  auto operands = g_.operands(id);
  auto a = g_.attributes(id);
  const Type& type = g_.type({id, 0});
  if (op == Op::iota) {
    View to = define({id, 0});
    StepOf<IotaArgs> step(KernelId::iota, id);
    step.args.rank = type.shape.rank();
    std::int64_t weight = 1;
    for (int i = type.shape.rank() - 1; i >= 0; --i) {
      step.args.extent[i] = type.shape[i];
      bool counted = a[0] >> i & 1;
      step.args.weight[i] = counted ? weight : 0;
      if (counted) weight *= type.shape[i];
    }
    step.writes(offsetof(IotaArgs, dst), to);
    program_.steps.push_back(step.finish(g_, program_));
    return;
  }
  std::vector<View> in;
  for (Value v : operands) in.push_back(dense(v));
  View to = define({id, 0});
  if (op == Op::random) {
    StepOf<RandomArgs> step(KernelId::random, id);
    step.args.rows = type.shape[0];
    step.args.row = type.shape.count() / std::max<std::int64_t>(1, type.shape[0]);
    step.args.stream = std::uint64_t(a[0]);
    step.writes(offsetof(RandomArgs, out), to);
    step.reads(offsetof(RandomArgs, ids), in[0]);
    step.reads(offsetof(RandomArgs, clock), in[1]);
    program_.steps.push_back(step.finish(g_, program_));
  } else if (op == Op::take) {
    StepOf<TakeArgs> step(KernelId::take, id);
    step.args.count = in[1].type.shape.count();
    step.args.rows = in[0].type.shape[0];
    step.args.row_bytes = in[0].type.bytes() / step.args.rows;
    step.writes(offsetof(TakeArgs, out), to);
    step.reads(offsetof(TakeArgs, in), in[0]);
    step.reads(offsetof(TakeArgs, index), in[1]);
    program_.steps.push_back(step.finish(g_, program_));
  } else if (op == Op::put_add) {
    StepOf<PutAddArgs> step(KernelId::put_add, id);
    step.args.count = in[1].type.shape.count();
    step.args.rows = type.shape[0];
    step.args.row = type.shape.count() / type.shape[0];
    step.writes(offsetof(PutAddArgs, out), to);
    step.reads(offsetof(PutAddArgs, in), in[0]);
    step.reads(offsetof(PutAddArgs, index), in[1]);
    program_.steps.push_back(step.finish(g_, program_));
  } else {
    bool update = op == Op::dyn_update;
    StepOf<DynArgs> step(update ? KernelId::dyn_update : KernelId::dyn_slice, id);
    const Shape& full = in[0].type.shape;
    const Shape& window = update ? in[1].type.shape : type.shape;
    step.args.element_bytes = std::int32_t(size_of(type.dtype));
    step.args.rank = full.rank();
    for (int i = 0; i < full.rank(); ++i) {
      step.args.full[i] = full[i];
      step.args.window[i] = window[i];
    }
    step.writes(offsetof(DynArgs, out), to);
    step.reads(offsetof(DynArgs, in), in[update ? 1 : 0]);
    step.reads(offsetof(DynArgs, start), in[update ? 2 : 1]);
    if (update) step.reads(offsetof(DynArgs, base), in[0]);
    program_.steps.push_back(step.finish(g_, program_));
  }
}

}  // namespace atelier
