// Reductions of every kind and layout, at every level, against double precision and by comparison.
#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

struct Layout {
  std::int64_t outer, reduce, inner;
};

// Rows, columns and middle axes of every length up to 70; strips of rows and of long vectors.
std::vector<Layout> layouts() {
  std::vector<Layout> all;
  for (std::int64_t n = 1; n <= 130; ++n) {
    all.push_back({1 + n % 3, n, 1});
    all.push_back({1 + n % 2, 1 + n * 7 % 71, n});
  }
  all.insert(all.end(), {{1, 4095, 1},
                         {2, 4096, 1},
                         {3, 4097, 1},
                         {1, 8193, 1},
                         {1, 300007, 1},
                         {1, 20000, 64},
                         {1, 63, 5},
                         {2, 64, 3},
                         {1, 65, 17},
                         {3, 129, 2},
                         {1, 4111, 9},
                         {67, 1, 1},
                         {1, 1, 67},
                         {5, 1, 13}});
  return all;
}

const auto bind_reduce = [](const Layout& l, ReduceOp op, float scale) {
  return [=](const auto& from, const auto& to) {
    return ReduceArgs{from[0], to[0], nullptr, l.outer, l.reduce, l.inner, op, scale};
  };
};

const float* first_of(const Layout& l, const Floats& x, std::int64_t out) {
  return x.data() + out / l.inner * l.reduce * l.inner + out % l.inner;
}

TEST_CASE("sums and means over rows, columns and middle axes of any length") {
  Ledger worst("reduce");
  for (const Layout& l : layouts()) {
    const Floats x = values(l.outer * l.reduce * l.inner, std::uint64_t(l.reduce * 131 + l.inner));
    for (float scale : {1.0f, 1.0f / float(l.reduce)}) {
      run_everywhere(KernelId::reduce, {x}, {l.outer * l.inner},
                     bind_reduce(l, ReduceOp::sum, scale),
                     [&](Level level, const std::vector<Floats>& out) {
                       for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
                         const float* from = first_of(l, x, o);
                         double sum = 0, size = 0;
                         for (std::int64_t r = 0; r < l.reduce; ++r) {
                           sum += double(from[r * l.inner]);
                           size += std::abs(double(from[r * l.inner]));
                         }
                         worst[level].check(double(out[0][std::size_t(o)]), sum * double(scale),
                                            size * double(scale), 1e-6);
                       }
                     });
    }
  }
}

TEST_CASE("a sum over nothing is 0") {
  for (const Layout& l : {Layout{3, 0, 1}, Layout{3, 0, 5}}) {
    run_everywhere(KernelId::reduce, {Floats{}}, {l.outer * l.inner},
                   bind_reduce(l, ReduceOp::sum, 1), [&](Level, const std::vector<Floats>& out) {
                     for (float v : out[0]) CHECK(v == 0);
                   });
  }
}

// Maxima: the first of equal ones.
void check_tops(const Layout& l, const Floats& x) {
  Ledger exact("reduce", kOfMagnitudes, "top");
  std::vector<std::int64_t> where;
  for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
    const float* from = first_of(l, x, o);
    std::int64_t best = 0;
    for (std::int64_t r = 1; r < l.reduce; ++r) {
      if (from[best * l.inner] < from[r * l.inner]) best = r;
    }
    where.push_back(best);
  }
  const auto each = [&](ReduceOp op, Level level, const Floats& out) {
    long wrong = 0;
    for (std::size_t o = 0; o < where.size(); ++o) {
      const float top = first_of(l, x, std::int64_t(o))[where[o] * l.inner];
      const bool right = op == ReduceOp::top ? same_values({&top, 1}, {&out[o], 1})
                                             : *ints(&out[o]) == std::int32_t(where[o]);
      wrong += right ? 0 : 1;
    }
    INFO(l.outer, " ", l.reduce, " ", l.inner);
    exact[level].exact(wrong, std::int64_t(where.size()));
  };
  for (ReduceOp op : {ReduceOp::top, ReduceOp::argtop}) {
    run_everywhere(KernelId::reduce, {x}, {l.outer * l.inner}, bind_reduce(l, op, 1),
                   [&](Level level, const std::vector<Floats>& out) { each(op, level, out[0]); });
  }
}

TEST_CASE("maxima and their first positions, with ties, infinities and zeros of both signs") {
  for (const Layout& l : layouts()) {
    Floats x = values(l.outer * l.reduce * l.inner, std::uint64_t(l.reduce * 17 + l.inner));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float special[] = {0, -0.0f, INFINITY, -INFINITY, 3e38f, -3e38f, 0.5f};
      x[i] = l.inner % 2 ? std::round(x[i] * 8) : x[i];  // ties
      if (mix64(i + std::uint64_t(l.reduce)) % 9 == 0) x[i] = special[mix64(i) % 7];
    }
    check_tops(l, x);
  }
}

TEST_CASE("sums carry infinity and NaN into their own result alone, denormals count as 0") {
  const Layout l{3, 21, 19};
  Floats x = values(l.outer * l.reduce * l.inner, 3);
  const auto at = [l](std::int64_t o, std::int64_t r, std::int64_t i) {
    return std::size_t((o * l.reduce + r) * l.inner + i);
  };
  x[at(1, 4, 17)] = NAN;
  x[at(2, 20, 0)] = INFINITY;
  x[at(0, 3, 18)] = INFINITY;
  x[at(0, 9, 18)] = -INFINITY;
  for (std::int64_t r = 0; r < l.reduce; ++r) x[at(1, r, 5)] = 1e-39f;
  run_everywhere(KernelId::reduce, {x}, {l.outer * l.inner}, bind_reduce(l, ReduceOp::sum, 1),
                 [&](Level, const std::vector<Floats>& out) {
                   for (std::int64_t i = 0; i < l.outer * l.inner; ++i) {
                     const bool nan = i == l.inner + 17 || i == 18;
                     INFO("element ", i);
                     CHECK(std::isnan(out[0][std::size_t(i)]) == nan);
                     CHECK(std::isinf(out[0][std::size_t(i)]) == (i == 2 * l.inner));
                   }
                   CHECK(out[0][std::size_t(l.inner + 5)] == 0);
                 });
}

}  // namespace
}  // namespace atelier
