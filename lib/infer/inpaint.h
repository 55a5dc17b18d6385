// Pictures with holes, which diffusion models draw anew.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "infer/infer.h"

namespace atelier {

struct Inpainting {
  Dataset pictures;
  // Of pixels, row by row: 1 is drawn, 0 is kept. [1 or pictures, H*W]: one for all, or one each.
  std::vector<std::uint8_t> drawn;

  // The picture whose hole a seed draws: over and over, so that a seed has one wherever it stands.
  std::int64_t place_of(std::int32_t seed) const { return seed % pictures.size; }
  // Picture u8 [H,W,C] with its hole in the grey between black and white.
  std::vector<std::uint8_t> kept_of(std::int64_t index) const;
  std::span<const std::uint8_t> drawn_of(std::int64_t index) const;
};

// Reads pictures as `reading` says, and a mask of any format of pictures, or a set of them: white,
// or what is nearer to it than to black, is drawn. Error naming the file for pictures that the
// model does not take, and for masks of another size ("mask.png: a mask of 12x12, but the pictures
// are 16x16") or number.
Inpainting read_inpainting(const Loaded& model, const std::string& source, const std::string& mask,
                           const ReadOptions& reading);

using GivePainted = std::function<void(std::int64_t index, std::int32_t of_class,
                                       std::span<const std::uint8_t> picture)>;
// Draws the holes, each seed that of its picture: pictures u8 [H,W,C], as
// Loaded::sample gives them, and their classes, the number of classes being none. What is kept
// comes out as it was. Pictures are of the classes that classes_of_pictures() says. `repeats`: as
// DiffuseOptions. Error naming the file if it is no diffusion model of pictures.
void inpaint(const Loaded& model, const Inpainting& given, std::int64_t repeats,
             std::span<const std::int32_t> seeds, const GivePainted& give, const SampleArgs& args);

}  // namespace atelier
