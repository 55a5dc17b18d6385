// Reductions of the middle axis of [outer, reduce, inner] in strips fixed by shape.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include <algorithm>

#include "base/parallel.h"
#include "kernels/math-inl.h"
#include "kernels/strips.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

// Sum of a contiguous row.
float row_sum(const float* x, std::int64_t n) {
  return lane_sum(n, [&](std::int64_t i, int count) HWY_ATTR { return load_n(x + i, count); });
}

// Partial sums [outer, strips, inner] into the scratch, or the result itself if there is one strip.
void sum_strips(const ReduceArgs& args, int thread, int threads) {
  Strips strips = reduce_strips(args);
  float* partial =
      strips.count == 1 ? static_cast<float*>(args.out) : static_cast<float*>(args.scratch);
  Range mine = split_range(long(args.outer * strips.count), thread, threads);
  for (std::int64_t task = mine.first; task < mine.last; ++task) {
    const Strips::Span span = strips.range(task % strips.count);
    const std::int64_t first = span.first, last = span.last;
    const float* x = args.in + (task / strips.count * args.reduce + first) * args.inner;
    float* to = partial + task * args.inner;
    if (args.inner == 1) {
      *to = row_sum(x, last - first);
      continue;
    }
    for_vectors(0, args.inner, [&](std::int64_t i, int count) HWY_ATTR {
      VF total = set(0.0f);
      for (std::int64_t r = 0; r < last - first; ++r)
        total = hn::Add(total, load_n(x + r * args.inner + i, count));
      store_n(total, to + i, count);
    });
  }
}

void sum_combine(const ReduceArgs& args, int thread, int threads) {
  Strips strips = reduce_strips(args);
  const float* partial = strips.count == 1 ? static_cast<const float*>(args.out)
                                           : static_cast<const float*>(args.scratch);
  float* out = static_cast<float*>(args.out);
  Range mine = split_range(long(args.outer * args.inner), thread, threads);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    const float* from = partial + i / args.inner * strips.count * args.inner + i % args.inner;
    float total = from[0];
    for (std::int64_t s = 1; s < strips.count; ++s) total += from[s * args.inner];
    out[i] = args.scale == 1 ? total : total * args.scale;
  }
}

void maxima(const ReduceArgs& args, int thread, int threads) {
  Range mine = split_range(long(args.outer * args.inner), thread, threads);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    const float* x = args.in + i / args.inner * args.reduce * args.inner + i % args.inner;
    float best = x[0];
    std::int64_t where = 0;
    for (std::int64_t r = 1; r < args.reduce; ++r) {
      if (best < x[r * args.inner]) {
        best = x[r * args.inner];
        where = r;
      }
    }
    if (args.op == ReduceOp::top) {
      static_cast<float*>(args.out)[i] = best;
    } else {
      static_cast<std::int32_t*>(args.out)[i] = std::int32_t(where);
    }
  }
}

}  // namespace

void reduce(const void* untyped, int phase, int thread, int threads) noexcept {
  const auto& args = *static_cast<const ReduceArgs*>(untyped);
  if (args.op != ReduceOp::sum) return maxima(args, thread, threads);
  phase == 0 ? sum_strips(args, thread, threads) : sum_combine(args, thread, threads);
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_reductions(Level level, KernelTable& table) {
  KernelEntry& entry = entry_of(table, KernelId::reduce);
  entry.run = uses_avx512(level) ? N_AVX3::reduce : N_AVX2::reduce;
  entry.phases = [](const void* untyped) {
    const auto& args = *static_cast<const ReduceArgs*>(untyped);
    return args.op == ReduceOp::sum && (reduce_strips(args).count > 1 || args.scale != 1) ? 2 : 1;
  };
  entry.scratch_bytes = [](const void* untyped, int) {
    const auto& args = *static_cast<const ReduceArgs*>(untyped);
    Strips strips = reduce_strips(args);
    return args.op == ReduceOp::sum && strips.count > 1
               ? std::size_t(args.outer * strips.count * args.inner) * 4
               : 0;
  };
}

}  // namespace atelier
#endif
