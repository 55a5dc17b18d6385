// Softmax, layer norm and group norm with their gradients: rows stay in L1, moments in two sweeps.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/math-inl.h"
#include "kernels/strips.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

float top_of(const float* x, std::int64_t n) {
  float best = x[0];
  for (std::int64_t i = 1; i < n; ++i) best = best < x[i] ? x[i] : best;
  return best;
}

// Adds a partial [strips][width] array over strips, in order.
void combine_strips(float* out, const float* partial, std::int64_t strips, std::int64_t width,
                    int thread, int threads) {
  Range mine = split_range(long(width), thread, threads, kSums);
  for_vectors(mine.first, mine.last, [&](std::int64_t i, int count) HWY_ATTR {
    VF total = load_n(partial + i, count);
    for (std::int64_t s = 1; s < strips; ++s)
      total = hn::Add(total, load_n(partial + s * width + i, count));
    store_n(total, out + i, count);
  });
}

}  // namespace

void softmax(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const SoftmaxArgs*>(untyped);
  Range mine = split_range(long(args.rows), thread, threads);
  for (std::int64_t r = mine.first; r < mine.last; ++r) {
    const float* x = args.x + r * args.width;
    float* y = args.y + r * args.width;
    VF top = set(top_of(x, args.width));
    float total = lane_sum(args.width, [&](std::int64_t i, int count) HWY_ATTR {
      VF e = keep_n(exp_v(hn::Sub(load_n(x + i, count), top)), count);
      store_n(e, y + i, count);
      return e;
    });
    VF sum = set(total);
    for_vectors(0, args.width, [&](std::int64_t i, int count) HWY_ATTR {
      store_n(hn::Div(load_n(y + i, count), sum), y + i, count);
    });
  }
}

void layer_norm(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const LayerNormArgs*>(untyped);
  std::int64_t n = args.width;
  Range mine = split_range(long(args.rows), thread, threads);
  for (std::int64_t r = mine.first; r < mine.last; ++r) {
    const float* x = args.x + r * n;
    float mean =
        lane_sum(n, [&](std::int64_t i, int count) HWY_ATTR { return load_n(x + i, count); }) /
        float(n);
    VF m = set(mean);
    float squares = lane_sum(n, [&](std::int64_t i, int count) HWY_ATTR {
      VF d = keep_n(hn::Sub(load_n(x + i, count), m), count);
      return hn::Mul(d, d);
    });
    float rstd = 1.0f / std::sqrt(squares / float(n) + args.eps);
    VF s = set(rstd);
    for_vectors(0, n, [&](std::int64_t i, int count) HWY_ATTR {
      VF hat = hn::Mul(hn::Sub(load_n(x + i, count), m), s);
      store_n(hn::MulAdd(hat, load_n(args.scale + i, count), load_n(args.shift + i, count)),
              args.y + r * n + i, count);
    });
    args.mean[r] = mean;
    args.rstd[r] = rstd;
  }
}

// Phase 0: dx by rows, and column sums of dy * hat and dy by strips; phase 1 combines them.
void layer_norm_grad(const void* untyped, int phase, int thread, int threads) noexcept {
  const auto& args = *static_cast<const LayerNormGradArgs*>(untyped);
  std::int64_t n = args.width;
  Strips strips = make_strips(args.rows, 64);
  float *dscale = args.scratch, *dshift = args.scratch + strips.count * n;
  if (phase == 1) {
    combine_strips(args.dscale, dscale, strips.count, n, thread, threads);
    combine_strips(args.dshift, dshift, strips.count, n, thread, threads);
    return;
  }
  Range mine = split_range(long(strips.count), thread, threads);
  for (std::int64_t strip = mine.first; strip < mine.last; ++strip) {
    float *gain = dscale + strip * n, *bias = dshift + strip * n;
    std::fill_n(gain, n, 0.0f);
    std::fill_n(bias, n, 0.0f);
    auto [first, last] = strips.range(strip);
    for (std::int64_t r = first; r < last; ++r) {
      const float *x = args.x + r * n, *dy = args.dy + r * n;
      VF m = set(args.mean[r]), s = set(args.rstd[r]);
      auto hat = [&](std::int64_t i, int count)
                     HWY_ATTR { return hn::Mul(hn::Sub(load_n(x + i, count), m), s); };
      auto scaled = [&](std::int64_t i, int count) HWY_ATTR {
        return hn::Mul(load_n(dy + i, count), load_n(args.scale + i, count));
      };
      VF a = set(lane_sum(n, scaled) / float(n));
      VF b = set(lane_sum(n, [&](std::int64_t i, int count)
                                 HWY_ATTR { return hn::Mul(scaled(i, count), hat(i, count)); }) /
                 float(n));
      for_vectors(0, n, [&](std::int64_t i, int count) HWY_ATTR {
        VF h = hat(i, count), g = load_n(dy + i, count);
        VF inner = hn::NegMulAdd(h, b, hn::Sub(scaled(i, count), a));
        store_n(hn::Mul(s, inner), args.dx + r * n + i, count);
        store_n(hn::MulAdd(g, h, load_n(gain + i, count)), gain + i, count);
        store_n(hn::Add(g, load_n(bias + i, count)), bias + i, count);
      });
    }
  }
}

