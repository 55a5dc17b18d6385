// attention and attention_grad against double precision.
#include <algorithm>
#include <string>
#include <vector>

#include "kernels/support.h"

namespace atelier {
namespace {
using namespace test;

struct Case {
  std::int64_t batch, queries, keys, heads, dim;
  bool causal, bias;
  std::vector<std::int32_t> valid;
};

struct Inputs {
  GuardedBuffer<> q, k, v, bias, dout;
  Inputs(const Case& c, std::size_t misalign)
      : q(std::size_t(c.batch * c.queries * c.heads * c.dim), misalign),
        k(std::size_t(c.batch * c.keys * c.heads * c.dim), misalign),
        v(k.size(), misalign),
        bias(std::size_t(c.heads * c.queries * c.keys), misalign),
        dout(q.size(), misalign) {
    fill(q.span(), 1);
    fill(k.span(), 2);
    fill(v.span(), 3);
    fill(bias.span(), 4);
    fill(dout.span(), 5);
  }
};

// A value in double precision and the sum of magnitudes that rounding errors scale with.
struct Sums {
  std::vector<double> value, magnitude;
  explicit Sums(std::size_t n) : value(n), magnitude(n) {}
  void add(std::size_t at, double v, double m) {
    value[at] += v;
    magnitude[at] += m;
  }
};

constexpr float kScale = 0.3f;

struct Oracle {
  const Case& c;
  const Inputs& in;
  Sums out, lse, dq, dk, dv;

  Oracle(const Case& of, const Inputs& inputs)
      : c(of),
        in(inputs),
        out(in.q.size()),
        lse(std::size_t(c.batch * c.heads * c.queries)),
        dq(in.q.size()),
        dk(in.k.size()),
        dv(in.k.size()) {
    for (std::int64_t b = 0; b < c.batch; ++b) {
      for (std::int64_t h = 0; h < c.heads; ++h) {
        for (std::int64_t i = 0; i < c.queries; ++i) add_query(b, h, i);
      }
    }
  }

  std::size_t at(std::int64_t b, std::int64_t token, std::int64_t tokens, std::int64_t h) const {
    return std::size_t(((b * tokens + token) * c.heads + h) * c.dim);
  }
  double dot(const GuardedBuffer<>& x, std::size_t i, const GuardedBuffer<>& y, std::size_t j,
             double* magnitude) const {
    double sum = 0;
    for (std::size_t e = 0; e < std::size_t(c.dim); ++e) {
      sum += double(x[i + e]) * double(y[j + e]);
      *magnitude += std::abs(double(x[i + e]) * double(y[j + e]));
    }
    return sum;
  }

  void add_query(std::int64_t b, std::int64_t h, std::int64_t i) {
    std::int64_t limit = c.keys;
    if (!c.valid.empty()) limit = std::min<std::int64_t>(limit, c.valid[std::size_t(b)]);
    if (c.causal) limit = std::min(limit, i + c.keys - c.queries + 1);
    const std::size_t row = std::size_t((b * c.heads + h) * c.queries + i);
    const std::size_t qi = at(b, i, c.queries, h);
    if (limit <= 0) {
      lse.add(row, double(-1e30f), 1e30);
      return;
    }
    std::vector<double> p(static_cast<std::size_t>(limit));
    double top = -1e300, spread = 1;
    for (std::int64_t j = 0; j < limit; ++j) {
      double magnitude = 0;
      double s = double(kScale) * dot(in.q, qi, in.k, at(b, j, c.keys, h), &magnitude);
      if (c.bias) s += double(in.bias[std::size_t((h * c.queries + i) * c.keys + j)]);
      p[std::size_t(j)] = s;
      top = std::max(top, s);
      spread = std::max(spread, 2 + double(kScale) * magnitude);
    }
    double sum = 0;
    for (double& s : p) sum += s = std::exp(s - top);
    for (double& s : p) s /= sum;
    lse.add(row, top + std::log(sum), spread);
    add_row(b, h, i, p, spread);
  }

