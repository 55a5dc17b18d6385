// Movement and indexing: strided copies, fills, counting, gather, scatter-add, run-time windows.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

using Bytes = hn::CappedTag<std::uint8_t, 64>;
using Words = hn::CappedTag<std::uint64_t, 8>;
inline constexpr std::int64_t kBytes = std::int64_t(hn::MaxLanes(Bytes()));
// From here on the C library's copy is as fast, and it knows when to go past the caches.
inline constexpr std::int64_t kLongRun = 1024;

// Fewer than 2 * kSize bytes, from both ends.
template <int kSize>
HWY_INLINE void copy_ends(char* to, const char* from, std::int64_t n) {
  if (n >= kSize) {
    const hn::FixedTag<std::uint8_t, kSize> d;
    const auto* s = reinterpret_cast<const std::uint8_t*>(from);
    auto* t = reinterpret_cast<std::uint8_t*>(to);
    const auto last = hn::LoadU(d, s + n - kSize);
    hn::StoreU(hn::LoadU(d, s), d, t);
    hn::StoreU(last, d, t + n - kSize);
  } else if constexpr (kSize > 1) {
    copy_ends<kSize / 2>(to, from, n);
  }
}

// n bytes that do not overlap: most runs are short, so that a call would cost more than they.
HWY_INLINE void copy_bytes(char* to, const char* from, std::int64_t n) {
  if (n >= kLongRun) {
    std::memcpy(to, from, std::size_t(n));
    return;
  }
  if (n < kBytes) return copy_ends<kBytes / 2>(to, from, n);
  const Bytes d;
  const auto* s = reinterpret_cast<const std::uint8_t*>(from);
  auto* t = reinterpret_cast<std::uint8_t*>(to);
  for (std::int64_t i = 0; i + kBytes < n; i += kBytes) hn::StoreU(hn::LoadU(d, s + i), d, t + i);
  hn::StoreU(hn::LoadU(d, s + n - kBytes), d, t + n - kBytes);
}

// An element of 1, 2, 4 or 8 bytes, repeated over 8.
std::uint64_t repeated(const void* element, std::int64_t bytes) {
  std::uint64_t word = 0;
  for (std::int64_t i = 0; i < 8; i += bytes)
    std::memcpy(reinterpret_cast<char*>(&word) + i, element, std::size_t(bytes));
  return word;
}

// n bytes of a repeated word.
void fill_bytes(char* to, std::uint64_t word, std::int64_t n) {
  const Bytes d;
  const auto v = hn::BitCast(d, hn::Set(Words(), word));
  auto* t = reinterpret_cast<std::uint8_t*>(to);
  std::int64_t i = 0;
  for (; i + kBytes <= n; i += kBytes) hn::StoreU(v, d, t + i);
  alignas(64) std::uint8_t end[64];
  hn::Store(v, d, end);
  copy_ends<kBytes / 2>(to + i, reinterpret_cast<const char*>(end), n - i);
}

// to += from. No masks: a sum that is read again at once would wait for a masked store.
template <int kSize>
HWY_INLINE void add_row(float* to, const float* from, std::int64_t n) {
  const hn::FixedTag<float, kSize> d;
  for (; n >= kSize; n -= kSize, to += kSize, from += kSize)
    hn::StoreU(hn::Add(hn::LoadU(d, to), hn::LoadU(d, from)), d, to);
  if constexpr (kSize > 1) add_row<kSize / 2>(to, from, n);
}

template <class T>
void copy_steps(char* to, std::int64_t to_stride, const char* from, std::int64_t from_stride,
                std::int64_t n) {
  T* d = reinterpret_cast<T*>(to);
  const T* s = reinterpret_cast<const T*>(from);
  for (std::int64_t i = 0; i < n; ++i) d[i * to_stride] = s[i * from_stride];
}

void copy_run(int bytes, char* to, std::int64_t to_stride, const char* from,
              std::int64_t from_stride, std::int64_t n) {
  if (to_stride == 1 && from_stride == 1) return copy_bytes(to, from, n * bytes);
  if (to_stride == 1 && from_stride == 0) return fill_bytes(to, repeated(from, bytes), n * bytes);
  switch (bytes) {
    case 1:
      return copy_steps<std::uint8_t>(to, to_stride, from, from_stride, n);
    case 2:
      return copy_steps<std::uint16_t>(to, to_stride, from, from_stride, n);
    case 4:
      return copy_steps<std::uint32_t>(to, to_stride, from, from_stride, n);
    default:
      return copy_steps<std::uint64_t>(to, to_stride, from, from_stride, n);
  }
}

