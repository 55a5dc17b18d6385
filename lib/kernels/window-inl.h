// Rows of a convolution's product: the windows of a grid of pixels, copied one tile at a time.
//
// A tile's windows are copied to a buffer in L1 or L2 ([row][k], padding as zeros) and used by all
// the panels of a group: a few percent of the arithmetic, and one form for every stride, padding,
// dilation and group. A window that is one run inside the image (1x1) is read where it is.
#if defined(ATELIER_KERNELS_WINDOW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATELIER_KERNELS_WINDOW_INL_H_
#undef ATELIER_KERNELS_WINDOW_INL_H_
#else
#define ATELIER_KERNELS_WINDOW_INL_H_
#endif

#include "kernels/conv_window.h"
#include "kernels/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {

// [first, last) of one row of taps, clipped to the image: element `from` of the image row at `skip`
// elements into the run.
struct Clip {
  std::int64_t skip, from, count;
};

// A place on the grid, advanced in row-major order.
struct GridPoint {
  std::int64_t image, i, j;
  void advance(const Window& w) {
    if (++j < w.grid[1]) return;
    j = 0;
    if (++i < w.grid[0]) return;
    i = 0;
    ++image;
  }
};

inline GridPoint grid_point(const Window& w, std::int64_t m) {
  const std::int64_t row = m / w.grid[1];
  return {row / w.grid[0], row % w.grid[0], m % w.grid[1]};
}

struct WindowRows {
  static constexpr bool kGathered = false;
  Window window;
  const float* images;  // first channel of the group
  // Output pixel of grid point (image, i, j): out + image * image_stride + i * .. + j * ..
  float* out;
  std::int64_t out_stride[3];

  const float* image_row(std::int64_t image, std::int64_t y) const {
    return images + (image * window.height + y) * window.width * window.channels;
  }

  // Where run `index` of the window at p starts: row and column of its tap in the image.
  void tap_of(const GridPoint& p, std::int64_t index, std::int64_t* y, std::int64_t* x) const {
    const std::int64_t row = window.dense() ? index : index / window.taps[1];
    const std::int64_t column = window.dense() ? 0 : index % window.taps[1];
    *y = p.i * window.step[0] + window.origin[0] + row * window.tap_step[0];
    *x = p.j * window.step[1] + window.origin[1] + column * window.tap_step[1];
  }

  // Elements [offset, offset + count) of run `index`, which lies in image row *y.
  Clip clip_run(const GridPoint& p, std::int64_t index, std::int64_t offset, std::int64_t count,
                std::int64_t* y) const {
    std::int64_t x;
    tap_of(p, index, y, &x);
    if (*y < 0 || *y >= window.height) return {count, 0, 0};
    const std::int64_t start = x * window.channels + offset;
    if (!window.dense()) {
      return x < 0 || x >= window.width ? Clip{count, 0, 0} : Clip{0, start, count};
    }
    const std::int64_t first = std::clamp<std::int64_t>(-start, 0, count);
    const std::int64_t end =
        std::clamp<std::int64_t>(window.width * window.channels - start, first, count);
    return {first, start + first, end - first};
  }

  // Which columns [first, end) of the grid have elements [offset, offset + count) of run `index`
  // inside the image, and where the run lies: row `y` of grid row 0, element `at` of column 0.
  struct Reach {
    std::int64_t first, end, y, at;
  };
  Reach reach(std::int64_t index, std::int64_t offset, std::int64_t count) const {
    std::int64_t y, x;
    tap_of({0, 0, 0}, index, &y, &x);
    const std::int64_t step = window.step[1];
    // The elements lie in columns [x + head, x + tail] of the image.
    const std::int64_t head = window.dense() ? offset / window.channels : 0;
    const std::int64_t tail = window.dense() ? (offset + count - 1) / window.channels : 0;
    const std::int64_t room = window.width - 1 - tail - x;
    const std::int64_t end = room < 0 ? 0 : std::min(window.grid[1], room / step + 1);
    const std::int64_t first = x + head < 0 ? (-x - head + step - 1) / step : 0;
    return {std::min(first, end), end, y, x * window.channels + offset};
  }

  // True if no tap of the window at p lies in the padding.
  bool whole(const GridPoint& p) const {
    const std::int64_t y = p.i * window.step[0] + window.origin[0];
    const std::int64_t x = p.j * window.step[1] + window.origin[1];
    return y >= 0 && y + (window.taps[0] - 1) * window.tap_step[0] < window.height && x >= 0 &&
           x + window.taps[1] <= window.width;
  }
  // A dense window that is whole.
  const float* gather_whole(const GridPoint& p, float* dst) const {
    std::int64_t y, x;
    tap_of(p, 0, &y, &x);
    const float* from = image_row(p.image, y) + x * window.channels;
    if (window.taps[0] == 1) return from;
    const std::int64_t run = window.taps[1] * window.channels;
    const std::int64_t step = window.tap_step[0] * window.width * window.channels;
    for (std::int64_t row = 0; row < window.taps[0]; ++row) {
      copy_run(dst + row * run, from + row * step, run);
    }
    return dst;
  }

  // Elements [k0, k1) of the window at p: copied to dst, or where they are if they are one run.
  const float* gather(const GridPoint& p, std::int64_t k0, std::int64_t k1, float* dst) const {
    if (k0 == k1) return dst;  // a residue that no tap reaches
    const std::int64_t run = window.run();
    if (k0 == 0 && k1 == window.k() && window.dense() && whole(p)) return gather_whole(p, dst);
    float* to = dst;
    std::int64_t index = k0 / run, offset = k0 % run;
    for (std::int64_t k = k0; k < k1; ++index, offset = 0) {
      const std::int64_t count = std::min(run - offset, k1 - k);
      std::int64_t y;
      const Clip c = clip_run(p, index, offset, count, &y);
      const float* from = image_row(p.image, y) + c.from;
      if (count == k1 - k0 && c.count == count) return from;
      zero_run(to, c.skip);
      copy_run(to + c.skip, from, c.count);
      zero_run(to + c.skip + c.count, count - c.skip - c.count);
      to += count;
      k += count;
    }
    return dst;
  }

  void load(std::int64_t m, int count, std::int64_t k0, std::int64_t k1, float* buffer,
            const float** rows) const {
    GridPoint p = grid_point(window, m);
    for (int r = 0; r < count; ++r, p.advance(window)) {
      rows[r] = gather(p, k0, k1, buffer + r * (k1 - k0 + kRowPad));
    }
  }
  void outputs(std::int64_t m, int count, float** rows) const {
    GridPoint p = grid_point(window, m);
    for (int r = 0; r < count; ++r, p.advance(window)) {
      rows[r] = out + p.image * out_stride[0] + p.i * out_stride[1] + p.j * out_stride[2];
    }
  }
};

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATELIER_KERNELS_WINDOW_INL_H_
