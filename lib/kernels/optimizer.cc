// Adam with decoupled decay and averages in one pass (Kingma and Ba 2014; Loshchilov and Hutter
// 2017), and cross-entropy by label.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {

void adam(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const AdamKernelArgs*>(untyped);
  Range mine = split_range(long(args.count), thread, threads, 256);
  VF beta1 = set(args.beta1), beta2 = set(args.beta2);
  VF rest1 = set(float(1.0 - double(args.beta1))), rest2 = set(float(1.0 - double(args.beta2)));
  VF rate = set(*args.rate), c1 = set(*args.c1), c2 = set(*args.c2), scale = set(*args.scale);
  VF eps = set(args.eps), decay = set(*args.rate * args.weight_decay);
  for_vectors(mine.first, mine.last, [&](std::int64_t i, int count) HWY_ATTR {
    VF g = hn::Mul(load_n(args.g + i, count), scale), p = load_n(args.p_in + i, count);
    VF m = hn::MulAdd(beta1, load_n(args.m_in + i, count), hn::Mul(rest1, g));
    VF v = hn::MulAdd(beta2, load_n(args.v_in + i, count), hn::Mul(rest2, hn::Mul(g, g)));
    VF slope = hn::Div(hn::Div(m, c1), hn::Add(hn::Sqrt(hn::Div(v, c2)), eps));
    VF next = hn::NegMulAdd(decay, p, hn::NegMulAdd(rate, slope, p));
    store_n(m, args.m + i, count);
    store_n(v, args.v + i, count);
    store_n(next, args.p + i, count);
    for (int k = 0; k < args.num_averages; ++k) {
      VF a = load_n(args.average_in[k] + i, count), drop = set(1.0f - *args.keep[k]);
      store_n(hn::MulAdd(drop, hn::Sub(next, a), a), args.average[k] + i, count);
    }
  });
}

void cross_entropy(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const CrossEntropyArgs*>(untyped);
  Range mine = split_range(long(args.rows), thread, threads);
  for (std::int64_t r = mine.first; r < mine.last; ++r) {
    const float* x = args.logits + r * args.classes;
    float top = x[0];
    for (std::int64_t i = 1; i < args.classes; ++i) top = top < x[i] ? x[i] : top;
    VF t = set(top);
    float total = lane_sum(args.classes, [&](std::int64_t i, int count) HWY_ATTR {
      return keep_n(exp_v(hn::Sub(load_n(x + i, count), t)), count);
    });
    float lse = top + hn::GetLane(log_v(set(total)));
    std::int64_t label = args.labels[r];
    bool inside = label >= 0 && label < args.classes;
    args.lse[r] = lse;
    args.loss[r] = inside ? lse - x[label] : std::numeric_limits<float>::quiet_NaN();
  }
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_optimizers(Level level, KernelTable& table) {
  entry_of(table, KernelId::adam).run = uses_avx512(level) ? N_AVX3::adam : N_AVX2::adam;
}
void add_losses(Level level, KernelTable& table) {
  entry_of(table, KernelId::cross_entropy).run =
      uses_avx512(level) ? N_AVX3::cross_entropy : N_AVX2::cross_entropy;
}

}  // namespace atelier
#endif
