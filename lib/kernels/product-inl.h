// The loops around the tile: how one product C = A B is cut into tasks, and how a task runs.
//
// A `Rows` says where A's rows come from and where C's rows go:
//
//     static constexpr bool kGathered;  // true: load() copies columns of A, as [k][kPackStride]
//     void load(m, count, k0, k1, buffer, a) const;
//     void outputs(m, count, c) const;
//
// load() makes elements [k0, k1) of rows [m, m + count) readable, in `buffer` or where they are:
// a[r] points at element k0 of row m + r; if gathered, a[t] at the columns of tile t of kTileRows
// rows, of at most two. outputs() sets c[r] to column 0 of row m + r of C.
#if defined(ATELIER_KERNELS_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATELIER_KERNELS_PRODUCT_INL_H_
#undef ATELIER_KERNELS_PRODUCT_INL_H_
#else
#define ATELIER_KERNELS_PRODUCT_INL_H_
#endif

#include <algorithm>

#include "base/parallel.h"
#include "kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {

struct Product {
  std::int64_t m, n, k;
  const float* b;     // panels
  const float* bias;  // [n] or null
  bool relu;
  std::int64_t panel_rows = k;  // of a panel in b, when only its first k are used
  bool accumulate = false;      // start from what the output holds
};

// How a product is cut. Values do not depend on it, so it may look at the number of threads.
struct Grid {
  std::int64_t k_block, group, groups, row_block, row_blocks;  // group: panels; row_block: rows
  std::int64_t tasks() const { return groups * row_blocks; }
};

inline constexpr std::int64_t kWholeK = 1536;           // up to here a tile runs through all of K
inline constexpr std::int64_t kLongK = 1024;            // blocks of a longer K
inline constexpr std::int64_t kGatheredK = 384;         // 24 KiB of gathered columns in L1
inline constexpr std::int64_t kGroupBytes = 500 << 10;  // of B panels, in L2
inline constexpr std::int64_t kReloadRows = 192;        // C rows that are reloaded stay in L2
inline constexpr std::int64_t kRowPad = 16;             // keeps copied rows off one L1 set

// Floats that `load` may write: copied rows or gathered columns.
inline constexpr std::int64_t kRowBuffer = kMaxTileRows * (kWholeK + kRowPad);
inline constexpr std::int64_t kColumnBuffer = 2 * kGatheredK * kPackStride + kRowPad;

// `products` of this shape (a batch, groups) share the team.
template <class Rows>
Grid make_grid(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t products, int threads) {
  Grid g;
  const std::int64_t whole = Rows::kGathered ? kGatheredK : kWholeK;
  const std::int64_t block = Rows::kGathered ? kGatheredK : kLongK;
  const std::int64_t k_blocks = k <= whole ? 1 : (k + block - 1) / block;
  g.k_block = std::max<std::int64_t>(1, (k + k_blocks - 1) / k_blocks);
  const std::int64_t all = std::max<std::int64_t>(1, panels(n));
  g.group = std::clamp<std::int64_t>(kGroupBytes / (g.k_block * kPanel * 4), 1, all);
  const std::int64_t tiles = (m + kTileRows - 1) / kTileRows;
  const std::int64_t wanted = threads == 1 ? 1 : 4 * threads;
  // Few rows: more, narrower groups.
  while (g.group > 1 && products * tiles * ((all + g.group - 1) / g.group) < wanted) --g.group;
  g.groups = (all + g.group - 1) / g.group;
  std::int64_t blocks =
      std::max<std::int64_t>(1, (wanted + products * g.groups - 1) / (products * g.groups));
  if (k_blocks > 1) blocks = std::max(blocks, (m + kReloadRows - 1) / kReloadRows);
  blocks = std::clamp<std::int64_t>(blocks, 1, std::max<std::int64_t>(1, tiles));
  g.row_block = (tiles + blocks - 1) / blocks * kTileRows;
  g.row_blocks = m == 0 || n == 0 ? 0 : (m + g.row_block - 1) / g.row_block;
  return g;
}

// Tiles of rows that one load() serves: two where whole cache lines of columns are gathered.
template <class Rows>
inline constexpr int kLoad = Rows::kGathered ? 2 : 1;

