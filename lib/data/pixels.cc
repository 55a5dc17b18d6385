// Pixels as f32.
#include "data/pixels.h"

#include <cstring>

namespace atelier {

void to_floats(std::span<const std::byte> picture, DType dtype, std::span<float> into) {
  if (dtype == DType::f32) {
    std::memcpy(into.data(), picture.data(), picture.size());
  } else {
    for (std::size_t j = 0; j < into.size(); ++j) into[j] = float(picture[j]) / 255;
  }
}

PixelReader::PixelReader(const Dataset& dataset, Binarize binarize, std::int64_t seed)
    : dataset_(dataset),
      augmenter_(dataset, seed, /*hflip=*/false, /*crop_padding=*/0, binarize),
      picture_(std::size_t(dataset.row_bytes())) {}

std::int64_t PixelReader::row() const {
  return dataset_.height * dataset_.width * dataset_.channels;
}

void PixelReader::read(std::span<const std::int64_t> indices, std::span<float> into) {
  float* to = into.data();
  for (std::int64_t index : indices) {
    augmenter_.write(index, /*epoch=*/0, picture_);
    to_floats(picture_, dataset_.dtype, std::span(to, std::size_t(row())));
    to += row();
  }
}

}  // namespace atelier
