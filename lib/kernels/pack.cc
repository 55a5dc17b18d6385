// Packing of B operands into panels of 32 columns: [panel][k][32], padded with zeros.
#include "base/parallel.h"
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include "kernels/conv_window.h"
#include "kernels/pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

inline constexpr std::int64_t kPackRows = 256;  // of k in one task

// `batch` matrices [k][n] through strides, one after the other in dst.
struct PackShape {
  float* dst;
  const float* src;
  std::int64_t batch, k, n, batch_stride, k_stride, n_stride;
};

void pack_matrices(const PackShape& s, int thread, int threads) {
  const std::int64_t blocks = (s.k + kPackRows - 1) / kPackRows, columns = panels(s.n);
  const Range mine = split_range(long(s.batch * columns * blocks), thread, threads);
  for (std::int64_t task = mine.first; task < mine.last; ++task) {
    const std::int64_t block = task % blocks, panel = task / blocks % columns;
    const std::int64_t batch = task / blocks / columns, k0 = block * kPackRows;
    const std::int64_t n0 = panel * kPanel;
    pack_part({s.dst + ((batch * columns + panel) * s.k + k0) * kPanel,
               s.src + batch * s.batch_stride + k0 * s.k_stride + n0 * s.n_stride,
               std::min(kPackRows, s.k - k0), std::min(kPanel, s.n - n0), s.k_stride, s.n_stride});
  }
}

// w [KH,KW,C/groups,O] for the gradient towards x: for each group and phase panels over the group's
// channels; k runs through the phase's taps from the last to the first, then through O.
void pack_conv_dx(const PackArgs& args, int thread, int threads) {
  const ConvGeometry& g = args.conv;
  const std::int64_t inputs = g.channels / g.groups, outputs = g.out_channels / g.groups;
  float* dst = args.dst;
  std::int64_t task = 0;
  for (std::int64_t group = 0; group < g.groups; ++group) {
    for (std::int64_t p = 0; p < g.stride[0] * g.stride[1]; ++p) {
      const Phase phase = phase_of(g, p / g.stride[1], p % g.stride[1]);
      for (std::int64_t panel = 0; panel < panels(inputs); ++panel) {
        for (std::int64_t tap = phase.taps() - 1; tap >= 0; --tap, dst += outputs * kPanel) {
          if (task++ % threads != thread) continue;
          const std::int64_t row = phase.y.first_tap + tap / phase.x.taps * phase.y.tap_stride;
          const std::int64_t column = phase.x.first_tap + tap % phase.x.taps * phase.x.tap_stride;
          const std::int64_t c0 = panel * kPanel;
          const float* src = args.src + group * outputs +
                             ((row * g.kernel[1] + column) * inputs + c0) * g.out_channels;
          pack_part({dst, src, outputs, std::min(kPanel, inputs - c0), 1, g.out_channels});
        }
      }
    }
  }
}

void pack(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const PackArgs*>(untyped);
  const ConvGeometry& g = args.conv;
  switch (args.format) {
    case PackFormat::matmul:
      return pack_matrices({args.dst, args.src, args.batch, args.k, args.n, args.batch_stride,
                            args.k_stride, args.n_stride},
                           thread, threads);
    case PackFormat::conv:
      return pack_matrices(
          {args.dst, args.src, g.groups, forward_window(g).k(), g.out_channels / g.groups,
           g.out_channels / g.groups, g.out_channels, 1},
          thread, threads);
    case PackFormat::conv_dx:
      if (!scatters(g)) return pack_conv_dx(args, thread, threads);
      return pack_matrices(
          {args.dst, args.src, 1, g.out_channels, forward_window(g).k(), 0, 1, g.out_channels},
          thread, threads);
    case PackFormat::conv_dw:
      return pack_matrices(
          {args.dst, args.src, g.groups, g.batch * g.out_height * g.out_width,
           g.out_channels / g.groups, g.out_channels / g.groups, g.out_channels, 1},
          thread, threads);
  }
}

}  // namespace
}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

std::int64_t packed_count(const PackArgs& args) {
  const ConvGeometry& g = args.conv;
  const std::int64_t taps = g.kernel[0] * g.kernel[1];
  switch (args.format) {
    case PackFormat::matmul:
      return args.batch * panels(args.n) * args.k * kPanel;
    case PackFormat::conv:
      return panels(g.out_channels / g.groups) * taps * g.channels * kPanel;
    case PackFormat::conv_dx:  // else every tap belongs to one phase
      if (scatters(g)) return panels(taps * g.channels) * g.out_channels * kPanel;
      return panels(g.channels / g.groups) * taps * g.out_channels * kPanel;
    case PackFormat::conv_dw:
      return g.groups * panels(g.out_channels / g.groups) * g.batch * g.out_height * g.out_width *
             kPanel;
  }
  return 0;
}

void add_pack(Level level, KernelTable& table) {
  entry_of(table, KernelId::pack).run = uses_avx512(level) ? N_AVX3::pack : N_AVX2::pack;
}

void add_products(Level level, KernelTable& table) {
  add_pack(level, table);
  add_matmul(level, table);
}

}  // namespace atelier
#endif
