// Convolution [N,H,W,C] x [KH,KW,C/groups,O] -> [N,Ho,Wo,O]: one product a group.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include "kernels/window-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

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

}  // namespace
}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_convolutions(Level level, KernelTable& table) {
  entry_of(table, KernelId::conv).run = uses_avx512(level) ? N_AVX3::conv : N_AVX2::conv;
  add_conv_dx(level, table);
  add_conv_dw(level, table);
}

}  // namespace atelier
#endif