namespace {

// Column sums of term(pixel, channel, count) over the pixels of one image, in blocks of 64.
template <class Term>
void channel_sums(std::int64_t pixels, std::int64_t channels, float* to, Term term) {
  for_vectors(0, channels, [&](std::int64_t c, int count) HWY_ATTR {
    VF total = set(0.0f);
    for (std::int64_t first = 0; first < pixels; first += 64) {
      VF block = set(0.0f);
      for (std::int64_t p = first; p < std::min(pixels, first + 64); ++p)
        block = hn::Add(block, term(p, c, count));
      total = hn::Add(total, block);
    }
    store_n(total, to + c, count);
  });
}

// Sums of neighbouring channels by group, spread back over the channels.
void spread_groups(float* channel, std::int64_t channels, std::int64_t groups, float factor,
                   float* group) {
  std::int64_t size = channels / groups;
  for (std::int64_t g = 0; g < groups; ++g) {
    float total = 0;
    for (std::int64_t c = g * size; c < (g + 1) * size; ++c) total += channel[c];
    total *= factor;
    if (group) group[g] = total;
    std::fill_n(channel + g * size, size, total);
  }
}

}  // namespace

void group_norm(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const GroupNormArgs*>(untyped);
  std::int64_t channels = args.channels, size = args.pixels * channels;
  float factor = 1.0f / float(args.pixels * (channels / args.groups));
  float *mean = args.scratch + thread * 2 * channels, *rstd = mean + channels;
  Range mine = split_range(long(args.batch), thread, threads);
  for (std::int64_t n = mine.first; n < mine.last; ++n) {
    const float* x = args.x + n * size;
    channel_sums(args.pixels, channels, mean,
                 [&](std::int64_t p, std::int64_t c, int count)
                     HWY_ATTR { return load_n(x + p * channels + c, count); });
    spread_groups(mean, channels, args.groups, factor, args.mean + n * args.groups);
    channel_sums(args.pixels, channels, rstd,
                 [&](std::int64_t p, std::int64_t c, int count) HWY_ATTR {
                   VF d = hn::Sub(load_n(x + p * channels + c, count), load_n(mean + c, count));
                   return hn::Mul(d, d);
                 });
    spread_groups(rstd, channels, args.groups, factor, args.rstd + n * args.groups);
    for (std::int64_t c = 0; c < channels; ++c) rstd[c] = 1.0f / std::sqrt(rstd[c] + args.eps);
    for (std::int64_t g = 0; g < args.groups; ++g)
      args.rstd[n * args.groups + g] = rstd[g * (channels / args.groups)];
    for (std::int64_t p = 0; p < args.pixels; ++p) {
      for_vectors(0, channels, [&](std::int64_t c, int count) HWY_ATTR {
        VF hat = hn::Mul(hn::Sub(load_n(x + p * channels + c, count), load_n(mean + c, count)),
                         load_n(rstd + c, count));
        store_n(hn::MulAdd(hat, load_n(args.scale + c, count), load_n(args.shift + c, count)),
                args.y + n * size + p * channels + c, count);
      });
    }
  }
}

