// Gradient of attention: the weights are computed again from lse, block by block of queries; dk and
// dv are summed over the blocks in order, so nothing depends on the team.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include "kernels/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

struct GradScratch {
  // Floats from the start: k and v as columns, k as rows, the block's q and dout as rows, weights
  // and their gradient.
  std::int64_t k_columns, v_columns, k_rows, q_rows, dout_rows, weights, dweights;
  std::int64_t row, total;
};
GradScratch scratch_of(const AttentionGradArgs& args) {
  GradScratch s{};
  const std::int64_t columns = panels(args.keys) * args.head_dim * kPanel;
  const std::int64_t block = panels(args.head_dim) * kQueryBlock * kPanel;
  s.row = panels(args.keys) * kPanel + kRowPad;
  s.v_columns = columns;
  s.k_rows = s.v_columns + columns;
  s.q_rows = s.k_rows + panels(args.head_dim) * args.keys * kPanel;
  s.dout_rows = s.q_rows + block;
  s.weights = s.dout_rows + block;
  s.dweights = s.weights + kQueryBlock * s.row;
  s.total = s.dweights + kQueryBlock * s.row;
  return s;
}

struct GradHead {
  Head head;
  const float *q, *k, *v, *out, *lse, *dout;
  float *dq, *dk, *dv;
  float* own;  // this thread's scratch
  GradScratch at;
};

// Sum of a[i] * b[i] in 16 lanes.
float dot(const float* a, const float* b, std::int64_t count) {
  FloatVec sum[kStripVectors];
  for (FloatVec& v : sum) v = hn::Zero(FloatTag());
  for (std::int64_t j = 0; j < count; j += kStrip) {
    ATELIER_UNROLL
    for (int i = 0; i < kStripVectors; ++i) {
      const std::int64_t first = j + i * kLanes;
      if (first >= count) continue;
      const int left = int(std::min<std::int64_t>(kLanes, count - first));
      sum[i] = hn::MulAdd(load_columns(a + first, left), load_columns(b + first, left), sum[i]);
    }
  }
  return sum_of_lanes(sum);
}

// weights: finished scores to e^(score - lse); dweights: to weight * (dweight - delta) * scale.
void finish_weights(float* weights, float* dweights, std::int64_t width, float lse, float delta,
                    float scale) {
  const FloatTag d;
  for (std::int64_t j = 0; j < width; j += kLanes) {
    const FloatVec x = hn::Sub(hn::LoadU(d, weights + j), hn::Set(d, lse));
    // Rounding of lse may leave a score a little above it.
    const FloatVec p = exp_v(hn::Min(hn::Zero(d), x));
    hn::StoreU(p, d, weights + j);
    const FloatVec change = hn::Sub(hn::LoadU(d, dweights + j), hn::Set(d, delta));
    hn::StoreU(hn::Mul(hn::Mul(p, change), hn::Set(d, scale)), d, dweights + j);
  }
}

// Weights and their gradient for queries [first, first + count) against the first `seen` keys.
void weights_of(const GradHead& h, std::int64_t first, std::int64_t count, std::int64_t seen) {
  const Head& head = h.head;
  const std::int64_t width = (seen + kStrip - 1) / kStrip * kStrip;
  const std::int64_t from = first * head.stride;
  float* weights = h.own + h.at.weights;
  float* dweights = h.own + h.at.dweights;
  run_whole({count, seen, head.dim, h.own + h.at.k_columns, nullptr, false},
            DirectRows{h.q + from, head.stride, weights, h.at.row}, nullptr);
  run_whole({count, seen, head.dim, h.own + h.at.v_columns, nullptr, false},
            DirectRows{h.dout + from, head.stride, dweights, h.at.row}, nullptr);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t limit = head.limit(first + i), token = (first + i) * head.stride;
    float* w = weights + i * h.at.row;
    float* dw = dweights + i * h.at.row;
    for (std::int64_t j = seen; j < width; ++j) dw[j] = 0;
    finish_scores(head, first + i, limit, width, w);
    finish_weights(w, dw, width, h.lse[first + i], dot(h.dout + token, h.out + token, head.dim),
                   head.scale);
  }
}

