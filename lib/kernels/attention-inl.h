// What attention and its gradient share: one (batch, head), blocks of queries against all keys.
//
// Query i sees the keys before min(valid length, i + S - T + 1 if causal); a query that sees none
// gives zeros, lse -1e30 and zero gradients.
#if defined(ATELIER_KERNELS_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATELIER_KERNELS_ATTENTION_INL_H_
#undef ATELIER_KERNELS_ATTENTION_INL_H_
#else
#define ATELIER_KERNELS_ATTENTION_INL_H_
#endif

#include <limits>

#include "kernels/math-inl.h"
#include "kernels/pack-inl.h"
#include "kernels/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {

inline constexpr std::int64_t kQueryBlock = 48;  // rows of scores; whole tiles of 6 and of 8
inline constexpr float kNoKeys = -1e30f;

// Strip of 16 elements, the fixed width of all sums.
inline constexpr int kStrip = 16;
inline constexpr int kStripVectors = kStrip / kLanes;

// One head of one image of q [B,T,heads,D] and k, v [B,S,heads,D].
struct Head {
  std::int64_t queries, keys, dim, stride;  // stride: heads * dim, from token to token
  std::int64_t visible;                     // keys before the valid length
  bool causal;
  float scale;
  const float* bias;  // [T][S] of this head, or null

  std::int64_t limit(std::int64_t query) const {
    const std::int64_t end = causal ? query + keys - queries + 1 : keys;
    return std::max<std::int64_t>(0, std::min(end, visible));
  }
};

// The arguments of attention or of its gradient; task = batch * heads + head.
template <class Args>
Head head_of(const Args& args, std::int64_t task) {
  const std::int64_t batch = task / args.heads, head = task % args.heads;
  const std::int64_t visible =
      args.valid ? std::clamp<std::int64_t>(args.valid[batch], 0, args.keys) : args.keys;
  return {args.queries,  args.keys,
          args.head_dim, args.heads * args.head_dim,
          visible,       args.causal != 0,
          args.scale,    args.bias ? args.bias + head * args.queries * args.keys : nullptr};
}

// First element of the head in a tensor of `tokens` tokens.
template <class Args>
std::int64_t head_offset(const Args& args, std::int64_t task, std::int64_t tokens) {
  return (task / args.heads * tokens * args.heads + task % args.heads) * args.head_dim;
}

inline float sum_of_lanes(const FloatVec (&v)[kStripVectors]) {
  const FloatTag d;
  alignas(64) float lane[kStrip];
  for (int i = 0; i < kStripVectors; ++i) hn::Store(v[i], d, lane + i * kLanes);
  for (int half = kStrip / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

// scores [width] of query: scale * s + bias before `limit`, minus infinity from there to the end of
// the last strip.
inline void finish_scores(const Head& head, std::int64_t query, std::int64_t limit,
                          std::int64_t width, float* s) {
  const FloatTag d;
  const float* bias = head.bias ? head.bias + query * head.keys : nullptr;
  for (std::int64_t j = 0; j < limit; j += kLanes) {
    const FloatVec add =
        bias ? load_columns(bias + j, int(std::min<std::int64_t>(kLanes, head.keys - j)))
             : hn::Zero(d);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, s + j), hn::Set(d, head.scale), add), d, s + j);
  }
  for (std::int64_t j = limit; j < width; ++j) s[j] = -std::numeric_limits<float>::infinity();
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATELIER_KERNELS_ATTENTION_INL_H_
