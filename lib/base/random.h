// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405).
//
// Every number is a pure function of (seed, stream, step, row, element), so results do not depend
// on threads, batch splits, shards or resumption. The SIMD kernels in kernels/ give the same bits.
//   key      {k0, k1} = low and high half of mix64(seed ^ mix64(stream))
//   counter  {element / 4, row, low half of step, high half of step}
//   word     element % 4 of the four output words
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace atelier {

// SplitMix64's finaliser: a bijection on 64 bits that spreads every input bit.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Stream id of a name (64-bit FNV-1a, mixed): "vae.encoder.weight" always means the same stream.
constexpr std::uint64_t stream_of(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return mix64(h);
}

// The four words of one block; `block` = element / 4.
std::array<std::uint32_t, 4> philox_block(std::uint64_t seed, std::uint64_t stream,
                                          std::uint64_t step, std::uint32_t row,
                                          std::uint32_t block);

std::uint32_t random_word(std::uint64_t seed, std::uint64_t stream, std::uint64_t step,
                          std::uint32_t row, std::uint32_t element);

// 24 random bits as a float in [0, 1): word >> 8 times 2^-24, exact.
constexpr float uniform_of(std::uint32_t word) { return float(word >> 8) * 0x1p-24f; }

// A sequential generator for host code (initialisers, permutations): successive elements of one
// row of a stream.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream, std::uint64_t step = 0,
               std::uint32_t row = 0)
      : seed_(seed), stream_(stream), step_(step), row_(row) {}
  std::uint32_t word();
  double uniform();                          // [0, 1), 53 bits from two words
  double normal();                           // Box-Muller in double, one value per pair
  std::uint64_t below(std::uint64_t bound);  // unbiased by rejection; bound > 0

 private:
  std::uint64_t seed_, stream_, step_;
  std::uint32_t row_, next_ = 0;
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace atelier
