// Shape: the axes of a tensor, at most six, as a value type without heap.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "tensor/dtype.h"

namespace atelier {

inline constexpr int kMaxRank = 6;

class Shape {
 public:
  Shape() = default;  // a scalar: rank 0, one element
  Shape(std::initializer_list<std::int64_t> axes);
  explicit Shape(std::span<const std::int64_t> axes);

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return axis_[std::size_t(position(axis))]; }
  std::int64_t count() const;
  int position(int axis) const;  // negative axes count from the end; throws std::out_of_range
  Shape with(int axis, std::int64_t extent) const;
  Shape drop(int axis) const;  // without that axis
  Shape insert(int position, std::int64_t extent) const;
  std::span<const std::int32_t> axes() const { return {axis_.data(), std::size_t(rank_)}; }

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::int32_t, kMaxRank> axis_{};
  std::int8_t rank_ = 0;
};

std::string to_string(const Shape& shape);              // "[8,32,32,3]"
std::string to_string(DType type, const Shape& shape);  // "f32[8,32,32,3]"

struct Type {
  DType dtype = DType::f32;
  Shape shape;
  std::int64_t bytes() const { return shape.count() * std::int64_t(size_of(dtype)); }
  friend bool operator==(const Type&, const Type&) = default;
};
inline std::string to_string(const Type& type) { return to_string(type.dtype, type.shape); }

}  // namespace atelier
