// Softmax, cross-entropy and Adam at every level, for odd sizes, against double precision.
#include <numeric>

#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

constexpr float kInf = std::numeric_limits<float>::infinity();

struct RowShape {
  std::int64_t rows, width;
  std::int64_t count() const { return rows * width; }
};
std::vector<RowShape> row_shapes() {
  std::vector<RowShape> all;
  for (std::int64_t width = 1; width <= 130; ++width) all.push_back({1 + width % 4, width});
  all.insert(all.end(), {{130, 10}, {65, 33}, {7, 1027}, {2, 4099}});
  return all;
}

// Logits of a row, from nearly equal ones to ones that leave a single probability.
Floats logits_of(const RowShape& s) {
  Floats x = values(s.count(), std::uint64_t(s.width), 4);
  for (std::int64_t i = 0; i < s.count(); ++i) {
    const float widen[] = {0.01f, 1, 8, 30};
    x[std::size_t(i)] *= widen[i / s.width % 4];
  }
  return x;
}

double top_of(const float* x, std::int64_t n) { return double(*std::max_element(x, x + n)); }

// ln of the sum of e^x.
double lse_of(const float* x, std::int64_t n) {
  const double top = top_of(x, n);
  const double sum = std::accumulate(
      x, x + n, 0.0, [top](double s, float v) { return s + std::exp(double(v) - top); });
  return top + std::log(sum);
}

void check_softmax(const RowShape& s, const Floats& x, const Floats& y, Worst& worst) {
  for (std::int64_t i = 0; i < s.count(); ++i) {
    const float* row = x.data() + i / s.width * s.width;
    const double v = double(x[std::size_t(i)]), expected = std::exp(v - lse_of(row, s.width));
    // The exponential is as exact as the difference that it is taken of; results below f32 are 0.
    const double magnitude =
        expected * (1 + top_of(row, s.width) - v) + double(std::numeric_limits<float>::min()) * 1e7;
    worst.check(double(y[std::size_t(i)]), expected, magnitude, 1e-6);
  }
}

const auto bind_softmax = [](const RowShape& s) {
  return [s](const auto& from, const auto& to) {
    return SoftmaxArgs{to[0], from[0], s.rows, s.width};
  };
};

TEST_CASE("softmax of rows of any width") {
  Ledger worst("softmax", "of y (1 + top - x)");
  for (const RowShape& s : row_shapes()) {
    const Floats x = logits_of(s);
    run_everywhere(KernelId::softmax, {x}, {s.count()}, bind_softmax(s),
                   [&](Level level, const std::vector<Floats>& out) {
                     check_softmax(s, x, out[0], worst[level]);
                   });
  }
}

TEST_CASE("softmax takes huge, tiny and infinite values, and NaN stays in its row") {
  constexpr RowShape s{6, 5};
  const Floats x = {3e38f,  -3e38f,  0,      1,      -kInf,   // one value is all
                    -kInf,  -kInf,   2,      -kInf,  2,       // halves
                    1e-40f, -1e-40f, 0,      -0.0f,  1e-44f,  // fifths
                    kInf,   0,       1,      2,      3,       // no numbers
                    NAN,    0,       1,      2,      3,       //
                    -3e38f, -3e38f,  -3e38f, -3e38f, -3e38f};
  run_everywhere(KernelId::softmax, {x}, {s.count()}, bind_softmax(s),
                 [&](Level, const std::vector<Floats>& out) {
                   const Floats& y = out[0];
                   const Floats expected = {1, 0,    0,    0,    0,    0,    0,   0.5f,
                                            0, 0.5f, 0.2f, 0.2f, 0.2f, 0.2f, 0.2f};
                   const bool right = std::equal(expected.begin(), expected.end(), y.begin());
                   CHECK(right);
                   for (std::size_t i = 15; i < 25; ++i) {
                     if (i != 16 && i != 17 && i != 18 && i != 19) CHECK(std::isnan(y[i]));
                   }
                   for (std::size_t i = 25; i < 30; ++i) CHECK(y[i] == 0.2f);
                 });
}

