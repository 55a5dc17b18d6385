// Layer, group and batch norm and their gradients, at every level, for odd shapes, against sums in
// double precision.
#include "kernels/norm_oracle.h"

namespace atelier {
namespace {
using namespace test;

constexpr float kEps = 1e-5f;

// Inputs of a normalisation: values around 0 for even seeds, around 2 for odd ones.
struct Inputs {
  Floats x, scale, shift, dy;
  Inputs(const NormShape& s, std::uint64_t seed)
      : x(values(s.count, seed, 1, seed % 2 ? 2.0f : 0.0f)),
        scale(values(s.channels, seed + 1)),
        shift(values(s.channels, seed + 2)),
        dy(values(s.count, seed + 3)) {}
};

struct Ledgers {
  Ledger y, mean, spread;
  explicit Ledgers(const std::string& kernel, const std::string& second)
      : y(kernel), mean(kernel, kOfMagnitudes, "mean"), spread(kernel, kOfMagnitudes, second) {}
};
struct GradLedgers {
  Ledger dx, dscale, dshift;
  explicit GradLedgers(const std::string& kernel)
      : dx(kernel, kOfMagnitudes, "dx"),
        dscale(kernel, kOfMagnitudes, "dscale"),
        dshift(kernel, kOfMagnitudes, "dshift") {}
};

template <class Bind>
void check_forward(KernelId id, const NormShape& s, const Inputs& in, bool variance, Bind bind,
                   Ledgers& ledgers) {
  const Moments m = moments_of(s, in.x, double(kEps));
  const Sums y = normalised(s, in.x, m, in.scale, in.shift);
  run_everywhere(id, {in.x, in.scale, in.shift}, {s.count, s.groups, s.groups}, bind,
                 [&](Level level, const std::vector<Floats>& out) {
                   compare(ledgers.y[level], out[0], y);
                   compare(ledgers.mean[level], out[1], m.mean);
                   compare(ledgers.spread[level], out[2], variance ? m.variance : m.rstd);
                 });
}

// The gradients take the moments in f32; `second` is rstd, or the variance.
template <class Bind>
void check_backward(KernelId id, const NormShape& s, const Inputs& in, bool variance, Bind bind,
                    GradLedgers& ledgers) {
  const Moments m = moments_of(s, in.x, double(kEps));
  Floats mean, second;
  std::vector<double> centre, rstd;
  for (std::size_t g = 0; g < m.mean.size(); ++g) {
    mean.push_back(float(m.mean[g].value));
    second.push_back(float(variance ? m.variance[g].value : m.rstd[g].value));
    centre.push_back(double(mean[g]));
    rstd.push_back(variance ? 1 / std::sqrt(double(second[g]) + double(kEps)) : double(second[g]));
  }
  const NormGrads grads = norm_grads(s, in.x, in.scale, centre, rstd, in.dy);
  run_everywhere(id, {in.x, in.scale, mean, second, in.dy}, {s.count, s.channels, s.channels}, bind,
                 [&](Level level, const std::vector<Floats>& out) {
                   compare(ledgers.dx[level], out[0], grads.dx);
                   compare(ledgers.dscale[level], out[1], grads.dscale);
                   compare(ledgers.dshift[level], out[2], grads.dshift);
                 });
}

using Shapes = std::vector<std::array<std::int64_t, 2>>;
// Widths of 1 to 70 in few rows; rows of every strip boundary.
Shapes matrices() {
  Shapes all;
  for (std::int64_t width = 1; width <= 70; ++width) all.push_back({1 + width % 5, width});
  for (std::int64_t rows : {63, 64, 65, 129, 200, 5000}) all.push_back({rows, 1 + rows % 37});
  all.push_back({3, 1027});
  return all;
}

TEST_CASE("layer norm and its gradients, rows of any width") {
  Ledgers forward("layer_norm", "rstd");
  GradLedgers backward("layer_norm_grad");
  for (const auto& [rows, width] : matrices()) {
    const auto r = rows, w = width;
    const NormShape shape = layer_shape(r, w);
    const Inputs in(shape, std::uint64_t(r * 100 + w));
    check_forward(
        KernelId::layer_norm, shape, in, false,
        [&](const auto& from, const auto& to) {
          return LayerNormArgs{to[0], to[1], to[2], from[0], from[1], from[2], r, w, kEps};
        },
        forward);
    check_backward(
        KernelId::layer_norm_grad, shape, in, false,
        [&](const auto& from, const auto& to) {
          return LayerNormGradArgs{to[0],   to[1],   to[2],   from[0], from[1], from[2],
                                   from[3], from[4], nullptr, r,       w};
        },
        backward);
  }
}

TEST_CASE("batch norm and its gradients, any number of channels and rows") {
  Ledgers forward("batch_norm", "variance");
  GradLedgers backward("batch_norm_grad");
  for (const auto& [rows, channels] : matrices()) {
    const auto r = rows, c = channels;
    const NormShape shape = batch_shape(r, c);
    const Inputs in(shape, std::uint64_t(r * 100 + c));
    check_forward(
        KernelId::batch_norm, shape, in, true,
        [&](const auto& from, const auto& to) {
          return BatchNormArgs{to[0], to[1], to[2], from[0], from[1], from[2], nullptr, r, c, kEps};
        },
        forward);
    check_backward(
        KernelId::batch_norm_grad, shape, in, true,
        [&](const auto& from, const auto& to) {
          return BatchNormGradArgs{to[0],   to[1],   to[2],   from[0], from[1], from[2],
                                   from[3], from[4], nullptr, r,       c,       kEps};
        },
        backward);
  }
}

TEST_CASE("group norm and its gradients, groups of any number of channels") {
  Ledgers forward("group_norm", "rstd");
  GradLedgers backward("group_norm_grad");
  constexpr std::array<std::int64_t, 4> shapes[] = {
      {1, 1, 1, 1},   {3, 5, 6, 3},   {2, 65, 6, 2},   {1, 131, 33, 11}, {3, 64, 33, 1},
      {2, 63, 40, 8}, {1, 7, 17, 17}, {2, 49, 64, 32}, {4, 3, 70, 7},    {1, 1000, 5, 1}};
  for (const auto& [batch, pixels, channels, groups] : shapes) {
    const auto b = batch, p = pixels, c = channels, g = groups;
    const NormShape shape = group_shape(b, p, c, g);
    const Inputs in(shape, std::uint64_t(p * 1000 + c));
    check_forward(
        KernelId::group_norm, shape, in, false,
        [&](const auto& from, const auto& to) {
          return GroupNormArgs{to[0],   to[1], to[2], from[0], from[1], from[2],
                               nullptr, b,     p,     c,       g,       kEps};
        },
        forward);
    check_backward(
        KernelId::group_norm_grad, shape, in, false,
        [&](const auto& from, const auto& to) {
          return GroupNormGradArgs{to[0],   to[1],   to[2], from[0], from[1], from[2], from[3],
                                   from[4], nullptr, b,     p,       c,       g};
        },
        backward);
  }
}

// A row, image or channel whose values are no numbers spoils itself alone.
template <class Bind>
void check_isolation(KernelId id, const NormShape& s, std::int64_t spoilt, float value, Bind bind) {
  Inputs in(s, 77);
  Floats clean;
  const std::vector<std::int64_t> sizes{s.count, s.groups, s.groups};
  run_everywhere(id, {in.x, in.scale, in.shift}, sizes, bind,
                 [&](Level, const std::vector<Floats>& out) { clean = out[0]; });
  Floats x = in.x;
  for (std::int64_t i = 0; i < s.count; ++i) {
    if (s.group(i) == spoilt && i % 3 == spoilt % 3) x[std::size_t(i)] = value;
  }
  run_everywhere(id, {x, in.scale, in.shift}, sizes, bind,
                 [&](Level, const std::vector<Floats>& out) {
                   std::int64_t spread = 0, spared = 0;
                   for (std::int64_t i = 0; i < s.count; ++i) {
                     const float got = out[0][std::size_t(i)];
                     if (s.group(i) == spoilt) {
                       spared += std::isnan(got) ? 0 : 1;
                     } else {
                       spread += got == clean[std::size_t(i)] ? 0 : 1;
                     }
                   }
                   INFO(std::string(name(id)), " ", value);
                   CHECK(spread == 0);
                   CHECK(spared == 0);
                 });
}

TEST_CASE("NaN and infinity stay within their row, group or channel") {
  for (float value : {NAN, INFINITY, -INFINITY}) {
    check_isolation(
        KernelId::layer_norm, layer_shape(5, 21), 2, value, [](const auto& from, const auto& to) {
          return LayerNormArgs{to[0], to[1], to[2], from[0], from[1], from[2], 5, 21, kEps};
        });
    check_isolation(KernelId::group_norm, group_shape(3, 7, 12, 4), 6, value,
                    [](const auto& from, const auto& to) {
                      return GroupNormArgs{to[0],   to[1], to[2], from[0], from[1], from[2],
                                           nullptr, 3,     7,     12,      4,       kEps};
                    });
    check_isolation(KernelId::batch_norm, batch_shape(70, 19), 17, value,
                    [](const auto& from, const auto& to) {
                      return BatchNormArgs{to[0],   to[1],   to[2], from[0], from[1],
                                           from[2], nullptr, 70,    19,      kEps};
                    });
  }
}

TEST_CASE("rows of one value, of denormals and of zeros give the shift") {
  constexpr std::int64_t rows = 3, width = 37;
  const NormShape shape = layer_shape(rows, width);
  Inputs in(shape, 5);
  for (std::int64_t i = 0; i < width; ++i) {
    in.x[std::size_t(i)] = 0.5f;
    in.x[std::size_t(width + i)] = i % 2 ? 3e-39f : -1e-40f;
    in.x[std::size_t(2 * width + i)] = i % 2 ? 0.0f : -0.0f;
  }
  run_everywhere(
      KernelId::layer_norm, {in.x, in.scale, in.shift}, {shape.count, rows, rows},
      [&](const auto& from, const auto& to) {
        return LayerNormArgs{to[0], to[1], to[2], from[0], from[1], from[2], rows, width, kEps};
      },
      [&](Level, const std::vector<Floats>& out) {
        std::int64_t wrong = 0;
        for (std::size_t i = 0; i < out[0].size(); ++i)
          wrong += out[0][i] == in.shift[i % std::size_t(width)] ? 0 : 1;
        CHECK(wrong == 0);
      });
}

}  // namespace
}  // namespace atelier
