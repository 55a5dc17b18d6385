// The kernel table as a whole.
#include <set>
#include <string>

#include "kernels/support.h"

namespace atelier {
namespace {

TEST_CASE("every level has every kernel, whatever the host") {
  for (Level level : {Level::avx2, Level::avx512, Level::avx512bf16, Level::amx}) {
    const KernelTable& table = kernel_table(level);
    CHECK(table.level == level);
    for (int id = 0; id < kNumKernels; ++id) {
      INFO(std::string(name(KernelId(id))), " at ", std::string(name(level)));
      const bool exists = table[KernelId(id)].run != nullptr;
      CHECK(exists);
    }
  }
}

TEST_CASE("kernels and tile operations have names of their own") {
  std::set<std::string> kernels, operations;
  for (int id = 0; id < kNumKernels; ++id) kernels.emplace(name(KernelId(id)));
  for (int op = 0; op < num_tile_ops(); ++op) operations.emplace(name(TileOp(op)));
  CHECK(int(kernels.size()) == kNumKernels);
  CHECK(int(operations.size()) == num_tile_ops());
  for (int op = 0; op < num_tile_ops(); ++op) CHECK(tile_op(name(TileOp(op))) == TileOp(op));
  CHECK(!tile_op("i32_exp"));
  CHECK(name(KernelId::adam) == "adam");
  CHECK(name(KernelId::conv_dw) == "conv_dw");
  CHECK(name(TileOp::select) == "where");
  CHECK(name(TileOp::fma) == "fma");
}

}  // namespace
}  // namespace atelier