  void add_row(std::int64_t b, std::int64_t h, std::int64_t i, const std::vector<double>& p,
               double spread) {
    const std::size_t qi = at(b, i, c.queries, h);
    double delta = 0, delta_size = 0;
    std::vector<double> dp(p.size()), size(p.size());
    for (std::size_t j = 0; j < p.size(); ++j) {
      dp[j] = dot(in.dout, qi, in.v, at(b, std::int64_t(j), c.keys, h), &size[j]);
      delta += p[j] * dp[j];
      delta_size += p[j] * size[j];
    }
    for (std::size_t j = 0; j < p.size(); ++j) {
      const std::size_t kj = at(b, std::int64_t(j), c.keys, h);
      const double ds = p[j] * (dp[j] - delta) * double(kScale);
      const double ds_size = p[j] * (size[j] + delta_size) * double(kScale) * spread;
      for (std::size_t e = 0; e < std::size_t(c.dim); ++e) {
        const double q = double(in.q[qi + e]), k = double(in.k[kj + e]);
        const double v = double(in.v[kj + e]), dout = double(in.dout[qi + e]);
        out.add(qi + e, p[j] * v, p[j] * std::abs(v) * spread);
        dq.add(qi + e, ds * k, ds_size * std::abs(k));
        dk.add(kj + e, ds * q, ds_size * std::abs(q));
        dv.add(kj + e, p[j] * dout, p[j] * std::abs(dout) * spread);
      }
    }
  }
};

struct Results {
  GuardedBuffer<> out, lse, dq, dk, dv;
  Results(const Case& c, const Inputs& in, std::size_t misalign)
      : out(in.q.size(), misalign),
        lse(std::size_t(c.batch * c.heads * c.queries), misalign),
        dq(in.q.size(), misalign),
        dk(in.k.size(), misalign),
        dv(in.k.size(), misalign) {}
  std::vector<float> all() const {
    std::vector<float> values;
    for (const auto* part : {&out, &lse, &dq, &dk, &dv}) {
      values.insert(values.end(), part->data(), part->data() + part->size());
    }
    return values;
  }
};

void compute(Level level, int threads, const Case& c, const Inputs& in, const Results& r) {
  const float* bias = c.bias ? in.bias.data() : nullptr;
  const std::int32_t* valid = c.valid.empty() ? nullptr : c.valid.data();
  run(level, KernelId::attention,
      AttentionKernelArgs{r.out.data(), r.lse.data(), in.q.data(), in.k.data(), in.v.data(), bias,
                          valid, nullptr, c.batch, c.queries, c.keys, c.heads, c.dim, kScale,
                          c.causal},
      threads);
  run(level, KernelId::attention_grad,
      AttentionGradArgs{r.dq.data(), r.dk.data(), r.dv.data(), in.q.data(), in.k.data(),
                        in.v.data(), r.out.data(), r.lse.data(), in.dout.data(), bias, valid,
                        nullptr, c.batch, c.queries, c.keys, c.heads, c.dim, kScale, c.causal},
      threads);
}

void compare(const GuardedBuffer<>& got, const Sums& expected, Worst& worst) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst.check(double(got[i]), expected.value[i], expected.magnitude[i], 1e-6);
  }
}

void check_case(const Case& c) {
  INFO("batch ", c.batch, " T ", c.queries, " S ", c.keys, " heads ", c.heads, " dim ", c.dim,
       " causal ", c.causal, " bias ", c.bias);
  Ledger out("attention"), lse("attention", kOfMagnitudes, "lse");
  Ledger dq("attention_grad", kOfMagnitudes, "dq"), dk("attention_grad", kOfMagnitudes, "dk"),
      dv("attention_grad", kOfMagnitudes, "dv");
  const Inputs exact(c, 0);
  const Oracle oracle(c, exact);
  std::vector<float> first;
  for (Level level : levels()) {
    for (int threads : {1, 2, 3}) {
      const std::size_t misalign = threads == 2 ? 1 : 0;
      const Inputs in(c, misalign);
      const Results r(c, in, misalign);
      compute(level, threads, c, in, r);
      if (threads == 1) {
        compare(r.out, oracle.out, out[level]);
        compare(r.lse, oracle.lse, lse[level]);
        compare(r.dq, oracle.dq, dq[level]);
        compare(r.dk, oracle.dk, dk[level]);
        compare(r.dv, oracle.dv, dv[level]);
      }
      if (first.empty()) first = r.all();
      CHECK(same_bytes(first, r.all()));
    }
  }
}

TEST_CASE("attention and its gradient agree with double precision") {
  check_case({1, 1, 1, 1, 1, false, false, {}});
  check_case({2, 5, 7, 3, 4, false, false, {}});
  check_case({1, 65, 65, 2, 64, false, false, {}});
  check_case({1, 50, 33, 2, 17, false, true, {}});
  check_case({1, 3, 100, 1, 256, false, false, {}});
  check_case({1, 9, 2000, 1, 5, false, false, {}});
}

TEST_CASE("attention masks the future and the keys beyond the valid length") {
  check_case({2, 60, 60, 2, 8, true, false, {}});
  check_case({2, 10, 60, 2, 8, true, true, {}});
  check_case({3, 20, 40, 1, 16, false, true, {40, 17, 1}});
  check_case({2, 55, 55, 1, 16, true, false, {31, 55}});
}

TEST_CASE("attention at the edges of its blocks") {
  for (std::int64_t keys : {15, 16, 17, 31, 32, 33}) {
    check_case({1, 47, keys, 1, 33, false, false, {}});
    check_case({1, 48, keys, 2, 32, true, true, {}});
    check_case({1, 49, keys, 1, 1, true, false, {std::int32_t(keys - 1)}});
  }
  check_case({1, 97, 97, 1, 5, true, false, {}});
  check_case({2, 1, 70, 3, 31, true, true, {}});
  check_case({2, 70, 1, 3, 8, false, false, {}});
}

TEST_CASE("a query that sees no key gives zeros and no gradient") {
  check_case({2, 5, 6, 2, 3, false, false, {0, 6}});
  check_case({3, 5, 6, 1, 3, true, true, {-3, 99, 2}});  // lengths are clamped
  check_case({1, 60, 7, 1, 3, true, false, {}});
}

TEST_CASE("attention of large scores does not overflow") {
  for (Level level : levels()) {
    const Case c{1, 2, 3, 1, 4, false, false, {}};
    const Inputs in(c, 0);
    for (float& q : in.q.span()) q *= 1e4f;
    const Results r(c, in, 0);
    compute(level, 1, c, in, r);
    for (float value : r.all()) CHECK(std::isfinite(value));
    for (float value : r.out.span()) CHECK(std::abs(value) <= 1);
  }
}

}  // namespace
}  // namespace atelier
