// conv, conv_dx and conv_dw against sums in double precision.
#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

struct Shape2 {
  std::int64_t batch, height, width, channels, out_channels, kernel[2], stride[2], pad[4],
      dilation[2], groups;
};

ConvGeometry geometry(const Shape2& s) {
  ConvGeometry g{};
  g.batch = s.batch;
  g.height = s.height;
  g.width = s.width;
  g.channels = s.channels;
  g.out_channels = s.out_channels;
  g.groups = s.groups;
  for (int i = 0; i < 2; ++i) {
    g.kernel[i] = s.kernel[i];
    g.stride[i] = s.stride[i];
    g.dilation[i] = s.dilation[i];
  }
  for (int i = 0; i < 4; ++i) g.pad[i] = s.pad[i];
  const auto extent = [&](std::int64_t in, int i) {
    const std::int64_t reach = s.dilation[i] * (s.kernel[i] - 1) + 1;
    return (in + s.pad[2 * i] + s.pad[2 * i + 1] - reach) / s.stride[i] + 1;
  };
  g.out_height = extent(s.height, 0);
  g.out_width = extent(s.width, 1);
  return g;
}

struct Sizes {
  std::int64_t x, w, y;
};
Sizes sizes(const ConvGeometry& g) {
  return {g.batch * g.height * g.width * g.channels,
          g.kernel[0] * g.kernel[1] * (g.channels / g.groups) * g.out_channels,
          g.batch * g.out_height * g.out_width * g.out_channels};
}

// Calls f(index in x, in w, in y) for every product of the convolution, taps ascending.
template <class F>
void for_products(const ConvGeometry& g, F f) {
  const std::int64_t inputs = g.channels / g.groups, outputs = g.out_channels / g.groups;
  const std::int64_t points = g.batch * g.out_height * g.out_width,
                     taps = g.kernel[0] * g.kernel[1];
  for (std::int64_t i = 0; i < points * taps; ++i) {
    const std::int64_t point = i / taps, row = i % taps / g.kernel[1], column = i % g.kernel[1];
    const std::int64_t n = point / (g.out_height * g.out_width);
    const std::int64_t oy = point / g.out_width % g.out_height, ox = point % g.out_width;
    const std::int64_t y = oy * g.stride[0] - g.pad[0] + row * g.dilation[0];
    const std::int64_t x = ox * g.stride[1] - g.pad[2] + column * g.dilation[1];
    if (y < 0 || y >= g.height || x < 0 || x >= g.width) continue;
    const std::int64_t pixel = ((n * g.height + y) * g.width + x) * g.channels;
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      for (std::int64_t c = 0; c < inputs; ++c) {
        f(std::size_t(pixel + o / outputs * inputs + c),
          std::size_t((i % taps * inputs + c) * g.out_channels + o),
          std::size_t(point * g.out_channels + o));
      }
    }
  }
}

struct Oracle {
  std::vector<double> sum, magnitude;
  explicit Oracle(std::size_t n) : sum(n), magnitude(n) {}
  void add(std::size_t at, float a, float b) {
    sum[at] += double(a) * double(b);
    magnitude[at] += std::abs(double(a) * double(b));
  }
  // Bias and relu.
  void finish(const Floats& bias, std::size_t channels) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      magnitude[i] += std::abs(double(bias[i % channels]));
      sum[i] = std::max(sum[i] + double(bias[i % channels]), 0.0);
    }
  }
};

// One of the three kernels: what is packed, what is read and what the result must be.
struct Job {
  KernelId id;
  PackFormat format;
  ConvGeometry geometry;
  const Floats &packed_from, &in, &bias;
  bool epilogue;
};

void check_job(const Job& job, const Oracle& oracle) {
  Ledger worst(std::string(name(job.id)), kOfProducts);
  PackArgs pack{};
  pack.format = job.format;
  pack.conv = job.geometry;
  run_everywhere(
      job.id, {job.in, packed_of(pack, job.packed_from), job.bias},
      {std::int64_t(oracle.sum.size())},
      [&](const auto& from, const auto& to) {
        const Epilogue epilogue{job.epilogue ? from[2] : nullptr, job.epilogue};
        return ConvArgs{to[0], from[0], from[1], nullptr, job.geometry, epilogue};
      },
      [&](Level level, const std::vector<Floats>& out) {
        for (std::size_t i = 0; i < out[0].size(); ++i)
          worst[level].check(double(out[0][i]), oracle.sum[i], oracle.magnitude[i], 1e-6);
      });
}

