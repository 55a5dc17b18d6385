// Movement and indexing: strided copies, fills, counting, gather, scatter-add, run-time windows.
// Bytes only, so one version serves every level.
#include <algorithm>
#include <cstring>
#include <limits>

#include "base/parallel.h"
#include "kernels/families.h"

namespace atelier {
namespace {

template <class T>
void copy_run(char* to, std::int64_t to_stride, const char* from, std::int64_t from_stride,
              std::int64_t n) {
  T* d = reinterpret_cast<T*>(to);
  const T* s = reinterpret_cast<const T*>(from);
  if (to_stride == 1 && from_stride == 1) {
    std::memmove(d, s, std::size_t(n) * sizeof(T));
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) d[i * to_stride] = s[i * from_stride];
}

void copy_run(int bytes, char* to, std::int64_t to_stride, const char* from,
              std::int64_t from_stride, std::int64_t n) {
  switch (bytes) {
    case 1:
      return copy_run<std::uint8_t>(to, to_stride, from, from_stride, n);
    case 2:
      return copy_run<std::uint16_t>(to, to_stride, from, from_stride, n);
    case 4:
      return copy_run<std::uint32_t>(to, to_stride, from, from_stride, n);
    default:
      return copy_run<std::uint64_t>(to, to_stride, from, from_stride, n);
  }
}

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
  for (std::int64_t row = mine.first; row < mine.last; ++row) {
    std::int64_t rest = row, to = cells.first * args.dst_stride[inner],
                 from = cells.first * args.src_stride[inner];
    for (int axis = inner - 1; axis >= 0; --axis) {
      std::int64_t at = rest % args.extent[axis];
      rest /= args.extent[axis];
      to += at * args.dst_stride[axis];
      from += at * args.src_stride[axis];
    }
    copy_run(args.element_bytes, static_cast<char*>(args.dst) + to * args.element_bytes,
             args.dst_stride[inner], static_cast<const char*>(args.src) + from * args.element_bytes,
             args.src_stride[inner], cells.last - cells.first);
  }
}

void fill(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const FillArgs*>(untyped);
  std::int64_t count = args.bytes / args.element_bytes;
  Range mine = split_range(long(count), thread, threads, 64);
  char* to = static_cast<char*>(args.dst);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    std::memcpy(to + i * args.element_bytes, &args.pattern, std::size_t(args.element_bytes));
  }
}

void iota(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const IotaArgs*>(untyped);
  std::int64_t count = 1;
  for (int axis = 0; axis < args.rank; ++axis) count *= args.extent[axis];
  Range mine = split_range(long(count), thread, threads);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    std::int64_t rest = i, value = 0;
    for (int axis = args.rank - 1; axis >= 0; --axis) {
      value += rest % args.extent[axis] * args.weight[axis];
      rest /= args.extent[axis];
    }
    args.dst[i] = std::int32_t(value);
  }
}

void take(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const TakeArgs*>(untyped);
  Range mine = split_range(long(args.count), thread, threads);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    char* to = static_cast<char*>(args.out) + i * args.row_bytes;
    std::int64_t at = args.index[i];
    if (at >= 0 && at < args.rows) {
      std::memcpy(to, static_cast<const char*>(args.in) + at * args.row_bytes,
                  std::size_t(args.row_bytes));
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
    for (std::int64_t j = 0; j < args.row; ++j) to[j] += from[j];
  }
}

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

}  // namespace

void add_movement(Level, KernelTable& table) {
  entry_of(table, KernelId::copy).run = copy;
  entry_of(table, KernelId::fill).run = fill;
  entry_of(table, KernelId::iota).run = iota;
  entry_of(table, KernelId::take).run = take;
  entry_of(table, KernelId::put_add).run = put_add;
  entry_of(table, KernelId::dyn_slice).run = dyn_slice;
  entry_of(table, KernelId::dyn_update).run = dyn_update;
  entry_of(table, KernelId::dyn_update).phases = [](const void*) { return 2; };
}

}  // namespace atelier