// Phase 0: an image a task, dx and its channel sums; phase 1: sums over the images.
void group_norm_grad(const void* untyped, int phase, int thread, int threads) noexcept {
  const auto& args = *static_cast<const GroupNormGradArgs*>(untyped);
  std::int64_t channels = args.channels, size = args.pixels * channels;
  float *dscale = args.scratch, *dshift = dscale + args.batch * channels;
  if (phase == 1) {
    combine_strips(args.dscale, dscale, args.batch, channels, thread, threads);
    combine_strips(args.dshift, dshift, args.batch, channels, thread, threads);
    return;
  }
  float factor = 1.0f / float(args.pixels * (channels / args.groups));
  float* a = dshift + args.batch * channels + thread * 4 * channels;
  float *b = a + channels, *mean = b + channels, *rstd = mean + channels;
  Range mine = split_range(long(args.batch), thread, threads);
  for (std::int64_t n = mine.first; n < mine.last; ++n) {
    const float *x = args.x + n * size, *dy = args.dy + n * size;
    std::int64_t group = channels / args.groups;
    for (std::int64_t c = 0; c < channels; ++c) {
      mean[c] = args.mean[n * args.groups + c / group];
      rstd[c] = args.rstd[n * args.groups + c / group];
    }
    auto hat = [&](std::int64_t p, std::int64_t c, int count) HWY_ATTR {
      return hn::Mul(hn::Sub(load_n(x + p * channels + c, count), load_n(mean + c, count)),
                     load_n(rstd + c, count));
    };
    float *gain = dscale + n * channels, *bias = dshift + n * channels;
    channel_sums(args.pixels, channels, gain,
                 [&](std::int64_t p, std::int64_t c, int count) HWY_ATTR {
                   return hn::Mul(load_n(dy + p * channels + c, count), hat(p, c, count));
                 });
    channel_sums(args.pixels, channels, bias,
                 [&](std::int64_t p, std::int64_t c, int count)
                     HWY_ATTR { return load_n(dy + p * channels + c, count); });
    for (std::int64_t c = 0; c < channels; ++c) {
      a[c] = bias[c] * args.scale[c];
      b[c] = gain[c] * args.scale[c];
    }
    spread_groups(a, channels, args.groups, factor, nullptr);
    spread_groups(b, channels, args.groups, factor, nullptr);
    for (std::int64_t p = 0; p < args.pixels; ++p) {
      for_vectors(0, channels, [&](std::int64_t c, int count) HWY_ATTR {
        VF scaled = hn::Mul(load_n(dy + p * channels + c, count), load_n(args.scale + c, count));
        VF inner = hn::NegMulAdd(hat(p, c, count), load_n(b + c, count),
                                 hn::Sub(scaled, load_n(a + c, count)));
        store_n(hn::Mul(load_n(rstd + c, count), inner), args.dx + n * size + p * channels + c,
                count);
      });
    }
  }
}

namespace {

// Column sums of term(row, column, count) over a strip of rows.
template <class Term>
void strip_sums(const Strips& strips, std::int64_t channels, float* partial, int thread,
                int threads, Term term) {
  Range mine = split_range(long(strips.count), thread, threads);
  for (std::int64_t strip = mine.first; strip < mine.last; ++strip) {
    auto [first, last] = strips.range(strip);
    float* to = partial + strip * channels;
    std::fill_n(to, channels, 0.0f);
    // Rows outermost: memory is read in order, sums stay in L1.
    for (std::int64_t r = first; r < last; ++r) {
      for_vectors(0, channels, [&](std::int64_t c, int count) HWY_ATTR {
        store_n(hn::Add(load_n(to + c, count), term(r, c, count)), to + c, count);
      });
    }
  }
}

}  // namespace

// Phases: sums, mean, squares, variance, result.
void batch_norm(const void* untyped, int phase, int thread, int threads) noexcept {
  const auto& args = *static_cast<const BatchNormArgs*>(untyped);
  std::int64_t n = args.channels;
  Strips strips = make_strips(args.rows, 64);
  VF factor = set(1.0f / float(args.rows));
  if (phase == 0) {
    return strip_sums(strips, n, args.scratch, thread, threads,
                      [&](std::int64_t r, std::int64_t c, int count)
                          HWY_ATTR { return load_n(args.x + r * n + c, count); });
  }
  if (phase == 2) {
    return strip_sums(strips, n, args.scratch, thread, threads,
                      [&](std::int64_t r, std::int64_t c, int count) HWY_ATTR {
                        VF d = hn::Sub(load_n(args.x + r * n + c, count),
                                       load_n(args.mean + c, count));
                        return hn::Mul(d, d);
                      });
  }
  if (phase == 1 || phase == 3) {
    float* to = phase == 1 ? args.mean : args.variance;
    combine_strips(to, args.scratch, strips.count, n, thread, threads);
    Range mine = split_range(long(n), thread, threads, kSums);
    for_vectors(mine.first, mine.last, [&](std::int64_t c, int count) HWY_ATTR {
      store_n(hn::Mul(load_n(to + c, count), factor), to + c, count);
    });
    return;
  }
  Range mine = split_range(long(args.rows), thread, threads, 16);
  float* gain = args.scratch + thread * 2 * n;
  float* bias = gain + n;
  for_vectors(0, n, [&](std::int64_t c, int count) HWY_ATTR {
    VF rstd =
        hn::Div(set(1.0f), hn::Sqrt(hn::Add(load_n(args.variance + c, count), set(args.eps))));
    VF g = hn::Mul(rstd, load_n(args.scale + c, count));
    store_n(g, gain + c, count);
    store_n(load_n(args.mean + c, count), bias + c, count);
  });
  for (std::int64_t r = mine.first; r < mine.last; ++r) {
    for_vectors(0, n, [&](std::int64_t c, int count) HWY_ATTR {
      VF d = hn::Sub(load_n(args.x + r * n + c, count), load_n(bias + c, count));
      store_n(hn::MulAdd(d, load_n(gain + c, count), load_n(args.shift + c, count)),
              args.y + r * n + c, count);
    });
  }
}

