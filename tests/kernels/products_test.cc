// pack and matmul against sums in double precision.
#include <vector>

#include "kernels/support.h"

namespace atelier {
namespace {
using namespace test;

struct Case {
  std::int64_t batch, m, n, k;
  bool ta, tb, one_b, bias, relu;
};

PackArgs pack_of(const Case& c, float* dst, const float* b) {
  PackArgs p{};
  p.dst = dst;
  p.src = b;
  p.format = PackFormat::matmul;
  p.batch = c.one_b ? 1 : c.batch;
  p.k = c.k;
  p.n = c.n;
  p.batch_stride = c.k * c.n;
  p.k_stride = c.tb ? 1 : c.n;
  p.n_stride = c.tb ? c.k : 1;
  return p;
}

MatmulArgs matmul_of(const Case& c, const PackArgs& pack, const float* a, const float* bias) {
  MatmulArgs args{};
  args.a = a;
  args.b = pack.dst;
  args.batch = c.batch;
  args.m = c.m;
  args.n = c.n;
  args.k = c.k;
  args.a_batch_stride = c.m * c.k;
  args.a_row_stride = c.ta ? 1 : c.k;
  args.a_k_stride = c.ta ? c.m : 1;
  args.b_batch_stride = c.one_b ? 0 : panels(c.n) * c.k * kPanel;
  args.epilogue = {c.bias ? bias : nullptr, c.relu};
  return args;
}

void compare(const Case& c, const GuardedBuffer<>& a, const GuardedBuffer<>& b,
             const GuardedBuffer<>& bias, std::span<const float> out, Worst& worst) {
  for (std::int64_t i = 0; i < c.batch * c.m * c.n; ++i) {
    const std::int64_t batch = i / (c.m * c.n), row = i / c.n % c.m, column = i % c.n;
    const float* a0 = a.data() + batch * c.m * c.k;
    const float* b0 = b.data() + (c.one_b ? 0 : batch * c.k * c.n);
    double sum = 0, magnitude = 0;
    for (std::int64_t k = 0; k < c.k; ++k) {
      const double p = double(c.ta ? a0[k * c.m + row] : a0[row * c.k + k]) *
                       double(c.tb ? b0[column * c.k + k] : b0[k * c.n + column]);
      sum += p;
      magnitude += std::abs(p);
    }
    if (c.bias) {
      sum += double(bias[std::size_t(column)]);
      magnitude += std::abs(double(bias[std::size_t(column)]));
    }
    if (c.relu) sum = std::max(sum, 0.0);
    worst.check(double(out[std::size_t(i)]), sum, magnitude, 1e-6);
  }
}

// Runs the case at every level and with teams of 1 to 3; all must give the same bytes.
void check_case(const Case& c, std::vector<Worst>& worst) {
  INFO("batch ", c.batch, " m ", c.m, " n ", c.n, " k ", c.k, " ta ", c.ta, " tb ", c.tb);
  const std::int64_t b_batches = c.one_b ? 1 : c.batch;
  GuardedBuffer<> a(std::size_t(c.batch * c.m * c.k), 1), b(std::size_t(b_batches * c.k * c.n), 1);
  GuardedBuffer<> bias(std::size_t(c.n), 1);
  fill(a.span(), 1);
  fill(b.span(), 2);
  fill(bias.span(), 3);
  std::vector<float> first;
  std::size_t at = 0;
  for (Level level : levels()) {
    for (int threads : {1, 2, 3}) {
      PackArgs pack = pack_of(c, nullptr, b.data());
      GuardedBuffer<> packed(std::size_t(packed_count(pack)), 3);
      pack.dst = packed.data();
      run(level, KernelId::pack, pack, threads);
      GuardedBuffer<> out(std::size_t(c.batch * c.m * c.n), 1);
      MatmulArgs args = matmul_of(c, pack, a.data(), bias.data());
      args.c = out.data();
      run(level, KernelId::matmul, args, threads);
      if (threads == 1) compare(c, a, b, bias, out.span(), worst[at]);
      if (first.empty()) first.assign(out.span().begin(), out.span().end());
      CHECK(same_bytes(first, out.span()));
    }
    ++at;
  }
}

std::vector<Worst> worst_of(const char* what) {
  std::vector<Worst> worst;
  worst.reserve(4);
  for (Level level : levels()) worst.emplace_back(what, level);
  return worst;
}

TEST_CASE("matmul is the sequential sum for every shape, orientation and epilogue") {
  auto worst = worst_of("matmul");
  for (bool ta : {false, true}) {
    for (bool tb : {false, true}) {
      for (bool epilogue : {false, true}) {
        check_case({1, 1, 1, 1, ta, tb, false, epilogue, epilogue}, worst);
        check_case({1, 1, 100, 37, ta, tb, false, epilogue, false}, worst);
        check_case({1, 7, 33, 5, ta, tb, false, epilogue, epilogue}, worst);
        check_case({1, 13, 65, 130, ta, tb, false, false, epilogue}, worst);
        check_case({3, 9, 31, 17, ta, tb, false, epilogue, epilogue}, worst);
        check_case({5, 3, 8, 6, ta, tb, true, epilogue, epilogue}, worst);
        check_case({1, 50, 17, 600, ta, tb, false, epilogue, epilogue}, worst);
      }
    }
  }
}

TEST_CASE("matmul with few rows, few columns and K in blocks is the same sum") {
  auto worst = worst_of("matmul, long");
  for (std::int64_t m : {1, 2, 3, 4, 5, 6, 7, 8}) {
    check_case({1, m, 70, 40, false, false, false, true, false}, worst);
    check_case({1, 40, m, 40, true, false, false, false, true}, worst);
  }
  check_case({1, 11, 40, 3000, false, true, false, true, true}, worst);
  check_case({1, 11, 40, 1700, true, false, false, true, true}, worst);
  check_case({1, 500, 7, 1537, false, false, false, true, false}, worst);
}

TEST_CASE("matmul without any k gives the bias, and without rows nothing") {
  auto worst = worst_of("matmul, empty");
  check_case({1, 4, 40, 0, false, false, false, true, true}, worst);
  check_case({1, 4, 40, 0, true, false, false, false, false}, worst);
  check_case({1, 0, 40, 3, false, false, false, true, true}, worst);
  check_case({2, 4, 0, 3, false, false, false, true, true}, worst);
}

TEST_CASE("relu at the store keeps NaN") {
  for (Level level : levels()) {
    GuardedBuffer<> packed(kPanel), out(2);
    const float nan = std::nanf(""), a[2] = {nan, -1}, b = 1;
    PackArgs pack = pack_of({1, 2, 1, 1, false, false, false, false, true}, packed.data(), &b);
    run(level, KernelId::pack, pack, 1);
    MatmulArgs args = matmul_of({1, 2, 1, 1, false, false, false, false, true}, pack, a, nullptr);
    args.c = out.data();
    run(level, KernelId::matmul, args, 1);
    CHECK(std::isnan(out[0]));
    CHECK(out[1] == 0);
  }
}

TEST_CASE("panels hold 32 columns, k by k, padded with zeros") {
  for (Level level : levels()) {
    const Case c{1, 0, 33, 3, false, true, false, false, false};
    GuardedBuffer<> b(99), packed(2 * 3 * 32);
    fill(b.span(), 4);
    run(level, KernelId::pack, pack_of(c, packed.data(), b.data()), 2);
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t n = 0; n < 64; ++n) {
        CHECK(packed[(n / 32 * 3 + k) * 32 + n % 32] == (n < 33 ? b[n * 3 + k] : 0.0f));
      }
    }
  }
}

}  // namespace
}  // namespace atelier
