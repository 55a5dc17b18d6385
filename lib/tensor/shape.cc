// Axes are kept as 32-bit numbers so that a shape is 28 bytes.
#include "tensor/shape.h"

#include <fmt/format.h>

#include <limits>
#include <stdexcept>

namespace atelier {

Shape::Shape(std::initializer_list<std::int64_t> axes)
    : Shape(std::span<const std::int64_t>(axes.begin(), axes.size())) {}

Shape::Shape(std::span<const std::int64_t> axes) {
  if (axes.size() > kMaxRank) {
    throw std::invalid_argument(fmt::format("shape of {} axes: at most {}", axes.size(), kMaxRank));
  }
  for (std::int64_t extent : axes) {
    if (extent < -1 || extent > std::numeric_limits<std::int32_t>::max()) {
      throw std::invalid_argument(fmt::format("axis of {} elements: out of range", extent));
    }
    axis_[std::size_t(rank_++)] = std::int32_t(extent);
  }
}

std::int64_t Shape::count() const {
  std::int64_t n = 1;
  for (std::int32_t extent : axes()) n *= extent;
  return n;
}

int Shape::position(int axis) const {
  int p = axis < 0 ? axis + rank_ : axis;
  if (p < 0 || p >= rank_) {
    throw std::out_of_range(fmt::format("axis {} of shape {}", axis, to_string(*this)));
  }
  return p;
}

Shape Shape::with(int axis, std::int64_t extent) const {
  Shape result = *this;
  result.axis_[std::size_t(position(axis))] = std::int32_t(extent);
  return result;
}

Shape Shape::drop(int axis) const {
  int at = position(axis);
  Shape result;
  for (int i = 0; i < rank_; ++i) {
    if (i != at) result.axis_[std::size_t(result.rank_++)] = axis_[std::size_t(i)];
  }
  return result;
}

Shape Shape::insert(int at, std::int64_t extent) const {
  if (rank_ == kMaxRank || at < 0 || at > rank_) throw std::out_of_range("Shape::insert");
  Shape result;
  for (int i = 0; i <= rank_; ++i) {
    if (i == at) result.axis_[std::size_t(result.rank_++)] = std::int32_t(extent);
    if (i < rank_) result.axis_[std::size_t(result.rank_++)] = axis_[std::size_t(i)];
  }
  return result;
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape.axes(), ","));
}

std::string to_string(DType type, const Shape& shape) {
  return fmt::format("{}{}", name(type), to_string(shape));
}

}  // namespace atelier
