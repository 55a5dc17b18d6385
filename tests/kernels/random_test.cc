// Uniform and normal numbers at every level, rows of any length, against the scalar generator and
// Box and Muller's formula in double precision.
#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

struct Draw {
  std::uint64_t seed, stream;
  std::uint32_t step;
  std::vector<std::int32_t> ids;
};
const Draw kDraw{0x8000000180000063, 0xfedcba9876543210, 0xfffffffe, {7, 0, -1, INT32_MIN, 123456}};

double uniform(const Draw& d, std::uint64_t stream, std::size_t row, std::int64_t element) {
  return double(uniform_of(
      random_word(d.seed, stream, d.step, std::uint32_t(d.ids[row]), std::uint32_t(element))));
}

template <class Check>
void draw(KernelId id, const Draw& d, std::int64_t row, Check check) {
  const std::vector<std::int32_t> clock{std::int32_t(d.seed & 0xffffffff),
                                        std::int32_t(d.seed >> 32), std::int32_t(d.step)};
  const auto rows = std::int64_t(d.ids.size());
  run_everywhere(
      id, {bits_of(d.ids), bits_of(clock)}, {rows * row},
      [&](const auto& from, const auto& to) {
        return RandomArgs{to[0], ints(from[0]), ints(from[1]), rows, row, d.stream};
      },
      check);
}

// 1 to 130 elements, and around the block of 64 that is made at once.
std::vector<std::int64_t> lengths() {
  std::vector<std::int64_t> all;
  for (std::int64_t n = 1; n <= 130; ++n) all.push_back(n);
  all.insert(all.end(), {191, 192, 193, 1027});
  return all;
}

TEST_CASE("uniforms of rows of any length are those of the scalar generator") {
  Ledger exact("random", kExact);
  for (std::int64_t row : lengths()) {
    draw(KernelId::random, kDraw, row, [&](Level level, const std::vector<Floats>& out) {
      std::int64_t wrong = 0;
      for (std::size_t i = 0; i < out[0].size(); ++i) {
        const std::int64_t r = std::int64_t(i) / row, j = std::int64_t(i) % row;
        wrong += double(out[0][i]) == uniform(kDraw, kDraw.stream, std::size_t(r), j) ? 0 : 1;
      }
      exact[level].exact(wrong, std::int64_t(out[0].size()));
    });
  }
}

TEST_CASE("normals are Box and Muller's of two streams, rows of any length") {
  Ledger worst("normal", "of the radius");  // the cosine has zeros
  for (std::int64_t row : lengths()) {
    draw(KernelId::normal, kDraw, row, [&](Level level, const std::vector<Floats>& out) {
      for (std::size_t i = 0; i < out[0].size(); ++i) {
        const std::size_t r = i / std::size_t(row);
        const std::int64_t j = std::int64_t(i) % row;
        const double radius = std::sqrt(-2 * std::log1p(-uniform(kDraw, kDraw.stream, r, j)));
        const double turns = uniform(kDraw, kDraw.stream + 1, r, j);
        worst[level].check(double(out[0][i]), radius * std::cos(2 * M_PI * turns), radius, 1e-6);
      }
    });
  }
}

}  // namespace
}  // namespace atelier
