// Panels of words of two bf16, which hold what panels of f32 hold, rounded: neighbours of k side by
// side in one word, the last of an odd number beside zero.
#include "kernels/conv_window.h"
#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

std::uint32_t half(float v) { return to_bf16(v).bits; }

// Rows of 32 f32 as words: row i of each `depth` rows meets row i + `step`; runs of step rows pair
// with the run behind them.
std::vector<std::uint32_t> paired(const Floats& panels, std::int64_t depth, std::int64_t step) {
  std::vector<std::uint32_t> words;
  const std::int64_t rows = std::int64_t(panels.size()) / kPanel;
  for (std::int64_t block = 0; block < rows; block += depth) {
    for (std::int64_t run = 0; run < depth; run += 2 * step) {
      for (std::int64_t i = 0; i < step * kPanel; ++i) {
        const std::int64_t at = (block + run) * kPanel + i, next = at + step * kPanel;
        const bool odd = run + step >= depth;
        words.push_back(half(panels[std::size_t(at)]) |
                        (odd ? 0 : half(panels[std::size_t(next)]) << 16));
      }
    }
  }
  return words;
}

void check_words(PackArgs args, const Floats& src, std::int64_t depth, std::int64_t step,
                 long& checked) {
  const std::vector<std::uint32_t> expected = paired(packed_of(args, src), depth, step);
  args.word = PackWord::bf16x2;
  REQUIRE(std::size_t(packed_count(args)) == expected.size());
  pack_everywhere(args, src, [&](Level, const std::vector<Floats>& out) {
    CHECK(std::memcmp(out[0].data(), expected.data(), expected.size() * 4) == 0);
    checked += long(expected.size());
  });
}

TEST_CASE("words of two bf16 hold what words of f32 hold, rounded") {
  long checked = 0;
  for (std::int64_t k : {1, 2, 7, 32, 33}) {
    for (std::int64_t n : {1, 31, 70}) {
      PackArgs args{};
      args.format = PackFormat::matmul;
      args.batch = 2, args.k = k, args.n = n;
      args.batch_stride = k * n, args.k_stride = 1, args.n_stride = k;
      check_words(args, values(2 * k * n, std::uint64_t(100 * k + n)), k, 1, checked);
    }
  }
  struct Conv {
    std::int64_t channels, outputs, kernel, stride, groups, batch;
  };
  for (const Conv& c : {Conv{3, 5, 3, 1, 1, 1},
                        {40, 17, 3, 2, 1, 2},
                        {6, 9, 3, 1, 3, 3},
                        {66, 70, 1, 1, 2, 2},
                        {4, 33, 4, 2, 1, 3}}) {
    PackArgs args{};
    ConvGeometry& g = args.conv;
    g.batch = c.batch, g.height = 8, g.width = 9, g.channels = c.channels;
    g.out_channels = c.outputs, g.groups = c.groups;
    for (int i = 0; i < 2; ++i) g.kernel[i] = c.kernel, g.stride[i] = c.stride, g.dilation[i] = 1;
    for (std::int64_t& p : g.pad) p = 1;
    g.out_height = (g.height + 2 - c.kernel) / c.stride + 1;
    g.out_width = (g.width + 2 - c.kernel) / c.stride + 1;
    const std::int64_t inputs = c.channels / c.groups, outputs = c.outputs / c.groups;
    const std::int64_t pixels = g.out_height * g.out_width;
    const Floats w = values(c.kernel * c.kernel * inputs * c.outputs, 3);
    INFO("channels ", c.channels, " outputs ", c.outputs, " kernel ", c.kernel);
    args.format = PackFormat::conv;
    check_words(args, w, inputs, 1, checked);
    args.format = PackFormat::conv_dx;
    check_words(args, w, scatters(g) ? c.outputs : outputs, 1, checked);
    args.format = PackFormat::conv_dw;
    check_words(args, values(c.batch * pixels * c.outputs, 4), c.batch * pixels, pixels, checked);
  }
  fmt::print("summary: pack words of two bf16: worst error 0 of {}\n", checked);
}

}  // namespace
}  // namespace atelier
