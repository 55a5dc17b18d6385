// Scaled dot-product attention (Vaswani et al. 2017): softmax over whole rows of scores, the log of
// each row's sum of exponentials kept for the gradient.
#include <cmath>

#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include "kernels/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

// Exponentials of a row of finished scores, in place; returns the row's lse and its sum.
struct RowSum {
  float lse, sum;
};
RowSum exponentiate(float* s, std::int64_t width) {
  const FloatTag d;
  FloatVec top = hn::LoadU(d, s);
  for (std::int64_t j = kLanes; j < width; j += kLanes) top = hn::Max(top, hn::LoadU(d, s + j));
  const float max = hn::GetLane(hn::MaxOfLanes(d, top));
  FloatVec sum[kStripVectors];
  for (FloatVec& v : sum) v = hn::Zero(d);
  for (std::int64_t j = 0; j < width; j += kStrip) {
    ATELIER_UNROLL
    for (int i = 0; i < kStripVectors; ++i) {
      float* at = s + j + i * kLanes;
      const FloatVec p = exp_v(hn::Sub(hn::LoadU(d, at), hn::Set(d, max)));
      hn::StoreU(p, d, at);
      sum[i] = hn::Add(sum[i], p);
    }
  }
  const float total = sum_of_lanes(sum);
  return {float(double(max) + std::log(double(total))), total};
}

void divide_row(float* row, std::int64_t count, float divisor) {
  const FloatTag d;
  for (std::int64_t j = 0; j < count; j += kLanes) {
    const int left = int(std::min<std::int64_t>(kLanes, count - j));
    store_columns(hn::Div(load_columns(row + j, left), hn::Set(d, divisor)), row + j, left);
  }
}

struct AttentionScratch {
  std::int64_t keys, values, scores, row;  // floats from the start; row: of scores
  std::int64_t total;
};
AttentionScratch scratch_of(const AttentionKernelArgs& args) {
  AttentionScratch s{};
  s.row = panels(args.keys) * kPanel + kRowPad;
  s.values = panels(args.keys) * args.head_dim * kPanel;
  s.scores = s.values + panels(args.head_dim) * args.keys * kPanel;
  s.total = s.scores + kQueryBlock * s.row;
  return s;
}

struct AttentionHead {
  Head head;
  const float *q, *k, *v;
  float *out, *lse;
  float *keys, *values, *scores;  // scratch
  std::int64_t row;
};

// Queries [first, first + count): scores, softmax, product with the values.
void attend(const AttentionHead& h, std::int64_t first, std::int64_t count) {
  const Head& head = h.head;
  const std::int64_t seen = head.limit(first + count - 1);
  const std::int64_t width = (seen + kStrip - 1) / kStrip * kStrip;
  run_whole({count, seen, head.dim, h.keys, nullptr, false},
            DirectRows{h.q + first * head.stride, head.stride, h.scores, h.row}, nullptr);
  float sum[kQueryBlock];
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t limit = head.limit(first + i);
    float* s = h.scores + i * h.row;
    finish_scores(head, first + i, limit, width, s);
    if (limit == 0) {
      for (std::int64_t j = 0; j < width; ++j) s[j] = 0;
      h.lse[first + i] = kNoKeys;
      sum[i] = 1;
    } else {
      const RowSum r = exponentiate(s, width);
      h.lse[first + i] = r.lse;
      sum[i] = r.sum;
    }
  }
  float* out = h.out + first * head.stride;
  Product values{count, head.dim, seen, h.values, nullptr, false};
  values.panel_rows = head.keys;
  run_whole(values, DirectRows{h.scores, h.row, out, head.stride}, nullptr);
  for (std::int64_t i = 0; i < count; ++i) divide_row(out + i * head.stride, head.dim, sum[i]);
}

void attention(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const AttentionKernelArgs*>(untyped);
  const AttentionScratch scratch = scratch_of(args);
  float* own = args.scratch + thread * scratch.total;
  const Range mine = split_range(long(args.batch * args.heads), thread, threads);
  for (std::int64_t task = mine.first; task < mine.last; ++task) {
    const std::int64_t q = head_offset(args, task, args.queries);
    const std::int64_t k = head_offset(args, task, args.keys);
    const AttentionHead h{head_of(args, task),
                          args.q + q,
                          args.k + k,
                          args.v + k,
                          args.out + q,
                          args.lse + task * args.queries,
                          own,
                          own + scratch.values,
                          own + scratch.scores,
                          scratch.row};
    pack_matrix(h.keys, h.k, h.head.dim, h.head.keys, 1, h.head.stride);
    pack_matrix(h.values, h.v, h.head.keys, h.head.dim, h.head.stride, 1);
    for (std::int64_t first = 0; first < args.queries; first += kQueryBlock) {
      attend(h, first, std::min(kQueryBlock, args.queries - first));
    }
  }
}

}  // namespace
}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {
namespace {

std::size_t attention_scratch(const void* args, int threads) {
  const auto& a = *static_cast<const AttentionKernelArgs*>(args);
  return std::size_t(N_AVX2::scratch_of(a).total) * sizeof(float) * std::size_t(threads);
}

}  // namespace

void add_attention(Level level, KernelTable& table) {
  KernelEntry& entry = entry_of(table, KernelId::attention);
  entry.run = uses_avx512(level) ? N_AVX3::attention : N_AVX2::attention;
  entry.scratch_bytes = attention_scratch;
  add_attention_grad(level, table);
}

}  // namespace atelier
#endif