// A walk through a space in row-major order: move(axis, steps) is told of every move.
struct Walk {
  int rank;
  const std::int64_t* extent;
  std::int64_t at[kMaxRank] = {};

  template <class Move>
  Walk(int axes, const std::int64_t* extents, std::int64_t place, Move move)
      : rank(axes), extent(extents) {
    for (int axis = rank - 1; axis >= 0; --axis) {
      at[axis] = place % extent[axis];
      place /= extent[axis];
      move(axis, at[axis]);
    }
  }
  template <class Move>
  HWY_INLINE void next(Move move) {
    for (int axis = rank - 1; axis >= 0; --axis) {
      move(axis, 1);
      if (++at[axis] < extent[axis]) return;
      move(axis, -extent[axis]);
      at[axis] = 0;
    }
  }
};

}  // namespace

void copy(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const CopyArgs*>(untyped);
  int inner = args.rank - 1;
  std::int64_t rows = 1;
  for (int axis = 0; axis < inner; ++axis) rows *= args.extent[axis];
  // Few rows: the inner axis is cut instead.
  bool cut_inner = rows < threads;
  Range mine = cut_inner ? Range{0, long(rows)} : split_range(long(rows), thread, threads);
  Range cells = cut_inner ? split_range(long(args.extent[inner]), thread, threads, 16)
                          : Range{0, long(args.extent[inner])};
  if (mine.first >= mine.last) return;
  std::int64_t to = cells.first * args.dst_stride[inner],
               from = cells.first * args.src_stride[inner];
  const auto move = [&](int axis, std::int64_t steps) {
    to += steps * args.dst_stride[axis];
    from += steps * args.src_stride[axis];
  };
  Walk walk(inner, args.extent, mine.first, move);
  for (std::int64_t row = mine.first; row < mine.last; ++row, walk.next(move)) {
    copy_run(args.element_bytes, static_cast<char*>(args.dst) + to * args.element_bytes,
             args.dst_stride[inner], static_cast<const char*>(args.src) + from * args.element_bytes,
             args.src_stride[inner], cells.last - cells.first);
  }
}

void fill(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const FillArgs*>(untyped);
  std::int64_t count = args.bytes / args.element_bytes;
  Range mine = split_range(long(count), thread, threads, 64);
  fill_bytes(static_cast<char*>(args.dst) + mine.first * args.element_bytes,
             repeated(&args.pattern, args.element_bytes),
             (mine.last - mine.first) * args.element_bytes);
}

void iota(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const IotaArgs*>(untyped);
  const int inner = args.rank - 1;
  std::int64_t count = 1;
  for (int axis = 0; axis < args.rank; ++axis) count *= args.extent[axis];
  const std::int64_t width = inner < 0 ? 1 : args.extent[inner];
  const std::int64_t weight = inner < 0 ? 0 : args.weight[inner];
  const VI steps = hn::Mul(hn::Iota(I(), 0), hn::Set(I(), std::int32_t(weight)));
  Range mine = split_range(long(count), thread, threads);
  if (mine.first >= mine.last) return;
  std::int64_t row = 0;  // the value of the row's first element
  const auto move = [&](int axis, std::int64_t n) { row += n * args.weight[axis]; };
  Walk walk(inner, args.extent, mine.first / width, move);
  std::int64_t column = mine.first % width;
  for (std::int64_t i = mine.first; i < mine.last; walk.next(move), column = 0) {
    const std::int64_t end = std::min<std::int64_t>(mine.last, i + width - column);
    std::int64_t value = row + column * weight;
    for (; i + kWide <= end; i += kWide, value += kWide * weight)
      hn::StoreU(hn::Add(hn::Set(I(), std::int32_t(value)), steps), I(), args.dst + i);
    for (; i < end; ++i, value += weight) args.dst[i] = std::int32_t(value);
  }
}

