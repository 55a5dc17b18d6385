// Composites: one step with its own kernel; operands dense.
#include <fmt/format.h>

#include "compile/lowering.h"

namespace atelier {
namespace {

float eps_of(std::int64_t bits) { return float(bits_to_double(bits)); }

}  // namespace

bool Lowering::composite(NodeId id) {
  const Node& n = g_.node(id);
  if (!is_composite(n.op)) return false;
  std::vector<View> in, out;
  for (Value v : g_.operands(id)) in.push_back(dense(v));
  for (std::uint16_t part = 0; part < n.parts; ++part) out.push_back(define({id, part}));
  auto a = g_.attributes(id);
  const Shape& x = in[0].type.shape;
  auto emit = [&](auto& step) { program_.steps.push_back(step.finish(g_, program_)); };
  switch (n.op) {
    case Op::normal: {
      StepOf<RandomArgs> step(KernelId::normal, id);
      const Shape& y = out[0].type.shape;
      step.args.rows = y[0];
      step.args.row = y.count() / y[0];
      step.args.stream = std::uint64_t(a[0]);
      step.writes(offsetof(RandomArgs, out), out[0]);
      step.reads(offsetof(RandomArgs, ids), in[0]);
      step.reads(offsetof(RandomArgs, clock), in[1]);
      emit(step);
      return true;
    }
    case Op::softmax: {
      StepOf<SoftmaxArgs> step(KernelId::softmax, id);
      step.args.width = x[-1];
      step.args.rows = x.count() / x[-1];
      step.writes(offsetof(SoftmaxArgs, y), out[0]);
      step.reads(offsetof(SoftmaxArgs, x), in[0]);
      emit(step);
      return true;
    }
    case Op::layer_norm: {
      StepOf<LayerNormArgs> step(KernelId::layer_norm, id);
      step.args.width = x[-1];
      step.args.rows = x.count() / x[-1];
      step.args.eps = eps_of(a[0]);
      step.writes(offsetof(LayerNormArgs, y), out[0]);
      step.writes(offsetof(LayerNormArgs, mean), out[1]);
      step.writes(offsetof(LayerNormArgs, rstd), out[2]);
      step.reads(offsetof(LayerNormArgs, x), in[0]);
      step.reads(offsetof(LayerNormArgs, scale), in[1]);
      step.reads(offsetof(LayerNormArgs, shift), in[2]);
      emit(step);
      return true;
    }
    case Op::layer_norm_grad: {
      StepOf<LayerNormGradArgs> step(KernelId::layer_norm_grad, id);
      step.args.width = x[-1];
      step.args.rows = x.count() / x[-1];
      step.writes(offsetof(LayerNormGradArgs, dx), out[0]);
      step.writes(offsetof(LayerNormGradArgs, dscale), out[1]);
      step.writes(offsetof(LayerNormGradArgs, dshift), out[2]);
      step.reads(offsetof(LayerNormGradArgs, x), in[0]);
      step.reads(offsetof(LayerNormGradArgs, scale), in[1]);
      step.reads(offsetof(LayerNormGradArgs, mean), in[2]);
      step.reads(offsetof(LayerNormGradArgs, rstd), in[3]);
      step.reads(offsetof(LayerNormGradArgs, dy), in[4]);
      step.scratch(offsetof(LayerNormGradArgs, scratch));
      emit(step);
      return true;
    }
    case Op::group_norm: {
      StepOf<GroupNormArgs> step(KernelId::group_norm, id);
      step.args.batch = x[0];
      step.args.channels = x[-1];
      step.args.pixels = x.count() / (x[0] * x[-1]);
      step.args.groups = a[0];
      step.args.eps = eps_of(a[1]);
      step.writes(offsetof(GroupNormArgs, y), out[0]);
      step.writes(offsetof(GroupNormArgs, mean), out[1]);
      step.writes(offsetof(GroupNormArgs, rstd), out[2]);
      step.reads(offsetof(GroupNormArgs, x), in[0]);
      step.reads(offsetof(GroupNormArgs, scale), in[1]);
      step.reads(offsetof(GroupNormArgs, shift), in[2]);
      step.scratch(offsetof(GroupNormArgs, scratch));
      emit(step);
      return true;
    }
    case Op::group_norm_grad: {
      StepOf<GroupNormGradArgs> step(KernelId::group_norm_grad, id);
      step.args.batch = x[0];
      step.args.channels = x[-1];
      step.args.pixels = x.count() / (x[0] * x[-1]);
      step.args.groups = a[0];
      step.writes(offsetof(GroupNormGradArgs, dx), out[0]);
      step.writes(offsetof(GroupNormGradArgs, dscale), out[1]);
      step.writes(offsetof(GroupNormGradArgs, dshift), out[2]);
      step.reads(offsetof(GroupNormGradArgs, x), in[0]);
      step.reads(offsetof(GroupNormGradArgs, scale), in[1]);
      step.reads(offsetof(GroupNormGradArgs, mean), in[2]);
      step.reads(offsetof(GroupNormGradArgs, rstd), in[3]);
      step.reads(offsetof(GroupNormGradArgs, dy), in[4]);
      step.scratch(offsetof(GroupNormGradArgs, scratch));
      emit(step);
      return true;
    }
    case Op::batch_norm: {
      StepOf<BatchNormArgs> step(KernelId::batch_norm, id);
      step.args.channels = x[-1];
      step.args.rows = x.count() / x[-1];
      step.args.eps = eps_of(a[0]);
      step.writes(offsetof(BatchNormArgs, y), out[0]);
      step.writes(offsetof(BatchNormArgs, mean), out[1]);
      step.writes(offsetof(BatchNormArgs, variance), out[2]);
      step.reads(offsetof(BatchNormArgs, x), in[0]);
      step.reads(offsetof(BatchNormArgs, scale), in[1]);
      step.reads(offsetof(BatchNormArgs, shift), in[2]);
      step.scratch(offsetof(BatchNormArgs, scratch));
      emit(step);
      return true;
    }
    case Op::batch_norm_grad: {
      StepOf<BatchNormGradArgs> step(KernelId::batch_norm_grad, id);
      step.args.channels = x[-1];
      step.args.rows = x.count() / x[-1];
      step.args.eps = eps_of(a[0]);
      step.writes(offsetof(BatchNormGradArgs, dx), out[0]);
      step.writes(offsetof(BatchNormGradArgs, dscale), out[1]);
      step.writes(offsetof(BatchNormGradArgs, dshift), out[2]);
      step.reads(offsetof(BatchNormGradArgs, x), in[0]);
      step.reads(offsetof(BatchNormGradArgs, scale), in[1]);
      step.reads(offsetof(BatchNormGradArgs, mean), in[2]);
      step.reads(offsetof(BatchNormGradArgs, variance), in[3]);
      step.reads(offsetof(BatchNormGradArgs, dy), in[4]);
      step.scratch(offsetof(BatchNormGradArgs, scratch));
      emit(step);
      return true;
    }
    case Op::cross_entropy: {
      StepOf<CrossEntropyArgs> step(KernelId::cross_entropy, id);
      step.args.rows = x[0];
      step.args.classes = x[1];
      step.writes(offsetof(CrossEntropyArgs, loss), out[0]);
      step.writes(offsetof(CrossEntropyArgs, lse), out[1]);
      step.reads(offsetof(CrossEntropyArgs, logits), in[0]);
      step.reads(offsetof(CrossEntropyArgs, labels), in[1]);
      emit(step);
      return true;
    }
    case Op::attention:
    case Op::attention_grad:
      attention(id, in, out);
      return true;
    case Op::adam:
      adam(id, in, out);
      return true;
    default:
      return false;
  }
}

void Lowering::attention(NodeId id, std::span<const View> in, std::span<const View> out) {
  auto a = g_.attributes(id);
  const Shape& q = in[0].type.shape;
  const Shape& k = in[1].type.shape;
  auto sizes = [&](auto& args) {
    args.batch = q[0];
    args.queries = q[1];
    args.keys = k[1];
    args.heads = q[2];
    args.head_dim = q[3];
    args.causal = std::int32_t(a[0]);
    args.scale = float(bits_to_double(a[1]));
  };
  bool backward = g_.node(id).op == Op::attention_grad;
  std::size_t extra = backward ? 6 : 3;
  if (!backward) {
    StepOf<AttentionKernelArgs> step(KernelId::attention, id);
    sizes(step.args);
    step.writes(offsetof(AttentionKernelArgs, out), out[0]);
    step.writes(offsetof(AttentionKernelArgs, lse), out[1]);
    step.reads(offsetof(AttentionKernelArgs, q), in[0]);
    step.reads(offsetof(AttentionKernelArgs, k), in[1]);
    step.reads(offsetof(AttentionKernelArgs, v), in[2]);
    if (a[2]) step.reads(offsetof(AttentionKernelArgs, bias), in[extra]);
    if (a[3]) step.reads(offsetof(AttentionKernelArgs, valid), in.back());
    step.scratch(offsetof(AttentionKernelArgs, scratch));
    program_.steps.push_back(step.finish(g_, program_));
    return;
  }
  StepOf<AttentionGradArgs> step(KernelId::attention_grad, id);
  sizes(step.args);
  step.writes(offsetof(AttentionGradArgs, dq), out[0]);
  step.writes(offsetof(AttentionGradArgs, dk), out[1]);
  step.writes(offsetof(AttentionGradArgs, dv), out[2]);
  step.reads(offsetof(AttentionGradArgs, q), in[0]);
  step.reads(offsetof(AttentionGradArgs, k), in[1]);
  step.reads(offsetof(AttentionGradArgs, v), in[2]);
  step.reads(offsetof(AttentionGradArgs, out), in[3]);
  step.reads(offsetof(AttentionGradArgs, lse), in[4]);
  step.reads(offsetof(AttentionGradArgs, dout), in[5]);
  if (a[2]) step.reads(offsetof(AttentionGradArgs, bias), in[extra]);
  if (a[3]) step.reads(offsetof(AttentionGradArgs, valid), in.back());
  step.scratch(offsetof(AttentionGradArgs, scratch));
  program_.steps.push_back(step.finish(g_, program_));
}

void Lowering::adam(NodeId id, std::span<const View> in, std::span<const View> out) {
  auto a = g_.attributes(id);
  std::size_t averages = std::size_t(a[4]);
  StepOf<AdamKernelArgs> step(KernelId::adam, id);
  step.args.count = in[0].type.shape.count();
  step.args.num_averages = std::int32_t(averages);
  step.args.beta1 = eps_of(a[0]);
  step.args.beta2 = eps_of(a[1]);
  step.args.eps = eps_of(a[2]);
  step.args.weight_decay = eps_of(a[3]);
  step.writes(offsetof(AdamKernelArgs, p), out[0]);
  step.writes(offsetof(AdamKernelArgs, m), out[1]);
  step.writes(offsetof(AdamKernelArgs, v), out[2]);
  step.reads(offsetof(AdamKernelArgs, p_in), in[0]);
  step.reads(offsetof(AdamKernelArgs, m_in), in[1]);
  step.reads(offsetof(AdamKernelArgs, v_in), in[2]);
  step.reads(offsetof(AdamKernelArgs, g), in[3]);
  step.reads(offsetof(AdamKernelArgs, rate), in[4]);
  step.reads(offsetof(AdamKernelArgs, c1), in[5]);
  step.reads(offsetof(AdamKernelArgs, c2), in[6]);
  step.reads(offsetof(AdamKernelArgs, scale), in[7]);
  for (std::size_t i = 0; i < averages; ++i) {
    step.writes(offsetof(AdamKernelArgs, average) + i * sizeof(float*), out[3 + i]);
    step.reads(offsetof(AdamKernelArgs, average_in) + i * sizeof(float*), in[8 + i]);
    step.reads(offsetof(AdamKernelArgs, keep) + i * sizeof(float*), in[8 + averages + i]);
  }
  program_.steps.push_back(step.finish(g_, program_));
}

}  // namespace atelier