TEST_CASE("cross-entropy of any number of classes; labels outside give NaN") {
  Ledger losses("cross_entropy"), sums("cross_entropy", kOfMagnitudes, "lse");
  for (const RowShape& s : row_shapes()) {
    const Floats x = logits_of(s);
    std::vector<std::int32_t> labels;
    for (std::int64_t r = 0; r < s.rows; ++r)
      labels.push_back(std::int32_t((r * 7 + 3) % (s.width + 2) - 1));
    const auto check = [&](Level level, const std::vector<Floats>& out) {
      for (std::int64_t r = 0; r < s.rows; ++r) {
        const float* row = x.data() + r * s.width;
        const double lse = lse_of(row, s.width), top = std::abs(top_of(row, s.width));
        const std::int64_t label = labels[std::size_t(r)];
        const double size = top + std::abs(lse - top) + 1;
        sums[level].check(double(out[1][std::size_t(r)]), lse, size, 1e-6);
        const float loss = out[0][std::size_t(r)];
        if (label < 0 || label >= s.width) {
          CHECK(std::isnan(loss));
        } else {
          const double v = double(row[label]);
          losses[level].check(double(loss), lse - v, size + std::abs(v), 1e-6);
        }
      }
    };
    run_everywhere(
        KernelId::cross_entropy, {x, bits_of(labels)}, {s.rows, s.rows},
        [&](const auto& from, const auto& to) {
          return CrossEntropyArgs{to[0], to[1], from[0], ints(from[1]), s.rows, s.width};
        },
        check);
  }
}

// ---- Adam
struct AdamCase {
  std::int64_t count;
  int averages;
  float weight_decay;
};
constexpr float kRate = 3e-3f, kC1 = 0.271f, kC2 = 0.0297f, kScale = 0.37f, kBeta1 = 0.9f,
                kBeta2 = 0.99f, kEpsilon = 1e-8f;
constexpr float kKeep[kMaxAverages] = {0.999f, 0.9f, 0.0f, 1.0f};

// Inputs: p, m, v, g, then rate, c1, c2, scale, then the averages and their factors.
std::vector<Floats> adam_inputs(const AdamCase& c) {
  const auto seed = std::uint64_t(c.count) * 8;
  std::vector<Floats> in;
  for (std::uint64_t k = 0; k < 4; ++k) in.push_back(values(c.count, seed + k));
  for (float& v : in[2]) v = v * v;
  for (std::int64_t i = 0; i < c.count; i += 7) in[3][std::size_t(i)] *= i % 2 ? 1e-20f : 1e12f;
  for (float scalar : {kRate, kC1, kC2, kScale}) in.push_back({scalar});
  for (int k = 0; k < c.averages; ++k) {
    in.push_back(values(c.count, seed + 100 + std::uint64_t(k)));
    in.push_back({kKeep[k]});
  }
  return in;
}

AdamKernelArgs adam_args(const AdamCase& c, const std::vector<const float*>& from,
                         const std::vector<float*>& to) {
  AdamKernelArgs a{};
  a.p = to[0], a.m = to[1], a.v = to[2];
  a.p_in = from[0], a.m_in = from[1], a.v_in = from[2], a.g = from[3];
  a.rate = from[4], a.c1 = from[5], a.c2 = from[6], a.scale = from[7];
  for (int k = 0; k < c.averages; ++k) {
    a.average[k] = to[std::size_t(3 + k)];
    a.average_in[k] = from[std::size_t(8 + 2 * k)];
    a.keep[k] = from[std::size_t(9 + 2 * k)];
  }
  a.count = c.count;
  a.num_averages = c.averages;
  a.beta1 = kBeta1, a.beta2 = kBeta2, a.eps = kEpsilon, a.weight_decay = c.weight_decay;
  return a;
}

