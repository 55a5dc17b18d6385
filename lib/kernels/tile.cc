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

// The functions, one a line: an opcode's name, its error bound, and its result for vectors a and b
// of 32-bit elements. An elementwise op's opcode has the op's name; on integers it begins with
// i32_. A comparison gives 1 or 0. Bounds are in ulp of the result, or of a second number where it
// is smaller than that (TileFacts); tests hold every function to its bound.
#ifndef ATELIER_TILE_FUNCTIONS
// Of one operand.
#define ATELIER_TILE_FUNCTIONS(X)    \
  X(exp, ulp(2), exp_v(a))           \
  X(log, ulp(2), log_v(a))           \
  X(sqrt, ulp(0.5), hn::Sqrt(a))     \
  X(tanh, ulp(4), tanh_v(a))         \
  X(sigmoid, ulp(4), sigmoid_v(a))   \
  X(softplus, ulp(4), softplus_v(a)) \
  X(erf, ulp(4), erf_v(a))           \
  X(sin, ulp(2, 0.5), sin_v(a))      \
  X(cos, ulp(2, 0.5), cos_v(a))      \
  X(i32_to_f32, ulp(0.5), hn::ConvertTo(F(), ints(a)))
// Of two.
#define ATELIER_TILE_PAIRS(X)                                       \
  X(add, ulp(0.5), hn::Add(a, b))                                   \
  X(sub, ulp(0.5), hn::Sub(a, b))                                   \
  X(mul, ulp(0.5), hn::Mul(a, b))                                   \
  X(div, ulp(0.5), hn::Div(a, b))                                   \
  X(max, ulp(0), hn::IfThenElse(hn::Lt(a, b), b, a))                \
  X(less, ulp(0), one_if(hn::Lt(a, b)))                             \
  X(equal, ulp(0), one_if(hn::Eq(a, b)))                            \
  X(i32_add, ulp(0), bits(hn::Add(ints(a), ints(b))))               \
  X(i32_sub, ulp(0), bits(hn::Sub(ints(a), ints(b))))               \
  X(i32_mul, ulp(0), bits(hn::Mul(ints(a), ints(b))))               \
  X(i32_max, ulp(0), bits(hn::Max(ints(a), ints(b))))               \
  X(i32_less, ulp(0), one_if(float_mask(hn::Lt(ints(a), ints(b))))) \
  X(i32_equal, ulp(0), one_if(float_mask(hn::Eq(ints(a), ints(b)))))
// Of one operand, element by element.
#define ATELIER_TILE_CONVERSIONS(X)       \
  X(round_bf16, ulp(0), round_bf16_of(a)) \
  X(to_i32, ulp(0), to_i32_of(a))         \
  X(to_u8, ulp(0), to_u8_of(a))
#endif

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

HWY_INLINE VI ints(VF v) { return hn::BitCast(I(), v); }
HWY_INLINE VF bits(VI v) { return hn::BitCast(F(), v); }

// 1 where the mask is set, else 0.
template <class Mask>
HWY_INLINE VF one_if(Mask mask) {
  return hn::IfThenElseZero(mask, set(1.0f));
}
HWY_INLINE auto float_mask(hn::Mask<I> mask) { return hn::RebindMask(F(), mask); }

// Conversions are rare and done one by one: nearest even, saturated; NaN gives 0, and so does -0,
// as it does on its way through memory.
float round_bf16_of(float v) { return to_float(to_bf16(v)); }
float to_u8_of(float v) {
  return v != v ? 0.0f : std::nearbyint(std::clamp(v, 0.0f, 255.0f)) + 0.0f;
}
float to_i32_of(float v) {
  double bounded = v != v ? 0.0 : std::clamp(double(v), -2147483648.0, 2147483647.0);
  return std::bit_cast<float>(std::int32_t(std::nearbyint(bounded)));
}

// y[0..n) from the registers p and q, n a multiple of the vector; y may be either of them.
using Function = void (*)(float* y, const float* p, const float* q, std::int64_t n);

