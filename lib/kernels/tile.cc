// The tile interpreter: elementwise programs over chunks of 256 elements held as f32 in L1.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/parallel.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

// How an operand is read: everywhere the same, in step with the result, or by walking its strides.
enum class Access { scalar, dense, strided };

struct Tile {
  alignas(64) float memory[kTileRegisters][kTileChunk];
  const float* value[kTileRegisters];  // a register, or a dense operand itself
};

Access access_of(const TileArgs& args, const TileOperand& operand) {
  bool scalar = true, dense = true;
  std::int64_t step = 1;
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    scalar = scalar && (operand.stride[axis] == 0 || args.extent[axis] == 1);
    dense = dense && (operand.stride[axis] == step || args.extent[axis] == 1);
    step *= args.extent[axis];
  }
  return scalar ? Access::scalar : dense ? Access::dense : Access::strided;
}

// One element as f32; i32 keeps its bits.
float element(const TileOperand& operand, std::int64_t at) {
  switch (operand.dtype) {
    case DType::u8:
      return float(static_cast<const std::uint8_t*>(operand.data)[at]);
    case DType::bf16:
      return to_float(static_cast<const BFloat16*>(operand.data)[at]);
    default: {
      float value;
      std::memcpy(&value, static_cast<const char*>(operand.data) + at * 4, 4);
      return value;
    }
  }
}

void load_run(const TileOperand& operand, std::int64_t at, std::int64_t stride, std::int64_t n,
              float* to) {
  if (stride == 1 && size_of(operand.dtype) == 4) {
    std::memcpy(to, static_cast<const char*>(operand.data) + at * 4, std::size_t(n) * 4);
  } else if (stride == 0) {
    std::fill_n(to, n, element(operand, at));
  } else if (operand.dtype == DType::u8) {
    const auto* from = static_cast<const std::uint8_t*>(operand.data) + at;
    for (std::int64_t i = 0; i < n; ++i) to[i] = float(from[i * stride]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = element(operand, at + i * stride);
  }
}

// Elements [first, first + n) of the flattened space, gathered run by run.
void load_strided(const TileArgs& args, const TileOperand& operand, std::int64_t first,
                  std::int64_t n, float* to) {
  std::int64_t index[kMaxRank], rest = first, at = 0;
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    index[axis] = rest % args.extent[axis];
    rest /= args.extent[axis];
    at += index[axis] * operand.stride[axis];
  }
  int inner = args.rank - 1;
  while (n > 0) {
    std::int64_t run = std::min(n, args.extent[inner] - index[inner]);
    load_run(operand, at, operand.stride[inner], run, to);
    to += run;
    n -= run;
    at += run * operand.stride[inner];
    index[inner] += run;
    for (int axis = inner; axis > 0 && index[axis] == args.extent[axis]; --axis) {
      at += operand.stride[axis - 1] - args.extent[axis] * operand.stride[axis];
      index[axis] = 0;
      ++index[axis - 1];
    }
  }
}

void store_run(const TileOperand& operand, std::int64_t first, std::int64_t n, const float* from) {
  if (operand.dtype == DType::u8) {
    auto* to = static_cast<std::uint8_t*>(operand.data) + first;
    for (std::int64_t i = 0; i < n; ++i) to[i] = std::uint8_t(from[i]);
  } else if (operand.dtype == DType::bf16) {
    auto* to = static_cast<BFloat16*>(operand.data) + first;
    for (std::int64_t i = 0; i < n; ++i) to[i] = to_bf16(from[i]);
  } else {
    std::memcpy(static_cast<char*>(operand.data) + first * 4, from, std::size_t(n) * 4);
  }
}

template <class Function>
HWY_INLINE void map(float* y, std::int64_t n, Function f) {
  for (std::int64_t i = 0; i < n; i += kWide) hn::Store(f(i), F(), y + i);
}

HWY_INLINE VI ints(const float* p) { return hn::BitCast(I(), load(p)); }
HWY_INLINE VF bits(VI v) { return hn::BitCast(F(), v); }

