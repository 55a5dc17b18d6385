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
// channels; k runs through the phase's taps from the last to the first, then through O. Calls
// body(source of one tap, columns) in that order; element (k, column) lies at k + column * O.
template <class Body>
void for_phase_taps(const PackArgs& args, Body body) {
  const ConvGeometry& g = args.conv;
  const std::int64_t inputs = g.channels / g.groups, outputs = g.out_channels / g.groups;
  for (std::int64_t group = 0; group < g.groups; ++group) {
    for (std::int64_t p = 0; p < g.stride[0] * g.stride[1]; ++p) {
      const Phase phase = phase_of(g, p / g.stride[1], p % g.stride[1]);
      for (std::int64_t c0 = 0; c0 < inputs; c0 += kPanel) {
        for (std::int64_t tap = phase.taps() - 1; tap >= 0; --tap) {
          const std::int64_t row = phase.y.first_tap + tap / phase.x.taps * phase.y.tap_stride;
          const std::int64_t column = phase.x.first_tap + tap % phase.x.taps * phase.x.tap_stride;
          body(args.src + group * outputs +
                   ((row * g.kernel[1] + column) * inputs + c0) * g.out_channels,
               std::min(kPanel, inputs - c0));
        }
      }
    }
  }
}

void pack_conv_dx(const PackArgs& args, int thread, int threads) {
  const std::int64_t outputs = args.conv.out_channels / args.conv.groups;
  float* dst = static_cast<float*>(args.dst);
  std::int64_t task = 0;
  for_phase_taps(args, [&](const float* src, std::int64_t columns) {
    if (task++ % threads == thread)
      pack_part({dst, src, outputs, columns, 1, args.conv.out_channels});
    dst += outputs * kPanel;
  });
}

// Words of two bf16 from `count` rows of k of one panel, which follow each other in dst.
class PairPacker {
 public:
  PairPacker(const PackArgs& args, int thread, int threads)
      : dst_(static_cast<std::uint32_t*>(args.dst)), thread_(thread), threads_(threads) {}

  void part(const float* src, std::int64_t count, std::int64_t columns, std::int64_t k_stride,
            std::int64_t n_stride) {
    std::uint32_t* to = dst_;
    dst_ += (count + 1) / 2 * kPanel;
    if (task_++ % threads_ != thread_) return;
    for (std::int64_t k = 0; k < count; k += 2) {
      for (std::int64_t c = 0; c < kPanel; ++c) {
        const float* from = src + k * k_stride + c * n_stride;
        std::uint32_t word = 0;
        if (c < columns) word = to_bf16(*from).bits;
        if (c < columns && k + 1 < count) word |= std::uint32_t(to_bf16(from[k_stride]).bits) << 16;
        to[k / 2 * kPanel + c] = word;
      }
    }
  }

 private:
  std::uint32_t* dst_;
  std::int64_t task_ = 0;
  int thread_, threads_;
};

void pack_pairs(const PackArgs& args, int thread, int threads) {
  PairPacker packer(args, thread, threads);
  const ConvGeometry& g = args.conv;
  // All panels of one matrix [count][n].
  auto matrix = [&](const float* src, std::int64_t count, std::int64_t n, std::int64_t k_stride,
                    std::int64_t n_stride) {
    for (std::int64_t c0 = 0; c0 < n; c0 += kPanel)
      packer.part(src + c0 * n_stride, count, std::min(kPanel, n - c0), k_stride, n_stride);
  };
  if (args.format == PackFormat::matmul) {
    for (std::int64_t b = 0; b < args.batch; ++b)
      matrix(args.src + b * args.batch_stride, args.k, args.n, args.k_stride, args.n_stride);
    return;
  }
  const std::int64_t outputs = g.out_channels / g.groups, all = g.out_channels;
  const std::int64_t taps = g.kernel[0] * g.kernel[1], pixels = g.out_height * g.out_width;
  if (args.format == PackFormat::conv_dx) {
    if (scatters(g)) return matrix(args.src, all, taps * g.channels, 1, all);
    return for_phase_taps(args, [&](const float* src, std::int64_t columns) {
      packer.part(src, outputs, columns, 1, all);
    });
  }
  const std::int64_t inputs = g.channels / g.groups;
  for (std::int64_t group = 0; group < g.groups; ++group) {
    for (std::int64_t c0 = 0; c0 < outputs; c0 += kPanel) {
      const float* src = args.src + group * outputs + c0;
      const std::int64_t columns = std::min(kPanel, outputs - c0);
      if (args.format == PackFormat::conv) {
        for (std::int64_t tap = 0; tap < taps; ++tap)
          packer.part(src + tap * inputs * all, inputs, columns, all, 1);
        continue;
      }
      for (std::int64_t i = 0; i < (g.batch + 1) / 2 * pixels; ++i) {
        const std::int64_t image = i / pixels * 2, pixel = i % pixels;
        packer.part(src + (image * pixels + pixel) * all,
                    std::min<std::int64_t>(2, g.batch - image), columns, pixels * all, 1);
      }
    }
  }
}

void pack(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const PackArgs*>(untyped);
  const ConvGeometry& g = args.conv;
  if (args.word == PackWord::bf16x2) return pack_pairs(args, thread, threads);
  float* dst = static_cast<float*>(args.dst);
  switch (args.format) {
    case PackFormat::matmul:
      return pack_matrices({dst, args.src, args.batch, args.k, args.n, args.batch_stride,
                            args.k_stride, args.n_stride},
                           thread, threads);
    case PackFormat::conv:
      return pack_matrices(
          {dst, args.src, g.groups, forward_window(g).k(), g.out_channels / g.groups,
           g.out_channels / g.groups, g.out_channels, 1},
          thread, threads);
    case PackFormat::conv_dx:
      if (!scatters(g)) return pack_conv_dx(args, thread, threads);
      return pack_matrices(
          {dst, args.src, 1, g.out_channels, forward_window(g).k(), 0, 1, g.out_channels}, thread,
          threads);
    case PackFormat::conv_dw:
      return pack_matrices(
          {dst, args.src, g.groups, g.batch * g.out_height * g.out_width, g.out_channels / g.groups,
           g.out_channels / g.groups, g.out_channels, 1},
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
  auto words = [&](std::int64_t n) { return args.word == PackWord::f32 ? n : (n + 1) / 2; };
  switch (args.format) {
    case PackFormat::matmul:
      return args.batch * panels(args.n) * words(args.k) * kPanel;
    case PackFormat::conv:
      return g.groups * panels(g.out_channels / g.groups) * taps * words(g.channels / g.groups) *
             kPanel;
    case PackFormat::conv_dx:  // else every tap belongs to one phase
      if (scatters(g)) return panels(taps * g.channels) * words(g.out_channels) * kPanel;
      return g.groups * panels(g.channels / g.groups) * taps * words(g.out_channels / g.groups) *
             kPanel;
    case PackFormat::conv_dw:
      return g.groups * panels(g.out_channels / g.groups) * words(g.batch) * g.out_height *
             g.out_width * kPanel;
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