#define ATELIER_DEFINE(name, ulp, result)                                      \
  void tile_##name(float* y, const float* p, const float* q, std::int64_t n) { \
    for (std::int64_t i = 0; i < n; i += kWide) {                              \
      [[maybe_unused]] const VF a = load(p + i), b = load(q + i);              \
      hn::Store(result, F(), y + i);                                           \
    }                                                                          \
  }
#define ATELIER_DEFINE_SCALAR(name, ulp, result)                             \
  void tile_##name(float* y, const float* p, const float*, std::int64_t n) { \
    for (std::int64_t i = 0; i < n; ++i) {                                   \
      const float a = p[i];                                                  \
      y[i] = result;                                                         \
    }                                                                        \
  }
ATELIER_TILE_FUNCTIONS(ATELIER_DEFINE)
ATELIER_TILE_PAIRS(ATELIER_DEFINE)
ATELIER_TILE_CONVERSIONS(ATELIER_DEFINE_SCALAR)
#undef ATELIER_DEFINE
#undef ATELIER_DEFINE_SCALAR

#define ATELIER_ADDRESS(name, ulp, result) tile_##name,
const Function kFunctions[] = {ATELIER_TILE_FUNCTIONS(ATELIER_ADDRESS) ATELIER_TILE_PAIRS(
    ATELIER_ADDRESS) ATELIER_TILE_CONVERSIONS(ATELIER_ADDRESS)};
#undef ATELIER_ADDRESS

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
      for (std::int64_t i = 0; i < n; i += kWide) {
        VF chosen = hn::IfThenElse(hn::Ne(load(c + i), set(0.0f)), load(a + i), load(b + i));
        hn::Store(chosen, F(), y + i);
      }
      break;
    }
    case TileOp::fma: {
      const float* c = tile.value[insn.c_or_immediate % kTileRegisters];
      for (std::int64_t i = 0; i < n; i += kWide)
        hn::Store(hn::MulAdd(load(a + i), load(b + i), load(c + i)), F(), y + i);
      break;
    }
    default:
      kFunctions[int(insn.op) - int(TileOp::functions)](y, a, b, n);
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
namespace {

struct Entry {
  std::string_view name;
  TileFacts facts;
};
struct Bound {
  double most, least;
};
constexpr Bound ulp(double most, double least = 0) { return {most, least}; }
constexpr Entry entry(std::string_view name, int operands, Bound bound) {
  return {name, {operands, bound.most, bound.least}};
}

// In the order of the opcodes.
#define ATELIER_ONE(name, bound, result) entry(#name, 1, bound),
#define ATELIER_TWO(name, bound, result) entry(#name, 2, bound),
constexpr Entry kEntries[] = {entry("load", 0, ulp(0)),
                              entry("store", 1, ulp(0)),
                              entry("constant", 0, ulp(0)),
                              entry("where", 3, ulp(0)),
                              entry("fma", 3, ulp(0.5)),
                              ATELIER_TILE_FUNCTIONS(ATELIER_ONE) ATELIER_TILE_PAIRS(ATELIER_TWO)
                                  ATELIER_TILE_CONVERSIONS(ATELIER_ONE)};
#undef ATELIER_ONE
#undef ATELIER_TWO

}  // namespace

int num_tile_ops() { return int(std::size(kEntries)); }
std::string_view name(TileOp op) { return kEntries[int(op)].name; }
TileFacts facts(TileOp op) { return kEntries[int(op)].facts; }
std::optional<TileOp> tile_op(std::string_view name) {
  auto found = std::find_if(std::begin(kEntries), std::end(kEntries),
                            [&](const Entry& e) { return e.name == name; });
  if (found == std::end(kEntries)) return std::nullopt;
  return TileOp(found - std::begin(kEntries));
}

void add_tile(Level level, KernelTable& table) {
  entry_of(table, KernelId::tile).run = uses_avx512(level) ? N_AVX3::tile : N_AVX2::tile;
}

}  // namespace atelier
#endif