void check_all(const Shape2& shape, bool epilogue = false) {
  const ConvGeometry g = geometry(shape);
  INFO("x ", g.batch, " ", g.height, " ", g.width, " ", g.channels, " y ", g.out_height, " ",
       g.out_width, " ", g.out_channels, " kernel ", g.kernel[0], " ", g.kernel[1], " stride ",
       g.stride[0], " ", g.stride[1], " groups ", g.groups);
  const Sizes n = sizes(g);
  const Floats x = values(n.x, 1), w = values(n.w, 2), y = values(n.y, 3);
  const Floats bias = values(std::max(g.channels, g.out_channels), 4);
  Oracle conv(y.size()), dx(x.size()), dw(w.size());
  for_products(g, [&](std::size_t i, std::size_t j, std::size_t k) {
    conv.add(k, x[i], w[j]);
    dx.add(i, y[k], w[j]);
    dw.add(j, x[i], y[k]);
  });
  if (epilogue) {
    conv.finish(bias, std::size_t(g.out_channels));
    dx.finish(bias, std::size_t(g.channels));
  }
  check_job({KernelId::conv, PackFormat::conv, g, w, x, bias, epilogue}, conv);
  check_job({KernelId::conv_dx, PackFormat::conv_dx, g, w, y, bias, epilogue}, dx);
  check_job({KernelId::conv_dw, PackFormat::conv_dw, g, y, x, bias, false}, dw);
}

TEST_CASE("convolutions and their gradients sum over the taps: common layers") {
  check_all({2, 8, 8, 3, 33, {4, 4}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1}, true);
  check_all({2, 7, 9, 16, 20, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1}, true);
  check_all({3, 6, 6, 24, 40, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1});
  check_all({2, 8, 8, 70, 3, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1}, true);
  check_all({2, 16, 16, 1, 5, {5, 5}, {2, 2}, {2, 2, 2, 2}, {1, 1}, 1});
  check_all({5, 4, 4, 12, 9, {4, 4}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1});
}

TEST_CASE("convolutions take any stride, padding, dilation and groups") {
  check_all({1, 9, 7, 4, 6, {3, 2}, {2, 3}, {2, 0, 0, 1}, {1, 1}, 1}, true);
  check_all({1, 11, 10, 4, 6, {3, 3}, {1, 1}, {2, 2, 2, 2}, {2, 2}, 2}, true);
  check_all({2, 11, 10, 6, 6, {3, 3}, {2, 2}, {2, 1, 3, 0}, {2, 3}, 3});
  check_all({1, 12, 12, 5, 4, {2, 2}, {4, 4}, {0, 0, 0, 0}, {3, 2}, 1});
  check_all({1, 10, 10, 8, 8, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 8}, true);
  check_all({1, 7, 7, 3, 4, {1, 1}, {3, 2}, {0, 0, 0, 0}, {1, 1}, 1}, true);
  check_all({1, 3, 3, 2, 2, {3, 3}, {1, 1}, {4, 4, 4, 4}, {1, 1}, 1});
  check_all({1, 5, 40, 2, 35, {2, 6}, {3, 4}, {1, 2, 5, 0}, {2, 6}, 1});
}

TEST_CASE("convolutions at the edges of sense") {
  // One pixel, kernels larger than the picture, windows that lie in the padding alone, rows and
  // columns without a window, dilation beyond the picture, one channel a group.
  check_all({1, 1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1}, true);
  check_all({3, 1, 1, 9, 40, {1, 1}, {5, 4}, {0, 0, 0, 0}, {1, 1}, 1}, true);
  check_all({2, 1, 1, 10, 17, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1}, true);
  check_all({1, 2, 3, 9, 20, {7, 5}, {1, 1}, {3, 3, 2, 2}, {1, 1}, 1});
  check_all({2, 1, 7, 12, 40, {1, 7}, {1, 3}, {0, 0, 3, 3}, {1, 1}, 1}, true);
  check_all({1, 7, 1, 3, 20, {7, 1}, {2, 1}, {6, 6, 0, 0}, {1, 1}, 1});
  check_all({1, 4, 4, 3, 20, {2, 2}, {3, 3}, {5, 5, 5, 5}, {1, 1}, 1}, true);
  check_all({1, 4, 5, 33, 9, {2, 2}, {3, 4}, {5, 0, 4, 7}, {1, 1}, 1});
  check_all({1, 17, 19, 10, 18, {2, 3}, {7, 8}, {0, 0, 1, 0}, {1, 1}, 1}, true);
  check_all({1, 3, 3, 10, 12, {2, 2}, {1, 1}, {3, 3, 3, 3}, {4, 5}, 1});
  check_all({1, 9, 9, 10, 18, {3, 3}, {4, 6}, {2, 2, 3, 3}, {2, 3}, 1}, true);
  check_all({2, 7, 7, 6, 12, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 6}, true);
  check_all({1, 6, 6, 66, 70, {2, 2}, {2, 2}, {0, 1, 1, 0}, {1, 1}, 2});
}

TEST_CASE("gradients towards a few channels sum over the pixels of y") {
  check_all({3, 8, 8, 3, 64, {4, 4}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1}, true);
  check_all({2, 12, 11, 1, 16, {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}, 1}, true);
  check_all({1, 9, 13, 8, 17, {3, 2}, {3, 2}, {0, 2, 1, 0}, {2, 3}, 1});
  check_all({1, 30, 4, 4, 40, {8, 8}, {2, 2}, {3, 3, 3, 3}, {1, 1}, 1}, true);
}

TEST_CASE("convolutions with K in blocks give the same sums") {
  check_all({1, 5, 5, 180, 33, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1}, true);
  check_all({1, 5, 6, 35, 200, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1});
  check_all({3, 20, 21, 5, 7, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1});
}

}  // namespace
}  // namespace atelier
