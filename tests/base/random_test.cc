// Philox: the published known answers, and the mapping of (seed, stream, step, row, element).
#include "base/random.h"

#include <Random123/philox.h>
#include <doctest/doctest.h>

#include <cmath>

using namespace atelier;

TEST_CASE("Philox4x32-10 gives the published known answers") {
  r123::Philox4x32 generator;
  auto zero = generator({{0, 0, 0, 0}}, {{0, 0}});
  CHECK(zero[0] == 0x6627e8d5u);
  auto ones = generator({{~0u, ~0u, ~0u, ~0u}}, {{~0u, ~0u}});
  CHECK(ones[0] == 0x408f276du);
}

TEST_CASE("an element does not depend on its neighbours") {
  auto block = philox_block(7, 11, 3, 5, 2);
  for (std::uint32_t i = 0; i < 4; ++i) CHECK(random_word(7, 11, 3, 5, 8 + i) == block[i]);
  CHECK(random_word(7, 11, 3, 5, 8) != random_word(7, 11, 3, 6, 8));
  CHECK(random_word(7, 11, 3, 5, 8) != random_word(7, 12, 3, 5, 8));
  CHECK(random_word(7, 11, 3, 5, 8) != random_word(7, 11, 4, 5, 8));
  CHECK(random_word(7, 11, 3, 5, 8) != random_word(8, 11, 3, 5, 8));
}

TEST_CASE("normals have mean 0 and variance 1 within 4 standard errors") {
  RandomStream stream(1, stream_of("normals"));
  const int n = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    double z = stream.normal();
    sum += z;
    squares += z * z;
  }
  CHECK(std::abs(sum / n) < 4 / std::sqrt(double(n)));
  CHECK(std::abs(squares / n - 1) < 4 * std::sqrt(2.0 / n));
}

TEST_CASE("below() is uniform on its range") {
  RandomStream stream(1, stream_of("below"));
  int counts[7] = {};
  for (int i = 0; i < 70000; ++i) ++counts[stream.below(7)];
  for (int count : counts) CHECK(std::abs(count - 10000) < 500);
}
