// Conversion by whole numbers, so that every CPU and level gives the same bits.
#include "io/half.h"

#include <bit>

namespace atelier {

std::uint16_t to_half(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  std::uint16_t sign = std::uint16_t(bits >> 16 & 0x8000u);
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return sign | 0x7e00u;   // nan
  if (bits >= 0x47800000u) return sign | 0x7c00u;  // 65536 and more
  if (bits < 0x33000001u) return sign;             // at most half of the least, 2^-25
  std::uint32_t exponent = bits >> 23, mantissa = (bits & 0x7fffffu) | 0x800000u;
  // Below 2^-14 the last place stays 2^-24. A carry runs on into the exponent, up to infinity.
  std::uint32_t shift = exponent >= 113 ? 13 : 126 - exponent;
  std::uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1);
  std::uint32_t half = 1u << (shift - 1);
  if (rest > half || (rest == half && (kept & 1))) ++kept;
  std::uint32_t normal = exponent >= 113 ? (exponent - 113) << 10 : 0;
  return std::uint16_t(sign | (normal + kept));
}

float from_half(std::uint16_t bits) {
  std::uint32_t sign = std::uint32_t(bits & 0x8000u) << 16, rest = bits & 0x7fffu;
  if (rest >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
  if (rest < 0x400u) return (sign ? -1.0f : 1.0f) * float(rest) * 0x1p-24f;
  return std::bit_cast<float>(sign | ((rest << 13) + 0x38000000u));
}

}  // namespace atelier