struct AdamLedgers {
  Ledger p{"adam"}, m{"adam", kOfMagnitudes, "m"}, v{"adam", kOfMagnitudes, "v"},
      average{"adam", kOfMagnitudes, "average"};
};

void check_adam(const AdamCase& c, const std::vector<Floats>& in, Level level,
                const std::vector<Floats>& out, AdamLedgers& ledgers) {
  for (std::size_t i = 0; i < std::size_t(c.count); ++i) {
    const double p = double(in[0][i]), g = double(in[3][i]) * double(kScale);
    const double old_m = double(kBeta1) * double(in[1][i]), new_m = (1 - double(kBeta1)) * g;
    const double m = old_m + new_m, m_size = std::abs(old_m) + std::abs(new_m);
    const double v = double(kBeta2) * double(in[2][i]) + (1 - double(kBeta2)) * g * g;
    const double below = std::sqrt(v / double(kC2)) + double(kEpsilon);
    const double slope = m / double(kC1) / below, slope_size = m_size / double(kC1) / below;
    const double decay = double(kRate) * double(c.weight_decay);
    const double next = p - double(kRate) * slope - decay * p;
    const double size = std::abs(p) * (1 + decay) + double(kRate) * slope_size;
    ledgers.m[level].check(double(out[1][i]), m, m_size, 1e-6);
    ledgers.v[level].check(double(out[2][i]), v, v, 1e-6);
    ledgers.p[level].check(double(out[0][i]), next, size, 1e-6);
    for (int k = 0; k < c.averages; ++k) {
      const double a = double(in[std::size_t(8 + 2 * k)][i]), keep = double(kKeep[k]);
      ledgers.average[level].check(double(out[std::size_t(3 + k)][i]), keep * a + (1 - keep) * next,
                                   std::abs(a) + size, 1e-6);
    }
  }
}

TEST_CASE("Adam with decay and averages, any number of parameters") {
  AdamLedgers ledgers;
  std::vector<AdamCase> cases;
  for (std::int64_t count = 1; count <= 130; ++count)
    cases.push_back({count, int(count % 5), count % 2 ? 0.01f : 0.0f});
  cases.insert(cases.end(), {{255, 4, 0.1f}, {513, 1, 0.1f}, {1027, 0, 0}, {5000, 2, 0.01f}});
  for (const AdamCase& c : cases) {
    const std::vector<Floats> in = adam_inputs(c);
    run_everywhere(
        KernelId::adam, in, std::vector<std::int64_t>(std::size_t(3 + c.averages), c.count),
        [&](const auto& from, const auto& to) { return adam_args(c, from, to); },
        [&](Level level, const std::vector<Floats>& out) {
          check_adam(c, in, level, out, ledgers);
        });
  }
}

TEST_CASE("Adam leaves a parameter without gradient alone and spreads no NaN") {
  constexpr AdamCase c{45, 1, 0};
  std::vector<Floats> in = adam_inputs(c);
  for (std::size_t i = 0; i < 45; ++i) {
    if (i % 3 == 0) in[1][i] = in[2][i] = in[3][i] = 0;
    if (i % 3 == 1) in[1][i] = in[2][i] = in[3][i] = i % 2 ? 1e-40f : -0.0f;  // denormals are zeros
    if (i == 17) in[3][i] = NAN;
    if (i == 20) in[3][i] = 1e30f;  // its square overflows: v is infinite, the step 0
  }
  run_everywhere(
      KernelId::adam, in, {c.count, c.count, c.count, c.count},
      [&](const auto& from, const auto& to) { return adam_args(c, from, to); },
      [&](Level, const std::vector<Floats>& out) {
        for (std::size_t i = 0; i < 45; ++i) {
          INFO("element ", i);
          CHECK(std::isnan(out[0][i]) == (i == 17));
          CHECK(std::isnan(out[3][i]) == (i == 17));
          if (i % 3 != 2 || i == 20) CHECK(out[0][i] == in[0][i]);
        }
      });
}

}  // namespace
}  // namespace atelier
