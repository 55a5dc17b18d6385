// Element types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace atelier {

// f32 is the type of arithmetic; bf16 a storage type; u8 for pixels and masks; i32 for labels,
// positions and ids; f64 for the oracle and the tests.
enum class DType : std::uint8_t { f32, bf16, i32, u8, f64 };

constexpr std::size_t size_of(DType type) {
  switch (type) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
    case DType::f64:
      return 8;
  }
  return 0;
}

constexpr std::string_view name(DType type) {
  switch (type) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
    case DType::f64:
      return "f64";
  }
  return "?";
}

constexpr bool is_float(DType type) {
  return type == DType::f32 || type == DType::bf16 || type == DType::f64;
}

// bf16 as its 16 bits; rounding to nearest even, NaN kept quiet.
struct BFloat16 {
  std::uint16_t bits = 0;
};
BFloat16 to_bf16(float value);
float to_float(BFloat16 value);

template <class T>
struct dtype_of;
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct dtype_of<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct dtype_of<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct dtype_of<BFloat16> {
  static constexpr DType value = DType::bf16;
};

}  // namespace atelier
