// Elementary functions on vectors of f32, the same bits at every level: polynomials by fma in a
// fixed order, exact division and square root, no approximate instructions. Coefficients are
// Chebyshev fits of the stated error; error bounds in ulp are measured by tests/kernels.
#if defined(ATELIER_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATELIER_KERNELS_MATH_INL_H_
#undef ATELIER_KERNELS_MATH_INL_H_
#else
#define ATELIER_KERNELS_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::CappedTag<float, 16>;  // 8 lanes at AVX2, 16 at AVX-512
using I = hn::CappedTag<std::int32_t, 16>;
using VF = hn::Vec<F>;
using VI = hn::Vec<I>;
inline constexpr int kWide = int(hn::MaxLanes(F()));
inline constexpr int kSums = 16;  // lanes of every sum, at every level
inline constexpr int kSumVectors = kSums / kWide;

HWY_INLINE VF set(float v) { return hn::Set(F(), v); }
HWY_INLINE VF load(const float* p) { return hn::LoadU(F(), p); }
HWY_INLINE void store(VF v, float* p) { hn::StoreU(v, F(), p); }

// Horner's rule, highest coefficient first.
template <int kCount>
HWY_INLINE VF polynomial(VF x, const float (&c)[kCount]) {
  VF y = set(c[0]);
  for (int i = 1; i < kCount; ++i) y = hn::MulAdd(y, x, set(c[i]));
  return y;
}

// 2^n for whole n in [-126, 127].
HWY_INLINE VF power_of_two(VI n) {
  return hn::BitCast(F(), hn::ShiftLeft<23>(hn::Add(n, hn::Set(I(), 127))));
}

