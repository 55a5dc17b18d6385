// Movement: copies through any strides, fills, counting, gather, scatter-add and windows, against
// loops over indices. Results are exact; every level and team gives the same.
#include <algorithm>
#include <array>
#include <bit>

#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

using Index = std::array<std::int64_t, kMaxRank>;

// Calls body(index) for every index of a space, row-major.
template <class Body>
void for_each(int rank, const std::int64_t* extent, Body body) {
  std::int64_t count = 1;
  for (int axis = 0; axis < rank; ++axis) count *= extent[axis];
  for (std::int64_t i = 0; i < count; ++i) {
    Index index{};
    std::int64_t rest = i;
    for (int axis = rank - 1; axis >= 0; --axis) {
      index[std::size_t(axis)] = rest % extent[axis];
      rest /= extent[axis];
    }
    body(index);
  }
}

std::int64_t dot(int rank, const Index& index, const std::int64_t* stride) {
  std::int64_t at = 0;
  for (int axis = 0; axis < rank; ++axis) at += index[std::size_t(axis)] * stride[axis];
  return at;
}

void fill_bytes(GuardedBuffer<std::byte>& to, std::uint64_t seed) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = std::byte(mix64(seed + i) & 0xff);
}

// ---- copies
struct CopyCase {
  CopyArgs args{};
  std::int64_t from = 0, from_size = 0;  // elements: of index 0, in all
  std::int64_t to = 0, to_size = 0;
};

// Strides of a block whose axes lie in some order, spread by a step, some walked backwards, with
// room on every side (a window of a larger tensor: pads, slices and concatenations).
void lay_out(int rank, const std::int64_t* extent, std::uint64_t seed, bool repeat,
             std::int64_t* stride, std::int64_t& first, std::int64_t& size) {
  int order[kMaxRank];
  for (int axis = 0; axis < rank; ++axis) order[axis] = axis;
  for (int axis = rank - 1; axis > 0 && seed % 3 != 0; --axis)
    std::swap(order[axis], order[mix64(seed * 31 + std::uint64_t(axis)) % unsigned(axis + 1)]);
  std::int64_t step = 1;
  first = 0;
  for (int k = rank - 1; k >= 0; --k) {
    const int axis = order[k];
    const std::uint64_t word = mix64(seed * 57 + std::uint64_t(k));
    const std::int64_t spread = seed % 2 ? 1 + std::int64_t(word % 3) : 1;
    const std::int64_t room = seed % 4 ? std::int64_t(word / 3 % 4) : 0;
    if (repeat && word % 5 == 0) {
      stride[axis] = 0;
      continue;
    }
    const bool backwards = word / 12 % 5 == 0;
    stride[axis] = backwards ? -spread * step : spread * step;
    first += (backwards ? (extent[axis] - 1) * spread : room / 2) * step;
    step *= (extent[axis] - 1) * spread + 1 + room;
  }
  size = step;
}

CopyCase copy_case(int rank, int bytes, std::uint64_t seed) {
  CopyCase c;
  c.args.element_bytes = bytes;
  c.args.rank = rank;
  const std::uint64_t most = rank == 1 ? 131 : rank == 2 ? 37 : rank == 3 ? 9 : 4;
  for (int axis = 0; axis < rank; ++axis)
    c.args.extent[axis] = 1 + std::int64_t(mix64(seed * 7 + std::uint64_t(axis)) % most);
  lay_out(rank, c.args.extent, mix64(seed) % 1000, true, c.args.src_stride, c.from, c.from_size);
  lay_out(rank, c.args.extent, mix64(seed + 1) % 1000, false, c.args.dst_stride, c.to, c.to_size);
  return c;
}

