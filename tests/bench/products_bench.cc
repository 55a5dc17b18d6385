// Speed of the product kernels on the layer shapes of the VAE benchmarks, one thread: GFLOP/s with
// padding counted. Not built by default: ninja products_bench.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "kernels/kernels.h"

namespace atelier {
namespace {

Buffer filled(std::int64_t count) {
  Buffer buffer(std::size_t(count) * sizeof(float));
  RandomStream random(3, 1);
  for (float& v : buffer.as<float>()) v = float(random.uniform() - 0.5);
  return buffer;
}
float* floats(const Buffer& buffer) { return buffer.as<float>().data(); }

// Seconds of one call, the best of many within `budget` seconds.
double best_time(Level level, KernelId id, const void* args, double budget = 0.4) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  double best = 1e9;
  for (int i = 0; i < 3 || std::chrono::duration<double>(Clock::now() - begin).count() < budget;
       ++i) {
    const auto start = Clock::now();
    kernel_table(level)[id].run(args, 0, 0, 1);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

void report(const std::string& what, Level level, double flops, double pack, double product) {
  fmt::print("{:<34} {:<7} {:6.1f} GFLOP/s, {:8.3f} ms, packing {:5.1f} %\n", what, name(level),
             flops / product * 1e-9, product * 1e3, 100 * pack / (pack + product));
}

void linear(Level level, std::int64_t m, std::int64_t n, std::int64_t k, bool ta, bool tb) {
  const Buffer a = filled(m * k), b = filled(k * n), c = filled(m * n);
  PackArgs pack{};
  pack.src = floats(b);
  pack.format = PackFormat::matmul;
  pack.batch = 1;
  pack.k = k;
  pack.n = n;
  pack.k_stride = tb ? 1 : n;
  pack.n_stride = tb ? k : 1;
  const Buffer packed = filled(packed_count(pack));
  pack.dst = floats(packed);
  MatmulArgs args{};
  args.a = floats(a);
  args.b = floats(packed);
  args.c = floats(c);
  args.batch = 1;
  args.m = m;
  args.n = n;
  args.k = k;
  args.a_row_stride = ta ? 1 : k;
  args.a_k_stride = ta ? m : 1;
  const double packing = best_time(level, KernelId::pack, &pack, 0.1);
  report(fmt::format("linear {} {} {}{}{}", m, n, k, ta ? " ta" : "", tb ? " tb" : ""), level,
         2.0 * double(m * n) * double(k), packing, best_time(level, KernelId::matmul, &args));
}

struct Conv {
  KernelId id;
  PackFormat format;
  const char* name;
};

void convolution(Level level, const ConvGeometry& g) {
  const Buffer x = filled(g.batch * g.height * g.width * g.channels);
  const Buffer w = filled(g.kernel[0] * g.kernel[1] * g.channels * g.out_channels);
  const Buffer y = filled(g.batch * g.out_height * g.out_width * g.out_channels);
  for (const Conv& c : {Conv{KernelId::conv, PackFormat::conv, "conv"},
                        Conv{KernelId::conv_dx, PackFormat::conv_dx, "conv_dx"},
                        Conv{KernelId::conv_dw, PackFormat::conv_dw, "conv_dw"}}) {
    PackArgs pack{};
    pack.format = c.format;
    pack.conv = g;
    pack.src = c.id == KernelId::conv_dw ? floats(y) : floats(w);
    const Buffer packed = filled(packed_count(pack));
    pack.dst = floats(packed);
    ConvArgs args{};
    args.in = c.id == KernelId::conv_dx ? floats(y) : floats(x);
    args.out = c.id == KernelId::conv      ? floats(y)
               : c.id == KernelId::conv_dx ? floats(x)
                                           : floats(w);
    args.packed = floats(packed);
    args.conv = g;
    const double flops = 2.0 * double(g.batch * g.out_height * g.out_width * g.out_channels) *
                         double(g.kernel[0] * g.kernel[1] * g.channels);
    const double packing = best_time(level, KernelId::pack, &pack, 0.1);
    report(fmt::format("{} {}x{} s{} {}->{}, {}->{}", c.name, g.kernel[0], g.kernel[1], g.stride[0],
                       g.channels, g.out_channels, g.height, g.out_height),
           level, flops, packing, best_time(level, c.id, &args));
  }
}

ConvGeometry square(std::int64_t extent, std::int64_t channels, std::int64_t out_channels,
                    std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  const std::int64_t out = (extent + 2 * pad - kernel) / stride + 1;
  return {128,
          extent,
          extent,
          channels,
          out,
          out,
          out_channels,
          {kernel, kernel},
          {stride, stride},
          {pad, pad, pad, pad},
          {1, 1},
          1};
}

void all(Level level) {
  linear(level, 100, 400, 784, false, false);
  linear(level, 100, 784, 400, false, false);
  linear(level, 100, 784, 400, false, true);
  linear(level, 784, 400, 100, true, false);
  linear(level, 128, 128, 4096, false, false);
  linear(level, 128, 4096, 128, false, false);
  linear(level, 4096, 128, 128, true, false);
  linear(level, 1024, 1024, 1024, false, false);
  linear(level, 1024, 1024, 1024, true, false);
  linear(level, 1, 1024, 1024, false, false);
  convolution(level, square(32, 3, 64, 4, 2, 1));
  convolution(level, square(16, 64, 128, 4, 2, 1));
  convolution(level, square(8, 128, 256, 4, 2, 1));
  convolution(level, square(16, 128, 128, 3, 1, 1));
}

}  // namespace
}  // namespace atelier

int main() {
  for (atelier::Level level : {atelier::Level::avx2, atelier::Level::avx512}) {
    if (atelier::cpu_has(level)) atelier::all(level);
  }
}
