// Noise, pixels and padding.
#include "infer/rows.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/pixels.h"

namespace atelier {
namespace {

std::uint8_t as_pixel(float value) {
  return std::uint8_t(std::lround(255 * std::clamp(value, 0.0f, 1.0f)));
}

}  // namespace

std::vector<std::uint8_t> as_pixels(std::span<const float> values) {
  std::vector<std::uint8_t> pixels(values.size());
  std::transform(values.begin(), values.end(), pixels.begin(), as_pixel);
  return pixels;
}

void write_noise(Plan& plan, std::span<const std::int32_t> ids, std::int64_t seed) {
  if (!plan.has_input("ids")) return;
  std::ranges::copy(ids, plan.input<std::int32_t>("ids").begin());
  const std::int32_t clock[] = {std::int32_t(seed & 0xffffffff), std::int32_t(seed >> 32), 0};
  std::ranges::copy(clock, plan.input<std::int32_t>("clock").begin());
}

double normalize(std::span<float> row) {
  double square = 0;
  for (float v : row) square += double(v) * v;
  if (!(square > 0) || !std::isfinite(square)) return square;
  double length = std::sqrt(square);
  for (float& v : row) v = float(v / length);
  return square;
}

void write_pictures(Plan& plan, std::span<const Item> items, std::span<const std::int64_t> places,
                    Binarize how) {
  std::span<float> image = plan.input("image");
  std::size_t rows = std::size_t(plan.input_type("image").shape[0]), row = image.size() / rows;
  std::vector<std::int32_t> ids(rows, std::int32_t(places[0]));
  std::vector<std::byte> picture;
  for (std::size_t i = 0; i < rows; ++i) {
    std::span<float> into = image.subspan(i * row, row);
    if (i >= items.size()) {
      std::ranges::copy(image.first(row), into.begin());
      continue;
    }
    std::span<const std::byte> bytes = items[i].bytes();
    picture.assign(bytes.begin(), bytes.end());
    binarize(how, /*seed=*/0, places[i], /*epoch=*/0, items[i].dtype(), picture);
    to_floats(picture, items[i].dtype(), into);
    ids[i] = std::int32_t(places[i]);
  }
  write_noise(plan, ids);
}

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

std::vector<std::uint8_t> picture_of(const Loaded& model, std::span<const float> values) {
  if (all_finite(values)) return as_pixels(values);
  throw Error(model.name() + ": makes pictures that are not finite");
}

}  // namespace atelier
