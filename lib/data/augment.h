// What a loader may do to a picture; each choice is a function of (seed, epoch, example).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace atelier {

enum class Binarize : std::uint8_t { none, threshold, sample, dynamic };
Binarize parse_binarize(const std::string& text);  // UsageError naming the four

// One picture of any source in its place. `epoch` matters to dynamic alone.
void binarize(Binarize how, std::uint64_t seed, std::int64_t example, std::int64_t epoch,
              DType dtype, std::span<std::byte> picture);

// Writes pictures of one data set, changed as asked for. Binarization comes first, so that a
// picture sampled once is the same picture when it is flipped or moved.
class Augmenter {
 public:
  // UsageError if vectors or latents are to be changed: what an encoder makes of the mirrored
  // picture is not the mirrored latent.
  Augmenter(const Dataset& dataset, std::int64_t seed, bool hflip, std::int64_t crop_padding,
            Binarize binarize);
  // `into`: row_bytes of the data set.
  void write(std::int64_t example, std::int64_t epoch, std::span<std::byte> into);

 private:
  void move(std::int64_t example, std::int64_t epoch, std::span<const std::byte> from,
            std::span<std::byte> into) const;

  const Dataset& dataset_;
  std::uint64_t seed_;
  bool hflip_;
  std::int64_t crop_padding_;
  Binarize binarize_;
  std::vector<std::byte> scratch_;
};

}  // namespace atelier