void check_copy(Level level, CopyCase c, std::uint64_t seed, int threads, Worst& exact) {
  std::int64_t checked = 0;
  const auto bytes = std::size_t(c.args.element_bytes);
  GuardedBuffer<std::byte> in(std::size_t(c.from_size) * bytes),
      out(std::size_t(c.to_size) * bytes);
  fill_bytes(in, seed);
  fill_bytes(out, seed + 1);
  std::vector<std::byte> expected(out.data(), out.data() + out.size());
  for_each(c.args.rank, c.args.extent, [&](const Index& index) {
    const std::int64_t from = c.from + dot(c.args.rank, index, c.args.src_stride);
    const std::int64_t to = c.to + dot(c.args.rank, index, c.args.dst_stride);
    std::memcpy(expected.data() + std::size_t(to) * bytes, in.data() + std::size_t(from) * bytes,
                bytes);
    ++checked;
  });
  c.args.src = in.data() + std::size_t(c.from) * bytes;
  c.args.dst = out.data() + std::size_t(c.to) * bytes;
  run(level, KernelId::copy, c.args, threads);
  const bool same = std::memcmp(out.data(), expected.data(), out.size()) == 0;
  INFO("rank ", c.args.rank, " seed ", seed, " bytes ", bytes, " threads ", threads);
  exact.exact(same ? 0 : 1, checked);
}

TEST_CASE("copies move elements of any size through any strides and touch nothing else") {
  Ledger exact("copy", kExact);
  for (Level level : levels()) {
    for (int rank = 1; rank <= kMaxRank; ++rank) {
      for (int bytes : {1, 2, 4, 8}) {
        for (std::uint64_t seed = 0; seed < 45; ++seed) {
          const CopyCase c = copy_case(rank, bytes, seed * 6 + std::uint64_t(rank));
          check_copy(level, c, seed, 1 + int(seed % 3), exact[level]);
        }
      }
    }
  }
}

TEST_CASE("fills repeat patterns of any size over any length") {
  Ledger exact("fill", kExact);
  for (Level level : levels()) {
    for (int bytes : {1, 2, 4, 8}) {
      for (std::int64_t count = 1; count <= 131; ++count) {
        GuardedBuffer<std::byte> out(std::size_t(count * bytes));
        const std::uint64_t pattern = 0xf1e2d3c4b5a69788;
        run(level, KernelId::fill, FillArgs{out.data(), count * bytes, pattern, bytes},
            1 + int(count % 3));
        std::int64_t wrong = 0;
        for (std::int64_t i = 0; i < count; ++i)
          wrong += std::memcmp(out.data() + i * bytes, &pattern, std::size_t(bytes)) ? 1 : 0;
        exact[level].exact(wrong, count);
      }
    }
  }
}

TEST_CASE("counting weighs the indices of a space of any rank") {
  Ledger exact("iota", kExact);
  for (int rank = 1; rank <= kMaxRank; ++rank) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      IotaArgs args{};
      args.rank = rank;
      std::int64_t count = 1;
      for (int axis = 0; axis < rank; ++axis) {
        const std::uint64_t word = mix64(seed * 13 + std::uint64_t(axis));
        count *= args.extent[axis] = 1 + std::int64_t(word % (rank < 3 ? 23 : 4));
        args.weight[axis] = std::int64_t(word / 64 % 9) - 4;
      }
      std::vector<std::int32_t> expected;
      for_each(rank, args.extent, [&](const Index& index) {
        expected.push_back(std::int32_t(dot(rank, index, args.weight)));
      });
      run_everywhere(
          KernelId::iota, {}, {count},
          [&](const auto&, const auto& to) {
            IotaArgs bound = args;
            bound.dst = ints(to[0]);
            return bound;
          },
          [&](Level level, const std::vector<Floats>& out) {
            const bool same = std::memcmp(out[0].data(), expected.data(), expected.size() * 4) == 0;
            exact[level].exact(same ? 0 : 1, count);
          });
    }
  }
}

// ---- gather and scatter-add
std::vector<std::int32_t> indices(std::int64_t count, std::int64_t rows, std::uint64_t seed) {
  std::vector<std::int32_t> index;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t word = mix64(seed * 1000 + std::uint64_t(i));
    constexpr std::int32_t outside[] = {-1, INT32_MIN, INT32_MAX};
    const bool out = word % 8 == 0;
    index.push_back(out ? outside[word / 8 % 3] : std::int32_t(word / 8 % std::uint64_t(rows)));
    if (word % 16 == 8) index.back() = std::int32_t(rows);  // the first beyond
  }
  return index;
}