void unary(TileOp op, float* y, const float* x, std::int64_t n) {
  switch (op) {
    case TileOp::exp:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return exp_v(load(x + i)); });
    case TileOp::log:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return log_v(load(x + i)); });
    case TileOp::sqrt:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::Sqrt(load(x + i)); });
    case TileOp::tanh:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return tanh_v(load(x + i)); });
    case TileOp::sigmoid:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return sigmoid_v(load(x + i)); });
    case TileOp::softplus:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return softplus_v(load(x + i)); });
    case TileOp::erf:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return erf_v(load(x + i)); });
    case TileOp::sin:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return sin_v(load(x + i)); });
    case TileOp::cos:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return cos_v(load(x + i)); });
    case TileOp::neg:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::Neg(load(x + i)); });
    case TileOp::abs:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::Abs(load(x + i)); });
    case TileOp::square:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::Mul(load(x + i), load(x + i)); });
    case TileOp::relu:
      return map(y, n, [&](std::int64_t i) HWY_ATTR {
        VF v = load(x + i);
        return hn::IfThenElse(hn::Lt(set(0.0f), v), v, set(0.0f));
      });
    case TileOp::silu:
      return map(y, n, [&](std::int64_t i) HWY_ATTR {
        return hn::Mul(load(x + i), sigmoid_v(load(x + i)));
      });
    case TileOp::i32_to_f32:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::ConvertTo(F(), ints(x + i)); });
    case TileOp::move:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return load(x + i); });
    default:
      return;
  }
}

// Conversions are rare and done one by one: nearest even, saturated; NaN gives 0.
void convert(TileOp op, float* y, const float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    float v = x[i];
    if (op == TileOp::round_bf16) {
      y[i] = to_float(to_bf16(v));
    } else if (op == TileOp::to_u8) {
      y[i] = v != v ? 0.0f : std::nearbyint(std::clamp(v, 0.0f, 255.0f));
    } else {
      double bounded = v != v ? 0.0 : std::clamp(double(v), -2147483648.0, 2147483647.0);
      y[i] = std::bit_cast<float>(std::int32_t(std::nearbyint(bounded)));
    }
  }
}

void binary(TileOp op, float* y, const float* a, const float* b, std::int64_t n) {
  VF one = set(1.0f);
  switch (op) {
    case TileOp::add:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::Add(load(a + i), load(b + i)); });
    case TileOp::sub:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::Sub(load(a + i), load(b + i)); });
    case TileOp::mul:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::Mul(load(a + i), load(b + i)); });
    case TileOp::div:
      return map(y, n, [&](std::int64_t i) HWY_ATTR { return hn::Div(load(a + i), load(b + i)); });
    case TileOp::max:
      return map(y, n, [&](std::int64_t i) HWY_ATTR {
        VF p = load(a + i), q = load(b + i);
        return hn::IfThenElse(hn::Lt(p, q), q, p);
      });
    case TileOp::min:
      return map(y, n, [&](std::int64_t i) HWY_ATTR {
        VF p = load(a + i), q = load(b + i);
        return hn::IfThenElse(hn::Lt(q, p), q, p);
      });
    case TileOp::less:
      return map(y, n, [&](std::int64_t i) HWY_ATTR {
        return hn::IfThenElseZero(hn::Lt(load(a + i), load(b + i)), one);
      });
    case TileOp::equal:
      return map(y, n, [&](std::int64_t i) HWY_ATTR {
        return hn::IfThenElseZero(hn::Eq(load(a + i), load(b + i)), one);
      });
    case TileOp::i32_add:
      return map(y, n,
                 [&](std::int64_t i) HWY_ATTR { return bits(hn::Add(ints(a + i), ints(b + i))); });
    case TileOp::i32_sub:
      return map(y, n,
                 [&](std::int64_t i) HWY_ATTR { return bits(hn::Sub(ints(a + i), ints(b + i))); });
    case TileOp::i32_mul:
      return map(y, n,
                 [&](std::int64_t i) HWY_ATTR { return bits(hn::Mul(ints(a + i), ints(b + i))); });
    case TileOp::i32_max:
      return map(y, n,
                 [&](std::int64_t i) HWY_ATTR { return bits(hn::Max(ints(a + i), ints(b + i))); });
    case TileOp::i32_less:
      return map(y, n, [&](std::int64_t i) HWY_ATTR {
        return hn::IfThenElseZero(hn::RebindMask(F(), hn::Lt(ints(a + i), ints(b + i))), one);
      });
    case TileOp::i32_equal:
      return map(y, n, [&](std::int64_t i) HWY_ATTR {
        return hn::IfThenElseZero(hn::RebindMask(F(), hn::Eq(ints(a + i), ints(b + i))), one);
      });
    default:
      return;
  }
}

