// Counter-based random numbers: Philox4x32-10 in lanes, the bits of base/random.h, and normals by
// Box and Muller (1958).
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include <algorithm>

#include "base/parallel.h"
#include "base/random.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

using U = hn::CappedTag<std::uint32_t, 16>;
using VU = hn::Vec<U>;

// High and low halves of 32 x 32 -> 64 bit products.
HWY_INLINE void multiply(VU a, std::uint32_t factor, VU& high, VU& low) {
  VU f = hn::Set(U(), factor);
  low = hn::Mul(a, f);
  auto even = hn::MulEven(a, f);
  auto odd = hn::MulEven(hn::ShiftRightLanes<1>(U(), a), f);
  VU even_words = hn::BitCast(U(), even), odd_words = hn::BitCast(U(), odd);
  high = hn::OddEven(odd_words, hn::ShiftRightLanes<1>(U(), even_words));
}

// Four words for one block a lane: blocks first + lane, of one row.
HWY_INLINE void philox(VU block, std::uint32_t row, std::uint64_t step, std::uint64_t key,
                       VU (&word)[4]) {
  VU c0 = block, c1 = hn::Set(U(), row);
  VU c2 = hn::Set(U(), std::uint32_t(step)), c3 = hn::Set(U(), std::uint32_t(step >> 32));
  std::uint32_t k0 = std::uint32_t(key), k1 = std::uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    VU h0, l0, h1, l1;
    multiply(c0, 0xD2511F53u, h0, l0);
    multiply(c2, 0xCD9E8D57u, h1, l1);
    VU n0 = hn::Xor(hn::Xor(h1, c1), hn::Set(U(), k0));
    VU n2 = hn::Xor(hn::Xor(h0, c3), hn::Set(U(), k1));
    c0 = n0;
    c1 = l1;
    c2 = n2;
    c3 = l0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  word[0] = c0;
  word[1] = c1;
  word[2] = c2;
  word[3] = c3;
}

struct Clock {
  std::uint64_t seed, step;
  explicit Clock(const std::int32_t* c)
      : seed(std::uint32_t(c[0]) | std::uint64_t(std::uint32_t(c[1])) << 32),
        step(std::uint32_t(c[2])) {}
  std::uint64_t key(std::uint64_t stream) const { return mix64(seed ^ mix64(stream)); }
};

inline constexpr int kBatch = 4 * 16;  // uniforms made at once

// kBatch uniforms of a row from element `first` (a multiple of 4).
void uniforms(std::uint64_t key, std::uint64_t step, std::uint32_t row, std::int64_t first,
              float* to) {
  VF scale = set(0x1p-24f);
  for (int part = 0; part < 16; part += kWide) {
    VU block = hn::Add(hn::Set(U(), std::uint32_t(first / 4 + part)), hn::Iota(U(), 0));
    VU word[4];
    philox(block, row, step, key, word);
    alignas(64) float lane[4][kWide];
    for (int w = 0; w < 4; ++w) {
      VI bits = hn::BitCast(I(), hn::ShiftRight<8>(word[w]));
      hn::Store(hn::Mul(hn::ConvertTo(F(), bits), scale), F(), lane[w]);
    }
    for (int i = 0; i < kWide; ++i) {
      for (int w = 0; w < 4; ++w) to[(part + i) * 4 + w] = lane[w][i];
    }
  }
}

// Rows or parts of rows, split among threads by blocks of kBatch elements.
template <class Body>
void for_blocks(const RandomArgs& args, int thread, int threads, Body body) {
  std::int64_t per_row = (args.row + kBatch - 1) / kBatch;
  Range mine = split_range(long(args.rows * per_row), thread, threads);
  for (std::int64_t task = mine.first; task < mine.last; ++task) {
    std::int64_t r = task / per_row, first = task % per_row * kBatch;
    body(std::uint32_t(args.ids[r]), first, args.out + r * args.row + first,
         std::min<std::int64_t>(kBatch, args.row - first));
  }
}

}  // namespace

void random(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const RandomArgs*>(untyped);
  Clock clock(args.clock);
  std::uint64_t key = clock.key(args.stream);
  for_blocks(args, thread, threads,
             [&](std::uint32_t id, std::int64_t first, float* to, std::int64_t n) {
               alignas(64) float u[kBatch];
               uniforms(key, clock.step, id, first, u);
               std::copy_n(u, n, to);
             });
}

void normal(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const RandomArgs*>(untyped);
  Clock clock(args.clock);
  std::uint64_t radius = clock.key(args.stream), angle = clock.key(args.stream + 1);
  for_blocks(args, thread, threads,
             [&](std::uint32_t id, std::int64_t first, float* to, std::int64_t n) HWY_ATTR {
               alignas(64) float u[kBatch], v[kBatch];
               uniforms(radius, clock.step, id, first, u);
               uniforms(angle, clock.step, id, first, v);
               for (int i = 0; i < kBatch; i += kWide) {
                 VF r = hn::Sqrt(hn::Mul(set(-2.0f), log_v(hn::Sub(set(1.0f), load(u + i)))));
                 hn::Store(hn::Mul(r, cos_turns(load(v + i))), F(), u + i);
               }
               std::copy_n(u, n, to);
             });
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_random(Level level, KernelTable& table) {
  bool wide = uses_avx512(level);
  entry_of(table, KernelId::random).run = wide ? N_AVX3::random : N_AVX2::random;
  entry_of(table, KernelId::normal).run = wide ? N_AVX3::normal : N_AVX2::normal;
}

}  // namespace atelier
#endif