// Rows of 1 to 70 elements, and around the length from which the C library copies.
std::vector<std::int64_t> row_lengths() {
  std::vector<std::int64_t> all;
  for (std::int64_t n = 1; n <= 70; ++n) all.push_back(n);
  all.insert(all.end(), {255, 256, 257, 1027});
  return all;
}

TEST_CASE("gather copies rows of any width; an index outside gives NaN") {
  Ledger exact("take", kExact);
  for (std::int64_t row : row_lengths()) {
    const std::int64_t rows = 1 + row % 9, count = 1 + row * 5 % 41;
    const Floats in = values(rows * row, std::uint64_t(row));
    const std::vector<std::int32_t> index = indices(count, rows, std::uint64_t(row));
    run_everywhere(
        KernelId::take, {in, bits_of(index)}, {count * row},
        [&](const auto& from, const auto& to) {
          return TakeArgs{to[0], from[0], ints(from[1]), count, rows, row * 4};
        },
        [&](Level level, const std::vector<Floats>& out) {
          std::int64_t wrong = 0;
          for (std::int64_t i = 0; i < count * row; ++i) {
            const std::int64_t at = index[std::size_t(i / row)];
            const float got = out[0][std::size_t(i)];
            const bool right =
                at < 0 || at >= rows ? std::isnan(got) : got == in[std::size_t(at * row + i % row)];
            wrong += right ? 0 : 1;
          }
          exact[level].exact(wrong, count * row);
        });
  }
}

TEST_CASE("scatter-add sums rows in their order and leaves out indices outside") {
  Ledger worst("put_add");
  for (std::int64_t row : row_lengths()) {
    const std::int64_t rows = 1 + row % 9, count = 1 + row * 5 % 97;
    const Floats in = values(count * row, std::uint64_t(row));
    const std::vector<std::int32_t> index = indices(count, rows, std::uint64_t(row));
    Floats ordered(std::size_t(rows * row), 0.0f);
    std::vector<double> sum(ordered.size()), size(ordered.size());
    for (std::int64_t i = 0; i < count * row; ++i) {
      const std::int64_t at = index[std::size_t(i / row)];
      if (at < 0 || at >= rows) continue;
      const auto to = std::size_t(at * row + i % row);
      ordered[to] += in[std::size_t(i)];
      sum[to] += double(in[std::size_t(i)]);
      size[to] += std::abs(double(in[std::size_t(i)]));
    }
    run_everywhere(
        KernelId::put_add, {in, bits_of(index)}, {rows * row},
        [&](const auto& from, const auto& to) {
          return PutAddArgs{to[0], from[0], ints(from[1]), count, rows, row};
        },
        [&](Level level, const std::vector<Floats>& out) {
          CHECK(same_bytes(out[0], ordered));
          for (std::size_t i = 0; i < sum.size(); ++i)
            worst[level].check(double(out[0][i]), sum[i], size[i], 1e-6);
        });
  }
}

TEST_CASE("gather copies rows of any number of bytes") {
  Ledger exact("take", kExact, "bytes");
  for (Level level : levels()) {
    for (std::int64_t bytes = 1; bytes <= 140; ++bytes) {
      constexpr std::int32_t index[] = {2, 0, 2, 1};
      GuardedBuffer<std::byte> in(std::size_t(3 * bytes)), out(std::size_t(4 * bytes));
      fill_bytes(in, std::uint64_t(bytes));
      run(level, KernelId::take, TakeArgs{out.data(), in.data(), index, 4, 3, bytes},
          1 + int(bytes % 3));
      long wrong = 0;
      for (std::int64_t i = 0; i < 4; ++i) {
        wrong += std::memcmp(out.data() + i * bytes, in.data() + index[i] * bytes,
                             std::size_t(bytes)) == 0
                     ? 0
                     : 1;
      }
      exact[level].exact(wrong, 4 * bytes);
    }
  }
}

// ---- windows at a start known at run time
struct WindowCase {
  DynArgs args{};
  std::int64_t full = 1, window = 1;  // elements
  std::int32_t start[kMaxRank] = {};
};

