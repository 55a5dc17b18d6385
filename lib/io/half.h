// Numbers of 16 bits as files hold them: 5 bits of exponent, 10 of mantissa (IEEE 754 binary16).
#pragma once

#include <cstdint>

namespace atelier {

inline constexpr float kLargestHalf = 65504;

// To the nearest, ties to even; beyond 65519.996 an infinity, as numpy and the CPUs do it.
std::uint16_t to_half(float value);
float from_half(std::uint16_t bits);  // exact

}  // namespace atelier
