// Gradient of a convolution towards x, which is also the transposed convolution.
//
// Usually one stride-1 product for each residue of x's position modulo the stride. Towards a few
// channels a panel would be mostly padding: then one product gives the contributions of every pixel
// of y, [taps * channels] each, and they are added to x in order of the pixels.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include "kernels/window-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

struct PhaseTask {
  Product product;
  WindowRows rows;
  Grid grid;
};

// Product number `index` of a conv_dx: groups outermost, then phases; `packed` moves past it.
PhaseTask phase_task(const ConvArgs& args, std::int64_t index, int threads, const float** packed) {
  const ConvGeometry& g = args.conv;
  const std::int64_t phases = g.stride[0] * g.stride[1], group = index / phases;
  const std::int64_t inputs = g.channels / g.groups, outputs = g.out_channels / g.groups;
  const Phase phase = phase_of(g, index % phases / g.stride[1], index % phases % g.stride[1]);
  const std::int64_t row = g.width * g.channels;
  PhaseTask t{};
  t.rows.window = phase_window(g, phase);
  t.rows.images = args.in + group * outputs;
  t.rows.out = args.out + group * inputs + phase.y.first * row + phase.x.first * g.channels;
  t.rows.out_stride[0] = g.height * row;
  t.rows.out_stride[1] = g.stride[0] * row;
  t.rows.out_stride[2] = g.stride[1] * g.channels;
  t.product = {g.batch * phase.y.count * phase.x.count,
               inputs,
               t.rows.window.k(),
               *packed,
               args.epilogue.bias ? args.epilogue.bias + group * inputs : nullptr,
               args.epilogue.relu != 0};
  *packed += panels(inputs) * t.product.k * kPanel;
  t.grid = make_grid<WindowRows>(t.product.m, inputs, t.product.k, g.groups * phases, threads);
  return t;
}

void by_phases(const ConvArgs& args, int thread, int threads) {
  const ConvGeometry& g = args.conv;
  alignas(64) float buffer[kRowBuffer];
  const std::int64_t products = g.groups * g.stride[0] * g.stride[1];
  std::int64_t tasks = 0;
  const float* packed = args.packed;
  for (std::int64_t i = 0; i < products; ++i) {
    tasks += phase_task(args, i, threads, &packed).grid.tasks();
  }
  const Range mine = split_range(long(tasks), thread, threads);
  packed = args.packed;
  for (std::int64_t i = 0, base = 0; i < products; ++i) {
    const PhaseTask t = phase_task(args, i, threads, &packed);
    run_share(t.product, t.grid, t.rows, base, mine, buffer);
    base += t.grid.tasks();
  }
}

inline constexpr std::int64_t kPixelBlock = 48;  // whole tiles of 6 and of 8

void add_run(float* HWY_RESTRICT to, const float* HWY_RESTRICT from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const int left = int(std::min<std::int64_t>(kLanes, count - i));
    const FloatVec sum = hn::Add(load_columns(to + i, left), load_columns(from + i, left));
    store_columns(sum, to + i, left);
  }
}

// Adds one pixel's contributions [taps][channels] to the image of x.
void scatter(const WindowRows& x, float* image, const GridPoint& p, const float* values) {
  const Window& w = x.window;
  const std::int64_t run = w.run(), runs = w.k() / run;
  for (std::int64_t index = 0; index < runs; ++index, values += run) {
    std::int64_t y;
    const Clip c = x.clip_run(p, index, 0, run, &y);
    if (c.count) add_run(image + y * w.width * w.channels + c.from, values + c.skip, c.count);
  }
}

void finish_image(const Epilogue& epilogue, float* image, std::int64_t pixels,
                  std::int64_t channels) {
  for (std::int64_t i = 0; epilogue.bias && i < pixels * channels; i += channels) {
    for (std::int64_t c = 0; c < channels; ++c) image[i + c] += epilogue.bias[c];
  }
  for (std::int64_t i = 0; epilogue.relu && i < pixels * channels; ++i) {
    image[i] = image[i] < 0 ? 0 : image[i];
  }
}

void by_pixels(const ConvArgs& args, int thread, int threads) {
  const ConvGeometry& g = args.conv;
  alignas(64) float block[kPixelBlock * kMaxScattered];
  const WindowRows x{forward_window(g), nullptr, nullptr, {}};
  const std::int64_t pixels = g.out_height * g.out_width, size = g.height * g.width * g.channels;
  const std::int64_t columns = x.window.k();
  const Range mine = split_range(long(g.batch), thread, threads);
  for (std::int64_t n = mine.first; n < mine.last; ++n) {
    float* image = args.out + n * size;
    std::fill(image, image + size, 0.0f);
    GridPoint p{0, 0, 0};
    for (std::int64_t first = 0; first < pixels; first += kPixelBlock) {
      const std::int64_t count = std::min(kPixelBlock, pixels - first);
      const float* y = args.in + (n * pixels + first) * g.out_channels;
      run_whole({count, columns, g.out_channels, args.packed, nullptr, false},
                DirectRows{y, g.out_channels, block, columns}, nullptr);
      for (std::int64_t i = 0; i < count; ++i, p.advance(x.window)) {
        scatter(x, image, p, block + i * columns);
      }
    }
    finish_image(args.epilogue, image, g.height * g.width, g.channels);
  }
}

void conv_dx(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const ConvArgs*>(untyped);
  if (scatters(args.conv)) {
    by_pixels(args, thread, threads);
  } else {
    by_phases(args, thread, threads);
  }
}

}  // namespace
}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_conv_dx(Level level, KernelTable& table) {
  entry_of(table, KernelId::conv_dx).run = uses_avx512(level) ? N_AVX3::conv_dx : N_AVX2::conv_dx;
}

}  // namespace atelier
#endif