void take(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const TakeArgs*>(untyped);
  Range mine = split_range(long(args.count), thread, threads);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    char* to = static_cast<char*>(args.out) + i * args.row_bytes;
    std::int64_t at = args.index[i];
    if (at >= 0 && at < args.rows) {
      copy_bytes(to, static_cast<const char*>(args.in) + at * args.row_bytes, args.row_bytes);
    } else {
      std::memset(to, 0xff, std::size_t(args.row_bytes));  // NaN as f32
    }
  }
}

// Each thread owns a range of destination rows and adds in order of i.
void put_add(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const PutAddArgs*>(untyped);
  Range mine = split_range(long(args.rows), thread, threads);
  std::fill(args.out + mine.first * args.row, args.out + mine.last * args.row, 0.0f);
  for (std::int64_t i = 0; i < args.count; ++i) {
    std::int64_t at = args.index[i];
    if (at < mine.first || at >= mine.last) continue;
    float* to = args.out + at * args.row;
    const float* from = args.in + i * args.row;
    add_row<kWide>(to, from, args.row);
  }
}

namespace {

// Byte offset of the clamped start and the strides of the full tensor.
std::int64_t window_start(const DynArgs& args, std::int64_t* stride) {
  std::int64_t step = 1, at = 0;
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    stride[axis] = step;
    std::int64_t start =
        std::clamp<std::int64_t>(args.start[axis], 0, args.full[axis] - args.window[axis]);
    at += start * step;
    step *= args.full[axis];
  }
  return at * args.element_bytes;
}

CopyArgs window_copy(const DynArgs& args, bool update) {
  CopyArgs c{};
  c.element_bytes = args.element_bytes;
  c.rank = std::max(1, args.rank);
  c.extent[0] = c.dst_stride[0] = c.src_stride[0] = 1;
  std::int64_t full[kMaxRank] = {}, step = 1;
  std::int64_t offset = window_start(args, full);
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    c.extent[axis] = args.window[axis];
    c.dst_stride[axis] = update ? full[axis] : step;
    c.src_stride[axis] = update ? step : full[axis];
    step *= args.window[axis];
  }
  c.dst = static_cast<char*>(args.out) + (update ? offset : 0);
  c.src = static_cast<const char*>(args.in) + (update ? 0 : offset);
  return c;
}

}  // namespace

void dyn_slice(const void* untyped, int phase, int thread, int threads) noexcept {
  CopyArgs c = window_copy(*static_cast<const DynArgs*>(untyped), false);
  copy(&c, phase, thread, threads);
}

void dyn_update(const void* untyped, int phase, int thread, int threads) noexcept {
  const auto& args = *static_cast<const DynArgs*>(untyped);
  if (phase == 1) {
    CopyArgs c = window_copy(args, true);
    return copy(&c, phase, thread, threads);
  }
  if (args.base == args.out) return;
  std::int64_t bytes = args.element_bytes;
  for (int axis = 0; axis < args.rank; ++axis) bytes *= args.full[axis];
  Range mine = split_range(long(bytes), thread, threads, 64);
  std::memcpy(static_cast<char*>(args.out) + mine.first,
              static_cast<const char*>(args.base) + mine.first,
              std::size_t(mine.last - mine.first));
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_movement(Level level, KernelTable& table) {
  const bool wide = uses_avx512(level);
  entry_of(table, KernelId::copy).run = wide ? N_AVX3::copy : N_AVX2::copy;
  entry_of(table, KernelId::fill).run = wide ? N_AVX3::fill : N_AVX2::fill;
  entry_of(table, KernelId::iota).run = wide ? N_AVX3::iota : N_AVX2::iota;
  entry_of(table, KernelId::take).run = wide ? N_AVX3::take : N_AVX2::take;
  entry_of(table, KernelId::put_add).run = wide ? N_AVX3::put_add : N_AVX2::put_add;
  entry_of(table, KernelId::dyn_slice).run = wide ? N_AVX3::dyn_slice : N_AVX2::dyn_slice;
  entry_of(table, KernelId::dyn_update).run = wide ? N_AVX3::dyn_update : N_AVX2::dyn_update;
  entry_of(table, KernelId::dyn_update).phases = [](const void*) { return 2; };
}

}  // namespace atelier
#endif
