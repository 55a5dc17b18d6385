// Pixels as f32.
#include "data/pixels.h"

#include <cstring>

namespace atelier {

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
    if (dataset_.dtype == DType::f32) {
      std::memcpy(to, picture_.data(), picture_.size());
    } else {
      for (std::int64_t j = 0; j < row(); ++j) to[j] = float(picture_[std::size_t(j)]) / 255;
    }
    to += row();
  }
}

}  // namespace atelier