// e^x: n = round(x / ln 2), polynomial on the rest, scaling in two steps so that the ends of the
// range are right. At most 2 ulp; overflow gives infinity, underflow 0, NaN stays.
HWY_INLINE VF exp_v(VF x) {
  static constexpr float kExp[] = {0.001394215983f, 0.008375968226f, 0.04166634014f, 0.1666640530f,
                                   0.5000000050f,   1.000000040f,    1.000000000f};
  VF bounded = hn::Min(hn::Max(x, set(-105.0f)), set(90.0f));
  VF n = hn::Round(hn::Mul(bounded, set(1.44269504089f)));
  VF r = hn::NegMulAdd(n, set(0.693359375f), bounded);
  r = hn::NegMulAdd(n, set(-2.12194440e-4f), r);
  VF p = polynomial(r, kExp);
  VI whole = hn::ConvertTo(I(), n);
  VI half = hn::ShiftRight<1>(whole);
  VF y = hn::Mul(hn::Mul(p, power_of_two(half)), power_of_two(hn::Sub(whole, half)));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// ln x: mantissa in [sqrt(1/2), sqrt 2), polynomial, exponent times ln 2 in two parts. At most
// 2 ulp. 0 and denormals give -infinity, negative numbers NaN.
HWY_INLINE VF log_v(VF x) {
  static constexpr float kLog[] = {0.06971611471f, -0.1147973385f, 0.1168541992f,
                                   -0.1242568733f, 0.1424905765f,  -0.1666780232f,
                                   0.2000071575f,  -0.2499999696f, 0.3333333118f};
  VI bits = hn::BitCast(I(), x);
  // Exponent such that the mantissa lies around 1.
  VI shifted = hn::Sub(bits, hn::Set(I(), 0x3f3504f3));
  VI exponent = hn::ShiftRight<23>(shifted);
  VF m = hn::BitCast(F(), hn::Sub(bits, hn::ShiftLeft<23>(exponent)));
  VF e = hn::ConvertTo(F(), exponent);
  VF f = hn::Sub(m, set(1.0f));
  VF square = hn::Mul(f, f);
  VF tail = hn::Mul(hn::Mul(f, square), polynomial(f, kLog));
  tail = hn::MulAdd(e, set(-2.12194440e-4f), tail);
  tail = hn::NegMulAdd(set(0.5f), square, tail);
  VF y = hn::MulAdd(e, set(0.693359375f), hn::Add(f, tail));
  VF infinity = set(std::numeric_limits<float>::infinity());
  y = hn::IfThenElse(hn::Eq(x, infinity), infinity, y);
  y = hn::IfThenElse(hn::Lt(x, set(std::numeric_limits<float>::min())), hn::Neg(infinity), y);
  VF nan = set(std::numeric_limits<float>::quiet_NaN());
  y = hn::IfThenElse(hn::Lt(x, set(0.0f)), nan, y);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// tanh: odd polynomial near 0, 1 - 2 / (e^2|x| + 1) beyond. At most 4 ulp; NaN stays.
HWY_INLINE VF tanh_v(VF x) {
  static constexpr float kTanh[] = {0.002269501684f, -0.008323187058f, 0.02176250291f,
                                    -0.05395846163f, 0.1333330015f,    -0.3333333315f};
  VF a = hn::Abs(x), u = hn::Mul(x, x);
  VF near = hn::MulAdd(hn::Mul(x, u), polynomial(u, kTanh), x);
  VF e = exp_v(hn::Add(a, a));
  VF far = hn::Sub(set(1.0f), hn::Div(set(2.0f), hn::Add(e, set(1.0f))));
  far = hn::CopySign(far, x);
  VF y = hn::IfThenElse(hn::Lt(a, set(0.625f)), near, far);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// 1 / (1 + e^-x), stable on both sides. At most 4 ulp; results below the normal range are 0, NaN
// stays.
HWY_INLINE VF sigmoid_v(VF x) {
  VF e = exp_v(hn::Neg(hn::Abs(x)));
  VF top = hn::IfThenElse(hn::Lt(x, set(0.0f)), e, set(1.0f));
  return hn::Div(top, hn::Add(set(1.0f), e));
}

// ln(1 + e^x) = max(x, 0) + log1p(e^-|x|); log1p by the logarithm of the rounded sum and its
// rounding error. At most 4 ulp; results below the normal range are 0, NaN stays.
HWY_INLINE VF softplus_v(VF x) {
  VF e = exp_v(hn::Neg(hn::Abs(x)));
  VF sum = hn::Add(set(1.0f), e);
  VF lost = hn::Sub(e, hn::Sub(sum, set(1.0f)));
  VF log1p = hn::Add(log_v(sum), hn::Div(lost, sum));
  VF y = hn::Add(hn::Max(x, set(0.0f)), log1p);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// erf: odd polynomial up to 1, 1 - e^(-x^2) Q(1/x) beyond. At most 4 ulp; NaN stays.
HWY_INLINE VF erf_v(VF x) {
  static constexpr float kErf[] = {-9.667044571e-6f, 0.0001126595903f, -0.0008484080406f,
                                   0.005221031808f,  -0.02686543073f,  0.1128378250f,
                                   -0.3761263847f,   1.128379167f};
  static constexpr float kErfc[] = {0.02701125618f, -0.1594123973f,  0.3900449881f,  -0.4720582503f,
                                    0.1838527252f,  0.2599063732f,   -0.3861528331f, 0.02275793318f,
                                    0.5614987927f,  0.0001349914551f};
  VF a = hn::Abs(x), u = hn::Mul(x, x);
  VF near = hn::Mul(x, polynomial(u, kErf));
  VF bounded = hn::Min(hn::Max(a, set(1.0f)), set(4.1f));
  VF far = hn::Mul(exp_v(hn::Neg(hn::Mul(bounded, bounded))),
                   polynomial(hn::Div(set(1.0f), bounded), kErfc));
  far = hn::IfThenElse(hn::Gt(a, set(4.0f)), set(1.0f), hn::Sub(set(1.0f), far));
  VF y = hn::IfThenElse(hn::Lt(a, set(1.0f)), near, hn::CopySign(far, x));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// Sine and cosine of r in about [-pi/4, pi/4]; sine_v() states the error.
HWY_INLINE VF sin_core(VF r) {
  static constexpr float kSin[] = {2.724381198e-6f, -0.0001984003911f, 0.008333331786f,
                                   -0.1666666666f};
  VF u = hn::Mul(r, r);
  return hn::MulAdd(hn::Mul(r, u), polynomial(u, kSin), r);
}
HWY_INLINE VF cos_core(VF r) {
  static constexpr float kCos[] = {-2.729585634e-7f, 2.480056063e-5f, -0.001388888760f,
                                   0.04166666666f};
  VF u = hn::Mul(r, r);
  VF tail = hn::Mul(hn::Mul(u, u), polynomial(u, kCos));
  return hn::Add(hn::NegMulAdd(set(0.5f), u, set(1.0f)), tail);
}
// The quadrant's function of r: 0 sin, 1 cos, 2 -sin, 3 -cos.
HWY_INLINE VF by_quadrant(VF r, VI quadrant) {
  VI one = hn::Set(I(), 1), two = hn::Set(I(), 2);
  auto odd = hn::RebindMask(F(), hn::Eq(hn::And(quadrant, one), one));
  auto negative = hn::RebindMask(F(), hn::Eq(hn::And(quadrant, two), two));
  VF y = hn::IfThenElse(odd, cos_core(r), sin_core(r));
  return hn::IfThenElse(negative, hn::Neg(y), y);
}

// sin (shift 0) or cos (shift 1) by Cody and Waite's reduction in three parts of pi/2; numbers
// above 1e5 go through double precision one by one. At most 2 ulp of the result or of 1/2,
// whichever is larger: near its zeros the error is that of the reduction. Infinity gives NaN, NaN
// stays.
template <int kShift>
HWY_INLINE VF sine_v(VF x) {
  VF a = hn::Abs(x);
  VF bounded = hn::IfThenElse(hn::Gt(a, set(1e5f)), set(0.0f), x);
  VF n = hn::Round(hn::Mul(bounded, set(0.636619772368f)));
  VF r = hn::NegMulAdd(n, set(1.5707963705062866f), bounded);
  r = hn::NegMulAdd(n, set(-4.371138828673793e-08f), r);
  r = hn::NegMulAdd(n, set(-1.7151245100058819e-15f), r);
  VF y = by_quadrant(r, hn::Add(hn::ConvertTo(I(), n), hn::Set(I(), kShift)));
  auto large = hn::Not(hn::Le(a, set(1e5f)));
  if (hn::AllFalse(F(), large)) return y;
  alignas(64) float in[16], out[16];
  hn::Store(x, F(), in);
  hn::Store(y, F(), out);
  for (int i = 0; i < kWide; ++i) {
    if (std::fabs(in[i]) <= 1e5f) continue;
    out[i] = float(kShift ? std::cos(double(in[i])) : std::sin(double(in[i])));
  }
  return hn::Load(F(), out);
}
HWY_INLINE VF sin_v(VF x) { return sine_v<0>(x); }
HWY_INLINE VF cos_v(VF x) { return sine_v<1>(x); }

// cos(2 pi u) for u in [0, 1): the reduction by quarters is exact. Within 1e-6 of the true value,
// as the normals that use it are of their radius.
HWY_INLINE VF cos_turns(VF u) {
  VF n = hn::Round(hn::Mul(u, set(4.0f)));
  VF r = hn::NegMulAdd(n, set(0.25f), u);
  return by_quadrant(hn::Mul(r, set(6.283185307f)),
                     hn::Add(hn::ConvertTo(I(), n), hn::Set(I(), 1)));
}

// ---- sums in 16 fixed lanes: element i goes to lane i % 16; lanes are combined in a fixed tree.
struct Sums {
  VF v[kSumVectors];
  HWY_INLINE Sums() {
    for (VF& x : v) x = set(0.0f);
  }
};
HWY_INLINE float combine(const Sums& sums) {
  alignas(64) float lane[kSums];
  for (int i = 0; i < kSumVectors; ++i) hn::Store(sums.v[i], F(), lane + i * kWide);
  for (int width = kSums / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}
// Sum of f(vector of 16-lane part, index) over n elements; the tail is padded by `zero_tail`,
// which must give 0 for what lies beyond n.
template <class Term>
HWY_INLINE float lane_sum(std::int64_t n, Term term) {
  Sums sums;
  std::int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int part = 0; part < kSumVectors; ++part) {
      sums.v[part] = hn::Add(sums.v[part], term(i + part * kWide, kWide));
    }
  }
  for (int part = 0; part < kSumVectors; ++part) {
    std::int64_t left = n - i - part * kWide;
    if (left <= 0) break;
    int count = int(left < kWide ? left : kWide);
    sums.v[part] = hn::Add(sums.v[part], term(i + part * kWide, count));
  }
  return combine(sums);
}
// Loads `count` elements, zeros beyond.
HWY_INLINE VF load_n(const float* p, int count) {
  if (count == kWide) return load(p);
  return hn::MaskedLoad(hn::FirstN(F(), std::size_t(count)), F(), p);
}
HWY_INLINE void store_n(VF v, float* p, int count) {
  if (count == kWide) return store(v, p);
  hn::BlendedStore(v, hn::FirstN(F(), std::size_t(count)), F(), p);
}
// Zeros beyond `count`.
HWY_INLINE VF keep_n(VF v, int count) {
  return count == kWide ? v : hn::IfThenElseZero(hn::FirstN(F(), std::size_t(count)), v);
}
// Calls body(index, count) over n elements in vectors.
template <class Body>
HWY_INLINE void for_vectors(std::int64_t first, std::int64_t last, Body body) {
  std::int64_t i = first;
  for (; i + kWide <= last; i += kWide) body(i, kWide);
  if (i < last) body(i, int(last - i));
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