template <class Rows>
void run_task(const Product& p, const Grid& g, const Rows& rows, std::int64_t task, float* buffer) {
  const std::int64_t panel_first = task / g.row_blocks * g.group;
  const std::int64_t panel_last = std::min(panel_first + g.group, panels(p.n));
  const std::int64_t m_first = task % g.row_blocks * g.row_block;
  const std::int64_t m_last = std::min(m_first + g.row_block, p.m);
  TileJob job;
  for (std::int64_t k0 = 0; k0 == 0 || k0 < p.k; k0 += g.k_block) {
    const std::int64_t k1 = std::min(k0 + g.k_block, p.k);
    const bool last = k1 == p.k;
    job.k = k1 - k0;
    job.reload = k0 > 0 || p.accumulate;
    job.relu = last && p.relu;
    for (std::int64_t m = m_first; m < m_last; m += kLoad<Rows> * kTileRows) {
      const int count = int(std::min<std::int64_t>(kLoad<Rows> * kTileRows, m_last - m));
      const float* a[kMaxTileRows];
      float* c[2 * kMaxTileRows];
      rows.load(m, count, k0, k1, buffer, a);
      rows.outputs(m, count, c);
      for (std::int64_t panel = panel_first; panel < panel_last; ++panel) {
        const std::int64_t column = panel * kPanel;
        job.b = p.b + (panel * p.panel_rows + k0) * kPanel;
        job.columns = int(std::min<std::int64_t>(kPanel, p.n - column));
        job.bias = last && p.bias ? p.bias + column : nullptr;
        for (int tile = 0; tile * kTileRows < count; ++tile) {
          const int first = tile * kTileRows;
          job.rows = std::min(kTileRows, count - first);
          for (int r = 0; r < job.rows; ++r) job.c[r] = c[first + r] + column;
          for (int r = 0; r < (Rows::kGathered ? 1 : job.rows); ++r) job.a[r] = a[tile + r];
          run_tile<Rows::kGathered>(job);
        }
      }
    }
  }
}

// Runs those tasks of the product that are this thread's: `mine` counts over all products of a call
// and `base` is the product's first.
template <class Rows>
void run_share(const Product& p, const Grid& g, const Rows& rows, std::int64_t base, Range mine,
               float* buffer) {
  const std::int64_t first = std::max<std::int64_t>(mine.first, base);
  const std::int64_t last = std::min<std::int64_t>(mine.last, base + g.tasks());
  for (std::int64_t task = first; task < last; ++task) {
    run_task(p, g, rows, task - base, buffer);
  }
}

// The whole product on the calling thread.
template <class Rows>
void run_whole(const Product& p, const Rows& rows, float* buffer) {
  const Grid grid = make_grid<Rows>(p.m, p.n, p.k, 1, 1);
  for (std::int64_t task = 0; task < grid.tasks(); ++task) run_task(p, grid, rows, task, buffer);
}

// A in memory with k contiguous.
struct DirectRows {
  static constexpr bool kGathered = false;
  const float* a;
  std::int64_t a_stride;
  float* c;
  std::int64_t c_stride;

  void load(std::int64_t m, int count, std::int64_t k0, std::int64_t, float*,
            const float** rows) const {
    for (int r = 0; r < count; ++r) rows[r] = a + (m + r) * a_stride + k0;
  }
  void outputs(std::int64_t m, int count, float** rows) const {
    for (int r = 0; r < count; ++r) rows[r] = c + (m + r) * c_stride;
  }
};

// A in memory with any strides: the transposed operand of a weight gradient.
struct StridedRows {
  static constexpr bool kGathered = true;
  const float* a;
  std::int64_t row_stride, k_stride;
  float* c;
  std::int64_t c_stride;

  void load(std::int64_t m, int count, std::int64_t k0, std::int64_t k1, float* buffer,
            const float** rows) const {
    const std::int64_t tile = (k1 - k0) * kPackStride;
    rows[0] = buffer;
    rows[1] = buffer + tile;
    const float* from = a + m * row_stride + k0 * k_stride;
    if (row_stride == 1) return load_adjacent(from, count, k1 - k0, buffer);
    for (std::int64_t k = k0; k < k1; ++k, buffer += kPackStride, from += k_stride) {
      for (int r = 0; r < count; ++r) {
        buffer[r / kTileRows * tile + r % kTileRows] = from[r * row_stride];
      }
    }
  }
  void load_adjacent(const float* from, int count, std::int64_t k_count, float* buffer) const {
    const hn::CappedTag<float, kPackStride> d;
    const auto low = hn::FirstN(d, std::size_t(std::min(count, kTileRows)));
    if (count <= kTileRows) {
      for (std::int64_t k = 0; k < k_count; ++k, buffer += kPackStride, from += k_stride) {
        hn::StoreU(hn::MaskedLoad(low, d, from), d, buffer);
      }
      return;
    }
    const auto high = hn::FirstN(d, std::size_t(count - kTileRows));
    float* second = buffer + k_count * kPackStride;
    for (std::int64_t k = 0; k < k_count; ++k, from += k_stride) {
      hn::StoreU(hn::MaskedLoad(low, d, from), d, buffer + k * kPackStride);
      hn::StoreU(hn::MaskedLoad(high, d, from + kTileRows), d, second + k * kPackStride);
    }
  }
  void outputs(std::int64_t m, int count, float** rows) const {
    for (int r = 0; r < count; ++r) rows[r] = c + (m + r) * c_stride;
  }
};

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATELIER_KERNELS_PRODUCT_INL_H_
