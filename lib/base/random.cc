// Scalar Philox through Random123, the published reference implementation.
#include "base/random.h"

#include <Random123/philox.h>

#include <cmath>

namespace atelier {

std::array<std::uint32_t, 4> philox_block(std::uint64_t seed, std::uint64_t stream,
                                          std::uint64_t step, std::uint32_t row,
                                          std::uint32_t block) {
  std::uint64_t mixed = mix64(seed ^ mix64(stream));
  r123::Philox4x32 generator;
  r123::Philox4x32::key_type key = {{std::uint32_t(mixed), std::uint32_t(mixed >> 32)}};
  r123::Philox4x32::ctr_type counter = {
      {block, row, std::uint32_t(step), std::uint32_t(step >> 32)}};
  auto out = generator(counter, key);
  return {out[0], out[1], out[2], out[3]};
}

std::uint32_t random_word(std::uint64_t seed, std::uint64_t stream, std::uint64_t step,
                          std::uint32_t row, std::uint32_t element) {
  return philox_block(seed, stream, step, row, element / 4)[element % 4];
}

std::uint32_t RandomStream::word() {
  if (next_ % 4 == 0) block_ = philox_block(seed_, stream_, step_, row_, next_ / 4);
  return block_[next_++ % 4];
}

double RandomStream::uniform() {
  std::uint64_t high = word() >> 5, low = word() >> 6;
  return double(high << 26 | low) * 0x1p-53;
}

double RandomStream::normal() {
  double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * M_PI * uniform());
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  std::uint64_t limit = -bound % bound;  // 2^64 mod bound: values below it would be favoured
  for (;;) {
    std::uint64_t high = word();
    std::uint64_t value = high << 32 | word();
    if (value >= limit) return value % bound;
  }
}

}  // namespace atelier
