// Binarization, horizontal flips and padded random crops.
#include "data/augment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "base/random.h"

namespace atelier {
namespace {

constexpr std::uint64_t kFlipStream = stream_of("loader.hflip");
constexpr std::uint64_t kCropStream = stream_of("loader.crop");
constexpr std::uint64_t kBinarizeStream = stream_of("loader.binarize");
constexpr int kThreshold = 128;  // of 0..255

// The two values of a binary picture in its type: 0 and 255, or 0 and 1.
template <class T>
T binary(bool on) {
  return on ? T(std::is_same_v<T, std::uint8_t> ? 255 : 1) : T(0);
}

// Bernoulli(pixel / 255) from the word's upper 24 bits, exactly: 255 is always on, 0 never.
bool is_on(std::uint32_t word, std::uint8_t pixel) {
  return std::uint64_t(word >> 8) * 255 < std::uint64_t(pixel) << 24;
}
bool is_on(std::uint32_t word, float value) { return uniform_of(word) < value; }

template <class T>
void binarize(Binarize how, std::uint64_t seed, std::int64_t example, std::int64_t epoch,
              std::span<T> values) {
  if (how == Binarize::threshold) {
    constexpr T kScale = std::is_same_v<T, std::uint8_t> ? T(1) : T(255);
    for (T& value : values) value = binary<T>(value * kScale >= T(kThreshold));
    return;
  }
  // Step 0 is the sample drawn once; epochs follow.
  std::uint64_t step = how == Binarize::sample ? 0 : std::uint64_t(epoch) + 1;
  constexpr std::size_t kWords = 4;
  for (std::size_t first = 0; first < values.size(); first += kWords) {
    std::array<std::uint32_t, kWords> words = philox_block(
        seed, kBinarizeStream, step, std::uint32_t(example), std::uint32_t(first / kWords));
    for (std::size_t i = first; i < std::min(first + kWords, values.size()); ++i) {
      values[i] = binary<T>(is_on(words[i - first], values[i]));
    }
  }
}

}  // namespace

void binarize(Binarize how, std::uint64_t seed, std::int64_t example, std::int64_t epoch,
              DType dtype, std::span<std::byte> picture) {
  if (how == Binarize::none) return;
  if (dtype == DType::u8) {
    binarize(how, seed, example, epoch,
             std::span(reinterpret_cast<std::uint8_t*>(picture.data()), picture.size()));
  } else {
    binarize(how, seed, example, epoch,
             std::span(reinterpret_cast<float*>(picture.data()), picture.size() / sizeof(float)));
  }
}

Binarize parse_binarize(const std::string& text) {
  if (text == "none") return Binarize::none;
  if (text == "threshold") return Binarize::threshold;
  if (text == "sample") return Binarize::sample;
  if (text == "dynamic") return Binarize::dynamic;
  throw UsageError(
      fmt::format("--binarize '{}': expected none, threshold, sample or dynamic", text));
}

Augmenter::Augmenter(const Dataset& dataset, std::int64_t seed, bool hflip,
                     std::int64_t crop_padding, Binarize binarize)
    : dataset_(dataset),
      seed_(std::uint64_t(seed)),
      hflip_(hflip),
      crop_padding_(crop_padding),
      binarize_(binarize),
      scratch_(std::size_t(dataset.row_bytes())) {
  const char* flag = hflip                        ? "--hflip"
                     : crop_padding > 0           ? "--crop-padding"
                     : binarize != Binarize::none ? "--binarize"
                                                  : nullptr;
  if (dataset.real && flag) {
    throw UsageError(
        fmt::format("{}: holds {}, {} goes with pictures", dataset.source, dataset.noun(), flag));
  }
  if (crop_padding >= std::max(dataset.height, dataset.width)) {
    throw UsageError(fmt::format("--crop-padding {}: expected less than the pictures, {}x{}",
                                 crop_padding, dataset.height, dataset.width));
  }
}

void Augmenter::move(std::int64_t example, std::int64_t epoch, std::span<const std::byte> from,
                     std::span<std::byte> into) const {
  std::uint32_t row = std::uint32_t(example);
  std::uint64_t step = std::uint64_t(epoch);
  bool flip = hflip_ && (random_word(seed_, kFlipStream, step, row, 0) >> 31) != 0;
  std::int64_t dy = 0, dx = 0;
  if (crop_padding_ > 0) {
    RandomStream random(seed_, kCropStream, step, row);
    std::uint64_t places = std::uint64_t(2 * crop_padding_ + 1);
    dy = std::int64_t(random.below(places)) - crop_padding_;
    dx = std::int64_t(random.below(places)) - crop_padding_;
  }
  std::int64_t height = dataset_.height, width = dataset_.width;
  std::size_t pixel = std::size_t(dataset_.channels) * size_of(dataset_.dtype);
  for (std::int64_t y = 0; y < height; ++y) {
    std::int64_t from_y = std::clamp<std::int64_t>(y + dy, 0, height - 1);
    const std::byte* line = from.data() + std::size_t(from_y * width) * pixel;
    std::byte* out = into.data() + std::size_t(y * width) * pixel;
    for (std::int64_t x = 0; x < width; ++x, out += pixel) {
      std::int64_t from_x = std::clamp<std::int64_t>((flip ? width - 1 - x : x) + dx, 0, width - 1);
      std::memcpy(out, line + std::size_t(from_x) * pixel, pixel);
    }
  }
}

void Augmenter::write(std::int64_t example, std::int64_t epoch, std::span<std::byte> into) {
  std::span<const std::byte> image = dataset_.image(example);
  bool moves = hflip_ || crop_padding_ > 0;
  std::span<std::byte> first = moves ? std::span(scratch_) : into;
  std::memcpy(first.data(), image.data(), image.size());
  binarize(binarize_, seed_, example, epoch, dataset_.dtype, first);
  if (moves) move(example, epoch, scratch_, into);
}

}  // namespace atelier