// c [keys][dim] += (weights [count][keys])^T rows [count][dim].
void add_transposed(const GradHead& h, const float* weights, const float* rows, std::int64_t count,
                    std::int64_t seen, float* c, float* buffer) {
  Product product{seen, h.head.dim, count, rows, nullptr, false};
  product.accumulate = true;
  run_whole(product, StridedRows{weights, 1, h.at.row, c, h.head.stride}, buffer);
}

void differentiate(const GradHead& h, std::int64_t first, std::int64_t count, float* buffer) {
  const Head& head = h.head;
  const std::int64_t seen = head.limit(first + count - 1), from = first * head.stride;
  weights_of(h, first, count, seen);
  float* q_rows = h.own + h.at.q_rows;
  float* dout_rows = h.own + h.at.dout_rows;
  pack_matrix(q_rows, h.q + from, count, head.dim, head.stride, 1);
  pack_matrix(dout_rows, h.dout + from, count, head.dim, head.stride, 1);
  const float* dweights = h.own + h.at.dweights;
  Product product{count, head.dim, seen, h.own + h.at.k_rows, nullptr, false};
  product.panel_rows = head.keys;
  run_whole(product, DirectRows{dweights, h.at.row, h.dq + from, head.stride}, nullptr);
  add_transposed(h, dweights, q_rows, count, seen, h.dk, buffer);
  add_transposed(h, h.own + h.at.weights, dout_rows, count, seen, h.dv, buffer);
}

void attention_grad(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const AttentionGradArgs*>(untyped);
  alignas(64) float buffer[kColumnBuffer];
  const GradScratch at = scratch_of(args);
  const Range mine = split_range(long(args.batch * args.heads), thread, threads);
  for (std::int64_t task = mine.first; task < mine.last; ++task) {
    const std::int64_t q = head_offset(args, task, args.queries);
    const std::int64_t k = head_offset(args, task, args.keys);
    const GradHead h{head_of(args, task),
                     args.q + q,
                     args.k + k,
                     args.v + k,
                     args.out + q,
                     args.lse + task * args.queries,
                     args.dout + q,
                     args.dq + q,
                     args.dk + k,
                     args.dv + k,
                     args.scratch + thread * at.total,
                     at};
    const Head& head = h.head;
    pack_matrix(h.own + at.k_columns, h.k, head.dim, head.keys, 1, head.stride);
    pack_matrix(h.own + at.v_columns, h.v, head.dim, head.keys, 1, head.stride);
    pack_matrix(h.own + at.k_rows, h.k, head.keys, head.dim, head.stride, 1);
    for (std::int64_t key = 0; key < head.keys; ++key) {
      for (float* row : {h.dk + key * head.stride, h.dv + key * head.stride}) {
        std::fill(row, row + head.dim, 0.0f);
      }
    }
    for (std::int64_t first = 0; first < args.queries; first += kQueryBlock) {
      differentiate(h, first, std::min(kQueryBlock, args.queries - first), buffer);
    }
  }
}

}  // namespace
}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {
namespace {

std::size_t grad_scratch(const void* args, int threads) {
  const auto& a = *static_cast<const AttentionGradArgs*>(args);
  return std::size_t(N_AVX2::scratch_of(a).total) * sizeof(float) * std::size_t(threads);
}

}  // namespace

void add_attention_grad(Level level, KernelTable& table) {
  KernelEntry& entry = entry_of(table, KernelId::attention_grad);
  entry.run = uses_avx512(level) ? N_AVX3::attention_grad : N_AVX2::attention_grad;
  entry.scratch_bytes = grad_scratch;
}

}  // namespace atelier
#endif