// Runs one instruction on n elements (a multiple of the vector, garbage beyond the chunk's end).
void step(const TileArgs& args, const TileInsn& insn, const Access* access, Tile& tile,
          std::int64_t first, std::int64_t count) {
  std::int64_t n = (count + kWide - 1) / kWide * kWide;
  float* y = tile.memory[insn.dst];
  const float* a = tile.value[insn.a % kTileRegisters];
  const float* b = tile.value[insn.b % kTileRegisters];
  switch (insn.op) {
    case TileOp::load: {
      const TileOperand& operand = args.operand[insn.b];
      if (access[insn.b] == Access::scalar) {
        std::fill_n(y, kTileChunk, element(operand, 0));
      } else if (access[insn.b] == Access::strided) {
        load_strided(args, operand, first, count, y);
      } else if (size_of(operand.dtype) == 4 && count == kTileChunk) {
        tile.value[insn.dst] = static_cast<const float*>(operand.data) + first;
        return;
      } else {
        load_run(operand, first, 1, count, y);
      }
      break;
    }
    case TileOp::store:
      return store_run(args.operand[insn.b], first, count, a);
    case TileOp::constant:
      std::fill_n(y, kTileChunk, std::bit_cast<float>(insn.c_or_immediate));
      break;
    case TileOp::select: {
      const float* c = tile.value[insn.c_or_immediate % kTileRegisters];
      map(y, n, [&](std::int64_t i) HWY_ATTR {
        return hn::IfThenElse(hn::Ne(load(c + i), set(0.0f)), load(a + i), load(b + i));
      });
      break;
    }
    case TileOp::fma: {
      const float* c = tile.value[insn.c_or_immediate % kTileRegisters];
      map(y, n, [&](std::int64_t i) HWY_ATTR {
        return hn::MulAdd(load(a + i), load(b + i), load(c + i));
      });
      break;
    }
    case TileOp::round_bf16:
    case TileOp::to_i32:
    case TileOp::to_u8:
      convert(insn.op, y, a, n);
      break;
    default:
      unary(insn.op, y, a, n);
      binary(insn.op, y, a, b, n);
  }
  tile.value[insn.dst] = y;
}

}  // namespace

void tile(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const TileArgs*>(untyped);
  std::int64_t count = 1;
  for (int axis = 0; axis < args.rank; ++axis) count *= args.extent[axis];
  Range mine = split_range(long(count), thread, threads, kTileChunk);
  if (mine.first >= mine.last) return;
  Access access[kMaxTileOperands];
  for (int k = 0; k < args.num_operands; ++k) access[k] = access_of(args, args.operand[k]);
  Tile tile;
  for (int r = 0; r < kTileRegisters; ++r) {
    tile.value[r] = tile.memory[r];
    std::fill_n(tile.memory[r], kTileChunk, 0.0f);
  }
  for (std::int64_t first = mine.first; first < mine.last; first += kTileChunk) {
    std::int64_t n = std::min<std::int64_t>(kTileChunk, mine.last - first);
    for (int i = 0; i < args.num_insns; ++i) step(args, args.code[i], access, tile, first, n);
  }
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_tile(Level level, KernelTable& table) {
  entry_of(table, KernelId::tile).run = uses_avx512(level) ? N_AVX3::tile : N_AVX2::tile;
}

}  // namespace atelier
#endif
