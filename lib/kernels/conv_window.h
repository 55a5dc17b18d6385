// Convolutions as products over windows: which elements of an image a window covers.
//
// Rows of the product are the points of a grid over the batch, K runs through the window's taps
// (rows, columns, channels ascending). A forward convolution has one grid; its gradient towards x
// has one for each residue of (y + top, x + left) modulo the stride.
#pragma once

#include <cstdint>
#include <numeric>

#include "kernels/kernels.h"

namespace atelier {

struct Window {
  std::int64_t height, width, channels;  // of the image read, all groups
  std::int64_t taps[2];                  // rows and columns of the window
  std::int64_t tap_step[2];              // pixels between taps
  std::int64_t group_channels;           // of one tap
  // Grid point (i, j) has its first tap at (i * step + origin) of the image.
  std::int64_t grid[2], step[2], origin[2];

  std::int64_t k() const { return taps[0] * taps[1] * group_channels; }
  // A row of taps is one run of memory.
  bool dense() const { return group_channels == channels && tap_step[1] == 1; }
  std::int64_t run() const { return dense() ? taps[1] * channels : group_channels; }
};

inline Window forward_window(const ConvGeometry& g) {
  return {g.height,
          g.width,
          g.channels,
          {g.kernel[0], g.kernel[1]},
          {g.dilation[0], g.dilation[1]},
          g.channels / g.groups,
          {g.out_height, g.out_width},
          {g.stride[0], g.stride[1]},
          {-g.pad[0], -g.pad[2]}};
}

// One residue of x positions along one axis. Taps t of the kernel with t * dilation = residue
// modulo the stride reach it; they are taken from the last to the first, so that y ascends.
struct PhaseAxis {
  std::int64_t first, count;      // positions of x: first, first + stride, ..
  std::int64_t first_tap;         // lowest tap of the kernel
  std::int64_t taps, tap_stride;  // number of taps; distance in the kernel
  std::int64_t y_step, y_origin;  // of Window: pixels of y between taps; y of point 0, last tap
};

inline PhaseAxis phase_axis(std::int64_t residue, std::int64_t extent, std::int64_t kernel,
                            std::int64_t stride, std::int64_t pad, std::int64_t dilation) {
  PhaseAxis p{};
  p.first = ((residue - pad) % stride + stride) % stride;
  p.count = p.first < extent ? (extent - p.first + stride - 1) / stride : 0;
  const std::int64_t common = std::gcd(stride, dilation);
  p.tap_stride = stride / common;
  p.y_step = dilation / common;
  for (p.first_tap = 0; p.first_tap < p.tap_stride; ++p.first_tap) {
    if (p.first_tap * dilation % stride == residue) break;
  }
  if (p.first_tap < p.tap_stride && p.first_tap < kernel) {
    p.taps = (kernel - 1 - p.first_tap) / p.tap_stride + 1;
  }
  // x position first + i * stride and tap t meet y = (first + pad - t * dilation) / stride + i.
  const std::int64_t last_tap = p.first_tap + (p.taps - 1) * p.tap_stride;
  p.y_origin = p.taps ? (p.first + pad - last_tap * dilation) / stride : 0;
  return p;
}

struct Phase {
  PhaseAxis y, x;
  std::int64_t taps() const { return y.taps * x.taps; }
};

inline Phase phase_of(const ConvGeometry& g, std::int64_t row, std::int64_t column) {
  return {phase_axis(row, g.height, g.kernel[0], g.stride[0], g.pad[0], g.dilation[0]),
          phase_axis(column, g.width, g.kernel[1], g.stride[1], g.pad[2], g.dilation[1])};
}

inline Window phase_window(const ConvGeometry& g, const Phase& phase) {
  return {g.out_height,
          g.out_width,
          g.out_channels,
          {phase.y.taps, phase.x.taps},
          {phase.y.y_step, phase.x.y_step},
          g.out_channels / g.groups,
          {phase.y.count, phase.x.count},
          {1, 1},
          {phase.y.y_origin, phase.x.y_origin}};
}

// Whether conv_dx adds up the contributions of each pixel of y instead of running one product for
// each phase (conv_dx.cc); its weights are then packed as [O][taps * channels].
inline constexpr std::int64_t kMaxScattered = 256;  // taps * channels
constexpr bool scatters(const ConvGeometry& g) {
  const std::int64_t taps = g.kernel[0] * g.kernel[1];
  return g.groups == 1 && g.channels <= 8 && taps > 1 && taps * g.channels <= kMaxScattered &&
         g.out_channels >= 16;
}

}  // namespace atelier
