// Operands for tests of the tile interpreter: every way a tensor can lie under a space of rows and
// columns, in memory that ends at a guard page, with the values the interpreter must read.
#pragma once

#include <array>
#include <bit>
#include <limits>

#include "kernels/support.h"

namespace atelier::test {

inline constexpr std::int64_t kMaxElements = 4096;  // of the space

// Memory that ends at a guard page; blocks are placed at its end, or 4 bytes before it.
class Arena {
 public:
  Arena() : buffer_(kMaxElements * 2 * sizeof(float) + 64) {}
  void* place(std::size_t bytes, std::size_t gap) {
    std::memset(buffer_.data(), 0xA5, buffer_.size());
    placed_ = bytes;
    gap_ = gap;
    return buffer_.data() + buffer_.size() - bytes - gap;
  }
  // True if nothing outside the block was written.
  bool intact() const {
    const std::size_t before = buffer_.size() - placed_ - gap_;
    for (std::size_t i = 0; i < buffer_.size(); ++i) {
      if (i >= before && i < before + placed_) continue;
      if (buffer_[i] != std::byte{0xA5}) return false;
    }
    return true;
  }

 private:
  GuardedBuffer<std::byte> buffer_;
  std::size_t placed_ = 0, gap_ = 0;
};

struct Space {
  std::int64_t rows, columns;
  std::int64_t count() const { return rows * columns; }
};

// How an operand lies under the space.
enum class Lie : std::uint8_t { dense, row, column, scalar, transposed, stepped, backward, count_ };
inline constexpr int kLies = int(Lie::count_);

inline std::array<std::int64_t, 2> strides_of(Lie lie, const Space& s) {
  switch (lie) {
    case Lie::dense:
      return {s.columns, 1};
    case Lie::row:
      return {0, 1};
    case Lie::column:
      return {1, 0};
    case Lie::scalar:
      return {0, 0};
    case Lie::transposed:
      return {1, s.rows};
    case Lie::stepped:
      return {2 * s.columns, 2};
    default:
      return {-s.columns, -1};
  }
}

// The f32 pattern of values: ordinary ones of both signs, one in five a special one.
inline float pattern(std::uint64_t seed, std::int64_t i) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  constexpr float special[] = {
      0.0f,    -0.0f,   1e-40f,   -1e-40f, inf,
      -inf,    1.0f,    3e38f,    -3e38f,  2e-38f,
      -1e-37f, 88.7f,   -87.5f,   0.5f,    2.5f,
      255.5f,  1e9f,    -3e9f,    1e-7f,   16777217.f,
      -1.0f,   65280.f, 1.00390f, -104.f,  std::numeric_limits<float>::quiet_NaN()};
  const std::uint64_t word = mix64(seed * 0x9e3779b97f4a7c15u + std::uint64_t(i));
  if (word % 5 == 0) return special[word / 5 % std::size(special)];
  return float(double(word >> 40) * 0x1p-21 - 4);
}

// An operand with its memory; value() is what a load must give, as bits.
class Operand {
 public:
  Operand(Arena& arena, Lie lie, DType type, const Space& space, std::uint64_t seed)
      : type_(type), stride_(strides_of(lie, space)) {
    const std::int64_t last_row = (space.rows - 1) * stride_[0],
                       last_column = (space.columns - 1) * stride_[1];
    const std::int64_t least = std::min<std::int64_t>(0, last_row + last_column);
    const std::int64_t count = std::abs(last_row) + std::abs(last_column) + 1;
    const std::size_t bytes = std::size_t(count) * size_of(type);
    auto* memory = static_cast<std::byte*>(arena.place(bytes, seed % 2 * 4));
    for (std::int64_t i = 0; i < count; ++i) write(memory, i, pattern(seed, i));
    data_ = memory - least * std::int64_t(size_of(type));
  }

  TileOperand operand() const { return {data_, type_, {stride_[0], stride_[1]}}; }

  std::uint32_t value(std::int64_t row, std::int64_t column) const {
    const std::byte* at =
        data_ + (row * stride_[0] + column * stride_[1]) * std::int64_t(size_of(type_));
    std::uint32_t word = 0;
    std::memcpy(&word, at, size_of(type_));  // little endian
    if (type_ == DType::u8) return std::bit_cast<std::uint32_t>(float(word));
    return type_ == DType::bf16 ? word << 16 : word;
  }

 private:
  void write(std::byte* memory, std::int64_t i, float v) const {
    std::uint32_t word = std::bit_cast<std::uint32_t>(v);
    if (type_ == DType::bf16) word >>= 16;
    // Small integers of both signs, for equal ones to occur, and any.
    if (type_ == DType::i32 && word % 2 == 0) word = std::uint32_t(std::int32_t(word % 14) - 6);
    if (type_ == DType::u8) word = word >> 13 & 255;
    std::memcpy(memory + i * std::int64_t(size_of(type_)), &word, size_of(type_));
  }

  DType type_;
  std::array<std::int64_t, 2> stride_;
  std::byte* data_;
};

inline void run_program(Level level, std::span<const TileInsn> code,
                        std::span<const TileOperand> operands, const Space& space, int threads) {
  TileArgs args{};
  args.code = code.data();
  args.num_insns = std::int32_t(code.size());
  args.num_operands = std::int32_t(operands.size());
  args.rank = 2;
  args.extent[0] = space.rows;
  args.extent[1] = space.columns;
  std::copy(operands.begin(), operands.end(), args.operand);
  run(level, KernelId::tile, args, threads);
}

}  // namespace atelier::test
