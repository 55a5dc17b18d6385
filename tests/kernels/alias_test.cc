// Every alias pair of the table is run with the output apart from the input and in its place.
#include <cstring>
#include <set>
#include <vector>

#include "kernels/support.h"

namespace atelier {
namespace {
using namespace test;

constexpr std::int64_t kRows = 37, kWidth = 45;  // 37 = batch 1 x 37 pixels for group norm
constexpr std::size_t kCount = std::size_t(kRows * kWidth);

float* read_pointer(const void* args, std::size_t offset) {
  float* pointer;
  std::memcpy(&pointer, static_cast<const std::byte*>(args) + offset, sizeof pointer);
  return pointer;
}
void write_pointer(void* args, std::size_t offset, const float* pointer) {
  std::memcpy(static_cast<std::byte*>(args) + offset, &pointer, sizeof pointer);
}

// A block of values for each pointer of an argument struct, positive so that they may be
// variances; filled again before each run.
struct Blocks {
  std::vector<std::vector<float>> block;
  Blocks() { block.reserve(40); }
  float* next() {
    block.emplace_back(kCount);
    return block.back().data();
  }
  void refill() {
    for (std::size_t i = 0; i < block.size(); ++i) {
      fill(block[i], i);
      for (float& v : block[i]) v = 0.6f + 0.5f * v;
    }
  }
};

template <class Args>
void check_pairs(KernelId id, Args args, Blocks& blocks) {
  for (const AliasPair& pair : alias_pairs(id)) {
    for (Level level : levels()) {
      for (int threads : {1, 2, 3}) {
        Args both = args;
        write_pointer(&both, pair.output, read_pointer(&args, pair.input));
        blocks.refill();
        run(level, id, args, threads);
        const float* apart = read_pointer(&args, pair.output);
        const std::vector<float> expected(apart, apart + kCount);
        blocks.refill();
        run(level, id, both, threads);
        INFO(std::string(name(id)), " pair ", pair.output, " ", pair.input);
        CHECK(same_bytes(expected, {read_pointer(&args, pair.input), kCount}));
      }
    }
  }
}

TEST_CASE("outputs may take the place of the inputs that the table names") {
  Blocks b;
  const auto p = [&b] { return b.next(); };
  check_pairs(KernelId::softmax, SoftmaxArgs{p(), p(), kRows, kWidth}, b);
  check_pairs(KernelId::layer_norm,
              LayerNormArgs{p(), p(), p(), p(), p(), p(), kRows, kWidth, 1e-5f}, b);
  check_pairs(KernelId::group_norm,
              GroupNormArgs{p(), p(), p(), p(), p(), p(), nullptr, 1, kRows, kWidth, 5, 1e-5f}, b);
  check_pairs(KernelId::batch_norm,
              BatchNormArgs{p(), p(), p(), p(), p(), p(), nullptr, kRows, kWidth, 1e-5f}, b);
  Blocks g;
  const auto q = [&g] { return g.next(); };
  check_pairs(KernelId::layer_norm_grad,
              LayerNormGradArgs{q(), q(), q(), q(), q(), q(), q(), q(), nullptr, kRows, kWidth}, g);
  check_pairs(
      KernelId::group_norm_grad,
      GroupNormGradArgs{q(), q(), q(), q(), q(), q(), q(), q(), nullptr, 1, kRows, kWidth, 5}, g);
  check_pairs(
      KernelId::batch_norm_grad,
      BatchNormGradArgs{q(), q(), q(), q(), q(), q(), q(), q(), nullptr, kRows, kWidth, 1e-5f}, g);
  Blocks u;
  const std::int32_t start[] = {5, 7};
  DynArgs update{u.next(), u.next(), start, 4, 2, {kRows, kWidth}, {3, 4}, u.next()};
  check_pairs(KernelId::dyn_update, update, u);
  AdamKernelArgs adam{};
  Blocks a;
  for (float** pointer : {&adam.p, &adam.m, &adam.v}) *pointer = a.next();
  for (const float** pointer :
       {&adam.p_in, &adam.m_in, &adam.v_in, &adam.g, &adam.rate, &adam.c1, &adam.c2, &adam.scale}) {
    *pointer = a.next();
  }
  for (int i = 0; i < kMaxAverages; ++i) {
    adam.average[i] = a.next();
    adam.average_in[i] = a.next();
    adam.keep[i] = a.next();
  }
  adam.count = std::int64_t(kCount);
  adam.num_averages = kMaxAverages;
  adam.beta1 = 0.9f;
  adam.beta2 = 0.99f;
  adam.eps = 1e-8f;
  check_pairs(KernelId::adam, adam, a);
}

TEST_CASE("only the kernels tested here have alias pairs") {
  const std::set<KernelId> tested{
      KernelId::softmax,         KernelId::layer_norm, KernelId::group_norm,
      KernelId::batch_norm,      KernelId::adam,       KernelId::layer_norm_grad,
      KernelId::group_norm_grad, KernelId::dyn_update, KernelId::batch_norm_grad};
  for (int id = 0; id < kNumKernels; ++id) {
    INFO(std::string(name(KernelId(id))));
    const bool has_pairs = !alias_pairs(KernelId(id)).empty();
    CHECK(has_pairs == tested.contains(KernelId(id)));
  }
}

}  // namespace
}  // namespace atelier
