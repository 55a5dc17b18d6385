// Packed panels of every format, element by element: where each weight lies, zeros in the padding,
// and not one element more than packed_count() says.
#include <numeric>

#include "kernels/conv_window.h"
#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

// Row k, column n of panel number `panel` of a block of panels of `depth` rows.
std::size_t place(std::int64_t panel, std::int64_t depth, std::int64_t k, std::int64_t n) {
  return std::size_t((panel * depth + k) * kPanel + n);
}

// Runs the pack and compares it with `expected`.
void check_pack(PackArgs args, const Floats& src, const Floats& expected) {
  Ledger exact("pack", kExact);
  REQUIRE(std::size_t(packed_count(args)) == expected.size());
  pack_everywhere(args, src, [&](Level level, const std::vector<Floats>& out) {
    exact[level].exact(same_bytes(out[0], expected) ? 0 : 1, std::int64_t(expected.size()));
  });
}

// Values without zeros, so that padding is told from data.
Floats weights(std::int64_t count, std::uint64_t stream) { return values(count, stream, 1, 3); }

void check_matrix(std::int64_t batch, std::int64_t k, std::int64_t n, int lie) {
  PackArgs args{};
  args.format = PackFormat::matmul;
  args.batch = batch, args.k = k, args.n = n;
  // Rows, columns (a transposed matrix), every second element.
  args.k_stride = lie == 0 ? n : lie == 1 ? 1 : 2 * n;
  args.n_stride = lie == 0 ? 1 : lie == 1 ? k : 2;
  const std::int64_t size = (k - 1) * args.k_stride + (n - 1) * args.n_stride + 1;
  args.batch_stride = lie == 2 ? 2 * k * n : k * n;
  const Floats src = weights((batch - 1) * args.batch_stride + size, std::uint64_t(k * 200 + n));
  Floats expected(std::size_t(batch * panels(n) * k * kPanel), 0.0f);
  for (std::int64_t i = 0; i < batch * k * n; ++i) {
    const std::int64_t b = i / (k * n), row = i / n % k, column = i % n;
    const std::int64_t panel = b * panels(n) + column / kPanel;
    expected[place(panel, k, row, column % kPanel)] =
        src[std::size_t(b * args.batch_stride + row * args.k_stride + column * args.n_stride)];
  }
  check_pack(args, src, expected);
}

TEST_CASE("matrices of any size are packed from rows, columns and any strides") {
  for (std::int64_t n = 1; n <= 70; ++n) {
    for (int lie : {0, 1, 2}) check_matrix(1 + n % 2, 1 + n * 11 % 37, n, lie);
  }
  for (std::int64_t k : {255, 256, 257, 513}) check_matrix(1, k, 33, int(k % 2));
}

struct Conv {
  std::int64_t size, channels, outputs, kernel, stride, dilation, groups;
};
ConvGeometry geometry(const Conv& c) {
  ConvGeometry g{};
  g.batch = 2;
  g.height = c.size, g.width = c.size + 1, g.channels = c.channels;
  g.out_channels = c.outputs;
  g.kernel[0] = c.kernel, g.kernel[1] = c.kernel;
  g.stride[0] = g.stride[1] = c.stride;
  g.dilation[0] = g.dilation[1] = c.dilation;
  for (std::int64_t& p : g.pad) p = 1;
  const std::int64_t reach = (c.kernel - 1) * c.dilation + 1;
  g.out_height = (g.height + 2 - reach) / c.stride + 1;
  g.out_width = (g.width + 2 - reach) / c.stride + 1;
  g.groups = c.groups;
  return g;
}
constexpr Conv kConvs[] = {
    {8, 3, 5, 3, 1, 1, 1},     {9, 4, 33, 4, 2, 1, 1},  {7, 40, 17, 3, 2, 1, 1},
    {9, 6, 9, 3, 1, 2, 3},     {8, 66, 70, 1, 1, 1, 2}, {11, 12, 20, 5, 3, 1, 4},
    {12, 16, 16, 3, 2, 2, 16}, {9, 3, 40, 4, 2, 1, 1},  {8, 8, 64, 3, 1, 1, 1}};

// w [KH,KW,C/groups,O]: k runs through taps and channels, columns through the group's outputs.
Floats packed_forward(const ConvGeometry& g, const Floats& w) {
  const std::int64_t inputs = g.channels / g.groups, outputs = g.out_channels / g.groups;
  const std::int64_t depth = g.kernel[0] * g.kernel[1] * inputs;
  Floats expected(std::size_t(g.groups * panels(outputs) * depth * kPanel), 0.0f);
  for (std::int64_t k = 0; k < depth; ++k) {
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      const std::int64_t column = o % outputs;
      const std::int64_t panel = o / outputs * panels(outputs) + column / kPanel;
      expected[place(panel, depth, k, column % kPanel)] = w[std::size_t(k * g.out_channels + o)];
    }
  }
  return expected;
}

