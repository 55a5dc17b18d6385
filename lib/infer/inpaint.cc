// Pixels that are kept, pixels that are drawn.
#include "infer/inpaint.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "data/pixels.h"
#include "infer/classes.h"
#include "infer/diffuse.h"
#include "infer/rows.h"

namespace atelier {
namespace {

constexpr std::uint8_t kMiddle = 128;  // of grey: what is nearer to white is drawn

std::vector<std::uint8_t> read_masks(const Dataset& pictures, const std::string& source) {
  ReadOptions grey;
  grey.channels = 1;
  Dataset masks = read_dataset({&source, 1}, grey);
  if (masks.height != pictures.height || masks.width != pictures.width) {
    throw Error(fmt::format("{}: a mask of {}x{}, but the pictures are {}x{}", masks.source,
                            masks.height, masks.width, pictures.height, pictures.width));
  }
  if (masks.size != 1 && masks.size != pictures.size) {
    throw Error(fmt::format("{}: {} masks for the {} pictures of {}, expected one, or one each",
                            masks.source, masks.size, pictures.size, pictures.source));
  }
  std::vector<std::uint8_t> drawn;
  for (std::int64_t i = 0; i < masks.size; ++i) {
    for (std::uint8_t pixel : masks.picture(i)) drawn.push_back(pixel >= kMiddle);
  }
  return drawn;
}

}  // namespace

std::span<const std::uint8_t> Inpainting::drawn_of(std::int64_t index) const {
  auto size = std::size_t(pictures.height * pictures.width);
  return std::span(drawn).subspan(drawn.size() == size ? 0 : std::size_t(index) * size, size);
}

std::vector<std::uint8_t> Inpainting::kept_of(std::int64_t index) const {
  std::vector<std::uint8_t> pixels = pictures.picture(index);
  std::span<const std::uint8_t> hole = drawn_of(index);
  auto channels = std::size_t(pictures.channels);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    if (hole[i / channels]) pixels[i] = kMiddle;
  return pixels;
}

Inpainting read_inpainting(const Loaded& model, const std::string& source, const std::string& mask,
                           const ReadOptions& reading) {
  require_diffusion(model);
  Inpainting given{read_dataset({&source, 1}, reading), {}};
  const Dataset& set = given.pictures;
  if (set.size == 0) throw Error(set.source + ": holds no pictures");
  model.require_fit(set);
  given.drawn = read_masks(set, mask);
  return given;
}

void inpaint(const Loaded& model, const Inpainting& given, std::int64_t repeats,
             std::span<const std::int32_t> seeds, const GivePainted& give, const SampleArgs& args) {
  const Dataset& set = given.pictures;
  SampleArgs settled = args;
  settled.label = label_of_pictures(model, set, args.label);
  std::vector<std::int32_t> labels = classes_of_pictures(model, set, args.label);
  auto place_of = [&](std::int64_t index) { return given.place_of(seeds[std::size_t(index)]); };
  DiffuseOptions options{
      .start = {},
      .label = [&](std::int64_t index) { return labels[std::size_t(place_of(index))]; },
      .known =
          [&](std::int64_t index, std::span<float> picture, std::span<float> mask) {
            to_floats(set.image(place_of(index)), set.dtype, picture);
            std::ranges::transform(given.drawn_of(place_of(index)), mask.begin(),
                                   [](std::uint8_t drawn) { return drawn ? 0.0f : 1.0f; });
          },
      .repeats = repeats};
  diffuse(
      model, seeds,
      [&](std::int64_t index, std::span<const float> row) {
        give(index, labels[std::size_t(place_of(index))], picture_of(model, row));
      },
      settled, {}, options);
}

}  // namespace atelier
