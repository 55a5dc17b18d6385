// Batched matrix products: packed B, any strides of A, bias and relu at the store.
#include "kernels/families.h"
#include "kernels/kernel-inl.h"
// The levels come first.
#include <hwy/foreach_target.h>

#include "kernels/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace atelier::HWY_NAMESPACE {
namespace {

template <class Rows>
void matmul_with(const MatmulArgs& args, Rows rows, int thread, int threads) {
  alignas(64) float buffer[Rows::kGathered ? kColumnBuffer : 1];
  const Grid grid = make_grid<Rows>(args.m, args.n, args.k, args.batch, threads);
  const std::int64_t tasks = grid.tasks();
  if (tasks == 0) return;
  const Range mine = split_range(long(args.batch * tasks), thread, threads);
  for (std::int64_t i = mine.first / tasks; i * tasks < mine.last; ++i) {
    Rows here = rows;
    here.a += i * args.a_batch_stride;
    here.c += i * args.m * args.n;
    const Product product{args.m,
                          args.n,
                          args.k,
                          args.b + i * args.b_batch_stride,
                          args.epilogue.bias,
                          args.epilogue.relu != 0};
    run_share(product, grid, here, i * tasks, mine, buffer);
  }
}

void matmul(const void* untyped, int, int thread, int threads) noexcept {
  const auto& args = *static_cast<const MatmulArgs*>(untyped);
  if (args.n == 0 || args.batch == 0) return;
  if (args.a_k_stride == 1 || args.k <= 1) {
    matmul_with(args, DirectRows{args.a, args.a_row_stride, args.c, args.n}, thread, threads);
  } else {
    matmul_with(args, StridedRows{args.a, args.a_row_stride, args.a_k_stride, args.c, args.n},
                thread, threads);
  }
}

}  // namespace
}  // namespace atelier::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atelier {

void add_matmul(Level level, KernelTable& table) {
  entry_of(table, KernelId::matmul).run = uses_avx512(level) ? N_AVX3::matmul : N_AVX2::matmul;
}

}  // namespace atelier
#endif