// The gradient towards x scattered: one matrix [O][taps * channels].
Floats packed_scattered(const ConvGeometry& g, const Floats& w) {
  const std::int64_t columns = g.kernel[0] * g.kernel[1] * g.channels;
  Floats expected(std::size_t(panels(columns) * g.out_channels * kPanel), 0.0f);
  for (std::int64_t n = 0; n < columns; ++n) {
    for (std::int64_t o = 0; o < g.out_channels; ++o)
      expected[place(n / kPanel, g.out_channels, o, n % kPanel)] =
          w[std::size_t(n * g.out_channels + o)];
  }
  return expected;
}

// Taps that reach positions of one residue, from the last to the first.
std::vector<std::int64_t> taps_of(std::int64_t residue, std::int64_t kernel, std::int64_t stride,
                                  std::int64_t dilation) {
  std::vector<std::int64_t> taps;
  for (std::int64_t t = kernel - 1; t >= 0; --t) {
    if (t * dilation % stride == residue) taps.push_back(t);
  }
  return taps;
}

// The gradient towards x by phases: group, residue of row and column, panel over inputs, taps, O.
Floats packed_phases(const ConvGeometry& g, const Floats& w) {
  const std::int64_t inputs = g.channels / g.groups, outputs = g.out_channels / g.groups;
  Floats expected;
  for (std::int64_t block = 0; block < g.groups * g.stride[0] * g.stride[1]; ++block) {
    const std::int64_t group = block / (g.stride[0] * g.stride[1]);
    const auto rows =
        taps_of(block / g.stride[1] % g.stride[0], g.kernel[0], g.stride[0], g.dilation[0]);
    const auto columns = taps_of(block % g.stride[1], g.kernel[1], g.stride[1], g.dilation[1]);
    const std::int64_t taps = std::int64_t(rows.size() * columns.size());
    for (std::int64_t i = 0; i < panels(inputs) * taps * outputs * kPanel; ++i) {
      const std::int64_t c = i / (taps * outputs * kPanel) * kPanel + i % kPanel;
      const std::int64_t o = i / kPanel % outputs, tap = i / (outputs * kPanel) % taps;
      if (c >= inputs) {
        expected.push_back(0);
        continue;
      }
      const std::int64_t row = rows[std::size_t(tap) / columns.size()];
      const std::int64_t column = columns[std::size_t(tap) % columns.size()];
      expected.push_back(w[std::size_t(
          ((row * g.kernel[1] + column) * inputs + c) * g.out_channels + group * outputs + o)]);
    }
  }
  return expected;
}

// y [N,Ho,Wo,O] for the gradient towards w: k runs through the pixels of the batch.
Floats packed_outputs(const ConvGeometry& g, const Floats& y) {
  const std::int64_t pixels = g.batch * g.out_height * g.out_width;
  const std::int64_t outputs = g.out_channels / g.groups;
  Floats expected(std::size_t(g.groups * panels(outputs) * pixels * kPanel), 0.0f);
  for (std::int64_t i = 0; i < pixels * g.out_channels; ++i) {
    const std::int64_t o = i % g.out_channels, column = o % outputs;
    const std::int64_t panel = o / outputs * panels(outputs) + column / kPanel;
    expected[place(panel, pixels, i / g.out_channels, column % kPanel)] = y[std::size_t(i)];
  }
  return expected;
}

TEST_CASE("weights and outputs of convolutions are packed for all three products") {
  long scattered = 0;
  for (const Conv& c : kConvs) {
    const ConvGeometry g = geometry(c);
    const Floats w =
        weights(c.kernel * c.kernel * c.channels / c.groups * c.outputs, std::uint64_t(c.size));
    const Floats y = weights(g.batch * g.out_height * g.out_width * c.outputs, 9);
    PackArgs args{};
    args.conv = g;
    INFO("channels ", c.channels, " outputs ", c.outputs, " kernel ", c.kernel);
    args.format = PackFormat::conv;
    check_pack(args, w, packed_forward(g, w));
    args.format = PackFormat::conv_dx;
    scattered += scatters(g) ? 1 : 0;
    check_pack(args, w, scatters(g) ? packed_scattered(g, w) : packed_phases(g, w));
    args.format = PackFormat::conv_dw;
    check_pack(args, y, packed_outputs(g, y));
  }
  CHECK(scattered == 3);
}

}  // namespace
}  // namespace atelier
