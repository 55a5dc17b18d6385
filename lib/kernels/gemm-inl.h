// The one inner kernel of every product: a tile of C += A B with B in panels of 32 columns.
//
// Element (i, j) is the chain c = fma(a[i][k], b[k][j], c) with k ascending, whatever the tile, so
// both levels, every partition and every cut of K give the same bits.
#if defined(ATELIER_KERNELS_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATELIER_KERNELS_GEMM_INL_H_
#undef ATELIER_KERNELS_GEMM_INL_H_
#else
#define ATELIER_KERNELS_GEMM_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVec = hn::Vec<FloatTag>;
inline constexpr int kLanes = HWY_MAX_BYTES / int(sizeof(float));  // 16 or 8

// Rows of a tile: with two vectors of columns, 16 of 32 registers at avx512, 12 of 16 at avx2.
inline constexpr int kTileRows = kLanes == 16 ? 8 : 6;
inline constexpr int kMaxTileRows = 8;
// Columns of A that are gathered first are stored [k][kPackStride].
inline constexpr int kPackStride = 8;

struct TileJob {
  const float* a[kMaxTileRows];  // element k of row r is a[r][k]; gathered A: a[0][k * 8 + r]
  float* c[kMaxTileRows];        // row r of the output at the panel's first column
  const float* b;                // [k][32]
  std::int64_t k;
  int rows, columns;  // 1..kTileRows, 1..32
  bool reload;        // continue the sums that c holds, else start from zero
  const float* bias;  // at the panel's first column; null: none
  bool relu;
};

inline FloatVec load_columns(const float* p, int columns) {
  const FloatTag d;
  return columns >= kLanes ? hn::LoadU(d, p)
                           : hn::MaskedLoad(hn::FirstN(d, std::size_t(columns)), d, p);
}

inline void store_columns(FloatVec v, float* p, int columns) {
  const FloatTag d;
  if (columns >= kLanes) {
    hn::StoreU(v, d, p);
  } else {
    hn::BlendedStore(v, hn::FirstN(d, std::size_t(columns)), d, p);
  }
}

// Kernels that a graph may fuse agree on relu: NaN stays NaN.
inline FloatVec relu(FloatVec v) { return hn::Max(hn::Zero(FloatTag()), v); }

// `first` is the column within the panel; V vectors of columns, the last perhaps partial.
template <int R, int V, bool kGathered>
HWY_NOINLINE void tile(const TileJob& job, int first) {
  const FloatTag d;
  const int columns = job.columns - first;
  FloatVec sum[R][V];
  const float* a[R];
  ATELIER_UNROLL
  for (int r = 0; r < R; ++r) {
    if constexpr (!kGathered) a[r] = job.a[r];
    ATELIER_UNROLL
    for (int v = 0; v < V; ++v) {
      sum[r][v] = hn::Zero(d);
      if (job.reload) sum[r][v] = load_columns(job.c[r] + first + v * kLanes, columns - v * kLanes);
    }
    if (!job.reload) {
      __builtin_prefetch(job.c[r] + first, 1);
      if constexpr (V * kLanes > 16) __builtin_prefetch(job.c[r] + first + 16, 1);
    }
  }
  const float* gathered = job.a[0];
  const float* b = job.b + first;
  for (std::int64_t k = 0; k < job.k; ++k, b += kPanel) {
    FloatVec bv[V];
    ATELIER_UNROLL
    for (int v = 0; v < V; ++v) bv[v] = hn::LoadU(d, b + v * kLanes);
    ATELIER_UNROLL
    for (int r = 0; r < R; ++r) {
      const FloatVec av = hn::Set(d, kGathered ? gathered[k * kPackStride + r] : a[r][k]);
      ATELIER_UNROLL
      for (int v = 0; v < V; ++v) sum[r][v] = hn::MulAdd(av, bv[v], sum[r][v]);
    }
  }
  ATELIER_UNROLL
  for (int v = 0; v < V; ++v) {
    const int left = columns - v * kLanes, at = first + v * kLanes;
    if (job.bias) {
      const FloatVec bias = load_columns(job.bias + at, left);
      ATELIER_UNROLL
      for (int r = 0; r < R; ++r) sum[r][v] = hn::Add(sum[r][v], bias);
    }
    if (job.relu) {
      ATELIER_UNROLL
      for (int r = 0; r < R; ++r) sum[r][v] = relu(sum[r][v]);
    }
    ATELIER_UNROLL
    for (int r = 0; r < R; ++r) store_columns(sum[r][v], job.c[r] + at, left);
  }
}

template <int V, bool kGathered>
inline void tile_of_rows(const TileJob& job, int first) {
  switch (job.rows) {
    case 1:
      return tile<1, V, kGathered>(job, first);
    case 2:
      return tile<2, V, kGathered>(job, first);
    case 3:
      return tile<3, V, kGathered>(job, first);
    case 4:
      return tile<4, V, kGathered>(job, first);
    case 5:
      return tile<5, V, kGathered>(job, first);
    case 6:
      return tile<6, V, kGathered>(job, first);
    case 7:
      if constexpr (kTileRows > 6) return tile<7, V, kGathered>(job, first);
      break;
    case 8:
      if constexpr (kTileRows > 6) return tile<8, V, kGathered>(job, first);
      break;
    default:
      break;
  }
}

// One tile of rows x one panel (32 columns or fewer).
template <bool kGathered>
inline void run_tile(const TileJob& job) {
  for (int first = 0; first < job.columns; first += 2 * kLanes) {
    if (job.columns - first > kLanes) {
      tile_of_rows<2, kGathered>(job, first);
    } else {
      tile_of_rows<1, kGathered>(job, first);
    }
  }
}

// dst[0..count) = src[0..count). May write up to kLanes - 1 zeros beyond the end of dst.
inline void copy_run(float* HWY_RESTRICT dst, const float* HWY_RESTRICT src, std::int64_t count) {
  const FloatTag d;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(hn::LoadU(d, src + i), d, dst + i);
  if (i < count) hn::StoreU(load_columns(src + i, int(count - i)), d, dst + i);
}

// As copy_run, with zeros.
inline void zero_run(float* dst, std::int64_t count) {
  const FloatTag d;
  for (std::int64_t i = 0; i < count; i += kLanes) hn::StoreU(hn::Zero(d), d, dst + i);
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATELIER_KERNELS_GEMM_INL_H_