WindowCase window_case(int rank, std::uint64_t seed) {
  WindowCase c;
  c.args.rank = rank;
  for (int axis = 0; axis < rank; ++axis) {
    const std::uint64_t word = mix64(seed * 11 + std::uint64_t(axis));
    const std::int64_t full = 1 + std::int64_t(word % (rank < 3 ? 31 : 6));
    c.full *= c.args.full[axis] = full;
    c.window *= c.args.window[axis] = 1 + std::int64_t(word / 64 % std::uint64_t(full));
    // Also before and beyond what fits.
    constexpr std::int32_t far[] = {INT32_MIN, INT32_MAX, -3};
    c.start[axis] =
        word % 5 == 0 ? far[word / 5 % 3] : std::int32_t(word / 4096 % std::uint64_t(full + 2));
  }
  return c;
}

// Element of the full tensor behind an index of the window.
std::int64_t behind(const WindowCase& c, const Index& index) {
  std::int64_t at = 0;
  for (int axis = 0; axis < c.args.rank; ++axis) {
    const std::int64_t most = c.args.full[axis] - c.args.window[axis];
    const std::int64_t start = std::min<std::int64_t>(std::max(c.start[axis], 0), most);
    at = at * c.args.full[axis] + start + index[std::size_t(axis)];
  }
  return at;
}

template <class T>
void check_windows(Level level, WindowCase c, int threads) {
  GuardedBuffer<T> full(std::size_t(c.full)), window(std::size_t(c.window)),
      slice(std::size_t(c.window)), updated(std::size_t(c.full)), place(std::size_t(c.full));
  GuardedBuffer<std::int32_t> start(std::size_t(c.args.rank));
  std::copy_n(c.start, c.args.rank, start.data());
  for (std::size_t i = 0; i < full.size(); ++i) place[i] = full[i] = T(mix64(i));
  for (std::size_t i = 0; i < window.size(); ++i) window[i] = T(mix64(i + 999));
  std::vector<T> sliced, written(full.data(), full.data() + full.size());
  for_each(c.args.rank, c.args.window, [&](const Index& index) {
    const auto at = std::size_t(behind(c, index));
    written[at] = window[sliced.size()];
    sliced.push_back(full[at]);
  });
  c.args.element_bytes = int(sizeof(T));
  c.args.start = start.data();
  c.args.out = slice.data();
  c.args.in = full.data();
  run(level, KernelId::dyn_slice, c.args, threads);
  c.args.in = window.data();
  c.args.out = updated.data();
  c.args.base = full.data();
  run(level, KernelId::dyn_update, c.args, threads);
  c.args.base = c.args.out = place.data();
  run(level, KernelId::dyn_update, c.args, threads);
  const bool cut = std::equal(sliced.begin(), sliced.end(), slice.data());
  const bool apart = std::equal(written.begin(), written.end(), updated.data());
  const bool in_place = std::equal(written.begin(), written.end(), place.data());
  INFO("rank ", c.args.rank, " bytes ", sizeof(T), " threads ", threads);
  Ledger slices("dyn_slice", kExact), updates("dyn_update", kExact),
      updates_in_place("dyn_update", kExact, "in place");
  slices[level].exact(cut ? 0 : 1, c.window);
  updates[level].exact(apart ? 0 : 1, c.full);
  updates_in_place[level].exact(in_place ? 0 : 1, c.full);
}

TEST_CASE("windows are cut and written where they fit, apart and in place") {
  for (Level level : levels()) {
    for (int rank = 0; rank <= kMaxRank; ++rank) {
      for (std::uint64_t seed = 0; seed < 24; ++seed) {
        const WindowCase c = window_case(rank, seed);
        const int threads = 1 + int(seed % 3);
        check_windows<std::uint8_t>(level, c, threads);
        check_windows<std::uint16_t>(level, c, threads);
        check_windows<std::uint32_t>(level, c, threads);
        check_windows<std::uint64_t>(level, c, threads);
      }
    }
  }
}

}  // namespace
}  // namespace atelier
