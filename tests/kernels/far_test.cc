// Elements that lie more than 2^31 elements, or bytes, behind the first: offsets have 64 bits. The
// memory is reserved only; a few pages of it are touched.
#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

constexpr std::int64_t kFar = (std::int64_t{1} << 31) + 24;  // elements

class Reserved {
 public:
  explicit Reserved(std::int64_t floats) : bytes_(std::size_t(floats) * sizeof(float)) {
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<float*>(memory);
  }
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;
  ~Reserved() { munmap(data_, bytes_); }
  float* data() const { return data_; }

 private:
  std::size_t bytes_;
  float* data_;
};

TEST_CASE("copies, windows and gathers reach beyond 2^31 elements, both ways") {
  const Reserved reserved(3 * kFar);
  float* far = reserved.data();
  const Floats rows = values(8, 1);  // two rows of four, kFar apart
  std::copy_n(rows.data(), 4, far + kFar);
  std::copy_n(rows.data() + 4, 4, far + 2 * kFar);
  for (Level level : levels()) {
    GuardedBuffer<> out(8), cut(4), taken(8);
    CopyArgs copy{out.data(), far + kFar, 4, 2, {2, 4}, {4, 1}, {kFar, 1}};
    run(level, KernelId::copy, copy, 2);
    CHECK(same_bytes(out.span(), rows));
    copy = {far + 2 * kFar, out.data(), 4, 2, {2, 4}, {-kFar, 1}, {4, 1}};
    run(level, KernelId::copy, copy, 3);  // the rows change places, then back
    CHECK(same_bytes({far + 2 * kFar, 4}, {rows.data(), 4}));
    CHECK(same_bytes({far + kFar, 4}, {rows.data() + 4, 4}));
    copy.dst = far + kFar;
    copy.dst_stride[0] = kFar;
    run(level, KernelId::copy, copy, 1);

    const std::int32_t start[] = {2, 0};
    run(level, KernelId::dyn_slice,
        DynArgs{cut.data(), far, start, 4, 2, {3, kFar}, {1, 4}, nullptr}, 2);
    CHECK(same_bytes(cut.span(), {rows.data() + 4, 4}));

    const std::int32_t index[] = {std::int32_t(kFar / 4), std::int32_t(kFar / 2)};
    run(level, KernelId::take, TakeArgs{taken.data(), far, index, 2, 3 * kFar / 4, 16}, 2);
    CHECK(same_bytes(taken.span(), rows));
  }
}

TEST_CASE("products read and pack operands beyond 2^31 elements") {
  constexpr std::int64_t batch = 2, m = 3, n = 5, k = 4;
  const Reserved reserved(3 * kFar);
  float* far = reserved.data();
  // a: a matrix kFar behind the first; b: rows kFar / 4 apart.
  const Floats a = values(batch * m * k, 1), b = values(k * n, 2);
  for (std::int64_t i = 0; i < batch; ++i) std::copy_n(a.data() + i * m * k, m * k, far + i * kFar);
  Floats packed;
  float* rows = far + kFar + 4096;
  for (std::int64_t i = 0; i < k; ++i) std::copy_n(b.data() + i * n, n, rows + i * (kFar / 4));
  PackArgs pack{};
  pack.format = PackFormat::matmul;
  pack.batch = 1;
  pack.k = k;
  pack.n = n;
  pack.k_stride = n;
  pack.n_stride = 1;
  const Floats expected = packed_of(pack, b);
  pack.k_stride = kFar / 4;
  run_everywhere(
      KernelId::pack, {}, {packed_count(pack)},
      [&](const auto&, const auto& to) {
        pack.src = rows;
        pack.dst = to[0];
        return pack;
      },
      [&](Level, const std::vector<Floats>& out) { CHECK(same_bytes(out[0], expected)); });
  MatmulArgs args{};
  args.batch = batch, args.m = m, args.n = n, args.k = k;
  args.a_row_stride = k;
  args.a_k_stride = 1;
  Floats near;
  for (const std::int64_t stride : {m * k, kFar}) {
    args.a_batch_stride = stride;
    run_everywhere(
        KernelId::matmul, {a, expected}, {batch * m * n},
        [&](const auto& from, const auto& to) {
          MatmulArgs bound = args;
          bound.a = stride == kFar ? far : from[0];
          bound.b = from[1];
          bound.c = to[0];
          return bound;
        },
        [&](Level, const std::vector<Floats>& out) {
          if (near.empty()) near = out[0];
          CHECK(same_bytes(out[0], near));
        });
  }
}

}  // namespace
}  // namespace atelier
