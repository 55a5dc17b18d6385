// Convolution [N,H,W,C] x [KH,KW,C/groups,O] -> [N,Ho,Wo,O] and its gradient towards x, which is
// also the transposed convolution: one stride-1 product for each residue modulo the stride.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include "kernels/window-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {

void conv(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const ConvArgs*>(untyped);
  const ConvGeometry& g = args.conv;
  alignas(64) float buffer[kRowBuffer];
  const std::int64_t inputs = g.channels / g.groups, outputs = g.out_channels / g.groups;
  const std::int64_t row = g.out_width * g.out_channels;
  WindowRows rows{forward_window(g), nullptr, nullptr, {g.out_height * row, row, g.out_channels}};
  Product product{g.batch * g.out_height * g.out_width,
                  outputs,
                  rows.window.k(),
                  nullptr,
                  nullptr,
                  args.epilogue.relu != 0};
  const Grid grid = make_grid<WindowRows>(product.m, outputs, product.k, g.groups, threads);
  const Range mine = split_range(long(g.groups * grid.tasks()), thread, threads);
  for (std::int64_t group = 0; group < g.groups; ++group) {
    rows.images = args.in + group * inputs;
    rows.out = args.out + group * outputs;
    product.b = args.packed + group * panels(outputs) * product.k * kPanel;
    product.bias = args.epilogue.bias ? args.epilogue.bias + group * outputs : nullptr;
    run_share(product, grid, rows, group * grid.tasks(), mine, buffer);
  }
}

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

void conv_dx(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const ConvArgs*>(untyped);
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

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_convolutions(Level level, KernelTable& table) {
  const bool wide = uses_avx512(level);
  entry_of(table, KernelId::conv).run = wide ? N_AVX3::conv : N_AVX2::conv;
  entry_of(table, KernelId::conv_dx).run = wide ? N_AVX3::conv_dx : N_AVX2::conv_dx;
  add_conv_dw(level, table);
}

}  // namespace atelier
#endif
