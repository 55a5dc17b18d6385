// Gradient of a convolution towards its weights: dw [KH,KW,C/groups,O] = sum over output pixels of
// (window of x) outer (row of y); K runs over (image, row, column) of y.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include "kernels/window-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

// Rows are elements of the window, K the grid points.
struct WindowColumns {
  static constexpr bool kGathered = true;
  WindowRows windows;
  float* out;
  std::int64_t out_stride;

  // Elements of one run of the window. `alone`: they fill both tiles of the load, else they lie in
  // one tile among others.
  struct Part {
    std::int64_t index, offset;
    int count;
    bool alone;
  };
  using Tag = hn::CappedTag<float, kPackStride>;

  // Grid points of one grid row from p on, to dst[point][8] of each tile.
  void load_points(const Part& part, const WindowRows::Reach& reach, const GridPoint& p,
                   std::int64_t points, float* dst, std::int64_t tile) const {
    const Window& w = windows.window;
    const std::int64_t y = reach.y + p.i * w.step[0], step = w.step[1] * w.channels;
    if (y < 0 || y >= w.height) {
      for (std::int64_t q = 0; q < points; ++q) load_zeros(part, dst + q * kPackStride, tile);
      return;
    }
    const std::int64_t first = std::clamp<std::int64_t>(reach.first - p.j, 0, points);
    const std::int64_t end = std::clamp<std::int64_t>(reach.end - p.j, first, points);
    for (std::int64_t q = 0; q < points; ++q) {
      if (q == first) q = end;
      if (q < points) load_clipped(part, {p.image, p.i, p.j + q}, dst + q * kPackStride, tile);
    }
    if (first == end) return;
    const float* from = windows.image_row(p.image, y) + reach.at + (p.j + first) * step;
    dst += first * kPackStride;
    if (part.alone) return load_inside(part.count, from, step, end - first, dst, tile);
    const auto mask = hn::FirstN(Tag(), std::size_t(part.count));
    for (std::int64_t q = first; q < end; ++q, from += step, dst += kPackStride) {
      hn::BlendedStore(hn::MaskedLoad(mask, Tag(), from), mask, Tag(), dst);
    }
  }

  static void load_inside(int count, const float* from, std::int64_t step, std::int64_t points,
                          float* dst, std::int64_t tile) {
    const Tag d;
    const auto low = hn::FirstN(d, std::size_t(std::min(count, kTileRows)));
    const auto high = hn::FirstN(d, std::size_t(std::max(count - kTileRows, 0)));
    const bool both = count > kTileRows;
    for (std::int64_t q = 0; q < points; ++q, from += step, dst += kPackStride) {
      hn::StoreU(hn::MaskedLoad(low, d, from), d, dst);
      if (both) hn::StoreU(hn::MaskedLoad(high, d, from + kTileRows), d, dst + tile);
    }
  }

  static void load_zeros(const Part& part, float* dst, std::int64_t tile) {
    if (part.alone) {
      hn::StoreU(hn::Zero(Tag()), Tag(), dst);
      if (part.count > kTileRows) hn::StoreU(hn::Zero(Tag()), Tag(), dst + tile);
    } else {
      for (int r = 0; r < part.count; ++r) dst[r] = 0;
    }
  }

  void load_clipped(const Part& part, const GridPoint& p, float* dst, std::int64_t tile) const {
    std::int64_t y;
    const Clip c = windows.clip_run(p, part.index, part.offset, part.count, &y);
    if (c.count == 0) return load_zeros(part, dst, tile);
    const float* from = windows.image_row(p.image, y) + c.from;
    for (int r = 0; r < part.count; ++r) {
      dst[r / kTileRows * tile + r % kTileRows] =
          r >= c.skip && r < c.skip + c.count ? from[r - c.skip] : 0.0f;
    }
  }

  void load_part(const Part& part, std::int64_t k0, std::int64_t k1, float* dst) const {
    const Window& w = windows.window;
    const WindowRows::Reach reach = windows.reach(part.index, part.offset, part.count);
    GridPoint p = grid_point(w, k0);
    for (std::int64_t k = k0; k < k1;) {
      const std::int64_t points = std::min(w.grid[1] - p.j, k1 - k);
      load_points(part, reach, p, points, dst, (k1 - k0) * kPackStride);
      dst += points * kPackStride;
      k += points;
      p.j += points - 1;
      p.advance(w);
    }
  }

  void load(std::int64_t m, int count, std::int64_t k0, std::int64_t k1, float* buffer,
            const float** rows) const {
    const std::int64_t tile = (k1 - k0) * kPackStride, run = windows.window.run();
    rows[0] = buffer;
    rows[1] = buffer + tile;
    if (m % run + count <= run) return load_part({m / run, m % run, count, true}, k0, k1, buffer);
    for (int r = 0; r < count;) {
      const std::int64_t index = (m + r) / run, offset = (m + r) % run;
      const int in_tile = std::min(count - r, kTileRows - r % kTileRows);
      const int part = int(std::min<std::int64_t>(in_tile, run - offset));
      load_part({index, offset, part, false}, k0, k1,
                buffer + r / kTileRows * tile + r % kTileRows);
      r += part;
    }
  }
  void outputs(std::int64_t m, int count, float** rows) const {
    for (int r = 0; r < count; ++r) rows[r] = out + (m + r) * out_stride;
  }
};

void conv_dw(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const ConvArgs*>(untyped);
  const ConvGeometry& g = args.conv;
  alignas(64) float buffer[kColumnBuffer];
  const std::int64_t inputs = g.channels / g.groups, outputs = g.out_channels / g.groups;
  WindowColumns rows{{forward_window(g), nullptr, nullptr, {}}, nullptr, g.out_channels};
  Product product{rows.windows.window.k(),
                  outputs,
                  g.batch * g.out_height * g.out_width,
                  nullptr,
                  nullptr,
                  false};
  const Grid grid = make_grid<WindowColumns>(product.m, outputs, product.k, g.groups, threads);
  const Range mine = split_range(long(g.groups * grid.tasks()), thread, threads);
  for (std::int64_t group = 0; group < g.groups; ++group) {
    rows.windows.images = args.in + group * inputs;
    rows.out = args.out + group * outputs;
    product.b = args.packed + group * panels(outputs) * product.k * kPanel;
    run_share(product, grid, rows, group * grid.tasks(), mine, buffer);
  }
}

}  // namespace
}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_conv_dw(Level level, KernelTable& table) {
  entry_of(table, KernelId::conv_dw).run = uses_avx512(level) ? N_AVX3::conv_dw : N_AVX2::conv_dw;
}

}  // namespace atelier
#endif