// Phases: sums of dy * hat and dy, their combination, dx.
void batch_norm_grad(const void* untyped, int phase, int thread, int threads) noexcept {
  const auto& args = *static_cast<const BatchNormGradArgs*>(untyped);
  std::int64_t n = args.channels;
  Strips strips = make_strips(args.rows, 64);
  float *dscale = args.scratch, *dshift = dscale + strips.count * n,
        *rstd = dshift + strips.count * n + thread * n;
  if (phase == 1) {
    combine_strips(args.dscale, dscale, strips.count, n, thread, threads);
    combine_strips(args.dshift, dshift, strips.count, n, thread, threads);
    return;
  }
  for_vectors(0, n, [&](std::int64_t c, int count) HWY_ATTR {
    VF v = hn::Add(load_n(args.variance + c, count), set(args.eps));
    store_n(hn::Div(set(1.0f), hn::Sqrt(v)), rstd + c, count);
  });
  auto hat = [&](std::int64_t r, std::int64_t c, int count) HWY_ATTR {
    return hn::Mul(hn::Sub(load_n(args.x + r * n + c, count), load_n(args.mean + c, count)),
                   load_n(rstd + c, count));
  };
  if (phase == 0) {
    strip_sums(strips, n, dscale, thread, threads,
               [&](std::int64_t r, std::int64_t c, int count) HWY_ATTR {
                 return hn::Mul(load_n(args.dy + r * n + c, count), hat(r, c, count));
               });
    strip_sums(strips, n, dshift, thread, threads,
               [&](std::int64_t r, std::int64_t c, int count)
                   HWY_ATTR { return load_n(args.dy + r * n + c, count); });
    return;
  }
  VF factor = set(1.0f / float(args.rows));
  Range mine = split_range(long(args.rows), thread, threads, 16);
  for (std::int64_t r = mine.first; r < mine.last; ++r) {
    for_vectors(0, n, [&](std::int64_t c, int count) HWY_ATTR {
      VF inner =
          hn::NegMulAdd(load_n(args.dshift + c, count), factor, load_n(args.dy + r * n + c, count));
      inner =
          hn::NegMulAdd(hat(r, c, count), hn::Mul(load_n(args.dscale + c, count), factor), inner);
      VF gain = hn::Mul(load_n(args.scale + c, count), load_n(rstd + c, count));
      store_n(hn::Mul(gain, inner), args.dx + r * n + c, count);
    });
  }
}

}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {
namespace {

template <class Args>
const Args& as(const void* args) {
  return *static_cast<const Args*>(args);
}
std::size_t floats(std::int64_t n) { return std::size_t(n) * sizeof(float); }

}  // namespace

void add_norms(Level level, KernelTable& table) {
  bool wide = uses_avx512(level);
  entry_of(table, KernelId::softmax).run = wide ? N_AVX3::softmax : N_AVX2::softmax;
  entry_of(table, KernelId::layer_norm).run = wide ? N_AVX3::layer_norm : N_AVX2::layer_norm;
  entry_of(table, KernelId::layer_norm_grad) = {
      wide ? N_AVX3::layer_norm_grad : N_AVX2::layer_norm_grad, [](const void*) { return 2; },
      [](const void* a, int) {
        const auto& args = as<LayerNormGradArgs>(a);
        return floats(2 * make_strips(args.rows, 64).count * args.width);
      }};
  entry_of(table, KernelId::group_norm) = {
      wide ? N_AVX3::group_norm : N_AVX2::group_norm, nullptr, [](const void* a, int threads) {
        return floats(2 * as<GroupNormArgs>(a).channels * threads);
      }};
  entry_of(table, KernelId::group_norm_grad) = {
      wide ? N_AVX3::group_norm_grad : N_AVX2::group_norm_grad, [](const void*) { return 2; },
      [](const void* a, int threads) {
        const auto& args = as<GroupNormGradArgs>(a);
        return floats((2 * args.batch + 4 * threads) * args.channels);
      }};
  entry_of(table, KernelId::batch_norm) = {
      wide ? N_AVX3::batch_norm : N_AVX2::batch_norm, [](const void*) { return 5; },
      [](const void* a, int threads) {
        const auto& args = as<BatchNormArgs>(a);
        return floats(std::max<std::int64_t>(make_strips(args.rows, 64).count, 2 * threads) *
                      args.channels);
      }};
  entry_of(table, KernelId::batch_norm_grad) = {
      wide ? N_AVX3::batch_norm_grad : N_AVX2::batch_norm_grad, [](const void*) { return 3; },
      [](const void* a, int threads) {
        const auto& args = as<BatchNormGradArgs>(a);
        return floats((2 * make_strips(args.rows, 64).count + threads) * args.channels);
      }};
}

}  // namespace atelier
#endif
