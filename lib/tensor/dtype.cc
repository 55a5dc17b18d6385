// bf16 conversion by integers: the reference for the vector kernels.
#include "tensor/dtype.h"

#include <bit>

namespace atelier {

BFloat16 to_bf16(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return {std::uint16_t(bits >> 16 | 0x40)};
  bits += 0x7fff + (bits >> 16 & 1);
  return {std::uint16_t(bits >> 16)};
}

float to_float(BFloat16 value) { return std::bit_cast<float>(std::uint32_t(value.bits) << 16); }

}  // namespace atelier
