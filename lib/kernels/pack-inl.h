// Panels of 32 columns from rows or columns of a matrix: [k][32], padded with zeros.
#if defined(ATELIER_KERNELS_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATELIER_KERNELS_PACK_INL_H_
#undef ATELIER_KERNELS_PACK_INL_H_
#else
#define ATELIER_KERNELS_PACK_INL_H_
#endif

#include <algorithm>

#include "kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {

// `count` rows of k into one panel; columns is 1..32.
struct PanelPart {
  float* dst;        // [count][32]
  const float* src;  // element (k, column) at k * k_stride + column * n_stride
  std::int64_t count, columns, k_stride, n_stride;
};

inline void pack_rows(const PanelPart& p) {
  const FloatTag d;
  for (std::int64_t k = 0; k < p.count; ++k) {
    const float* from = p.src + k * p.k_stride;
    float* to = p.dst + k * kPanel;
    for (std::int64_t c = 0; c < kPanel; c += kLanes) {
      const auto v = c < p.columns ? load_columns(from + c, int(p.columns - c)) : hn::Zero(d);
      hn::StoreU(v, d, to + c);
    }
  }
}

// Four rows of the source (columns of the panel) by four k.
inline void pack_four(const float* src, std::int64_t n_stride, float* dst) {
  const hn::FixedTag<float, 4> d;
  const auto a = hn::LoadU(d, src), b = hn::LoadU(d, src + n_stride);
  const auto c = hn::LoadU(d, src + 2 * n_stride), e = hn::LoadU(d, src + 3 * n_stride);
  const auto ac0 = hn::InterleaveLower(d, a, c), ac1 = hn::InterleaveUpper(d, a, c);
  const auto be0 = hn::InterleaveLower(d, b, e), be1 = hn::InterleaveUpper(d, b, e);
  hn::StoreU(hn::InterleaveLower(d, ac0, be0), d, dst);
  hn::StoreU(hn::InterleaveUpper(d, ac0, be0), d, dst + kPanel);
  hn::StoreU(hn::InterleaveLower(d, ac1, be1), d, dst + 2 * kPanel);
  hn::StoreU(hn::InterleaveUpper(d, ac1, be1), d, dst + 3 * kPanel);
}

inline void pack_any(const PanelPart& p, std::int64_t k_first, std::int64_t k_last,
                     std::int64_t c_first, std::int64_t c_last) {
  for (std::int64_t k = k_first; k < k_last; ++k) {
    for (std::int64_t c = c_first; c < c_last; ++c) {
      p.dst[k * kPanel + c] = c < p.columns ? p.src[k * p.k_stride + c * p.n_stride] : 0.0f;
    }
  }
}

inline void pack_transposed(const PanelPart& p) {
  const std::int64_t whole_k = p.count / 4 * 4, whole_c = p.columns / 4 * 4;
  for (std::int64_t k = 0; k < whole_k; k += 4) {
    for (std::int64_t c = 0; c < whole_c; c += 4) {
      pack_four(p.src + k + c * p.n_stride, p.n_stride, p.dst + k * kPanel + c);
    }
  }
  pack_any(p, whole_k, p.count, 0, whole_c);
  pack_any(p, 0, p.count, whole_c, kPanel);
}

inline void pack_part(const PanelPart& p) {
  if (p.n_stride == 1) return pack_rows(p);
  if (p.k_stride == 1) return pack_transposed(p);
  pack_any(p, 0, p.count, 0, kPanel);
}

// All panels of one matrix [k][n].
inline void pack_matrix(float* dst, const float* src, std::int64_t k, std::int64_t n,
                        std::int64_t k_stride, std::int64_t n_stride) {
  for (std::int64_t column = 0; column < n; column += kPanel) {
    pack_part({dst + column * k, src + column * n_stride, k, std::min(kPanel, n - column), k_stride,
               n_stride});
  }
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATELIER_KERNELS_PACK_INL_H_
