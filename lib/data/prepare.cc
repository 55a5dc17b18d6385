// Alpha, channels, size and crop of one picture after another.
#include "data/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "data/source.h"
#include "kernels/kernels.h"

namespace atelier {
namespace {

Filter parse_filter(const std::string& name) {
  constexpr std::array<std::pair<const char*, Filter>, 5> kFilters = {
      {{"nearest", Filter::nearest},
       {"box", Filter::box},
       {"bilinear", Filter::bilinear},
       {"bicubic", Filter::bicubic},
       {"lanczos", Filter::lanczos}}};
  for (const auto& [known, filter] : kFilters) {
    if (name == known) return filter;
  }
  throw UsageError(
      fmt::format("--filter '{}': expected nearest, box, bilinear, bicubic or lanczos", name));
}

Picture cut(const Picture& picture, std::int64_t top, std::int64_t left, std::int64_t height,
            std::int64_t width) {
  Picture part{.height = height, .width = width, .channels = picture.channels, .pixels = {}};
  part.pixels.reserve(std::size_t(height * width * part.channels));
  for (std::int64_t y = 0; y < height; ++y) {
    auto row = picture.pixels.begin() + ((top + y) * picture.width + left) * picture.channels;
    part.pixels.insert(part.pixels.end(), row, row + width * picture.channels);
  }
  return part;
}

Picture center_cut(const Picture& picture, std::int64_t height, std::int64_t width) {
  height = std::min(height, picture.height);
  width = std::min(width, picture.width);
  return cut(picture, (picture.height - height) / 2, (picture.width - width) / 2, height, width);
}

Picture resized(const Picture& picture, std::int64_t height, std::int64_t width, Filter filter) {
  if (picture.height == height && picture.width == width) return picture;
  Picture out{.height = height, .width = width, .channels = picture.channels, .pixels = {}};
  out.pixels.resize(std::size_t(height * width * out.channels));
  resample(out.pixels.data(), height, width, picture.pixels.data(), picture.height, picture.width,
           picture.channels, filter);
  return out;
}

// "a picture", "a vector", "a latent".
std::string one_of(bool real, bool latents) {
  std::string_view many = noun_of(real, latents);
  return fmt::format("a {}", many.substr(0, many.size() - 1));
}

}  // namespace

std::string shape_text(const Picture& picture) {
  return fmt::format("{}x{}x{}", picture.height, picture.width, picture.channels);
}

void parse_background(const std::string& text, std::uint8_t rgb[3]) {
  if (text == "white" || text == "black") {
    std::fill(rgb, rgb + 3, std::uint8_t(text == "white" ? 255 : 0));
    return;
  }
  std::string_view digits = text;
  if (digits.starts_with('#')) digits.remove_prefix(1);
  std::uint32_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 6 || error != std::errc{} || end != digits.data() + digits.size()) {
    throw UsageError(
        fmt::format("--background '{}': expected white, black or RRGGBB such as ff8000", text));
  }
  for (int i = 0; i < 3; ++i) rgb[i] = std::uint8_t(value >> (16 - 8 * i));
}

ValueRange parse_value_range(const std::string& text) {
  ValueRange range;
  const char* end = text.data() + text.size();
  auto [comma, low_error] = std::from_chars(text.data(), end, range.low);
  bool read = low_error == std::errc{} && comma != end && *comma == ',';
  if (read) {
    auto [last, high_error] = std::from_chars(comma + 1, end, range.high);
    read = high_error == std::errc{} && last == end;
  }
  if (!read || !std::isfinite(range.high - range.low) || range.low >= range.high) {
    throw UsageError(fmt::format(
        "--value-range '{}': expected LOW,HIGH with LOW below HIGH, such as -1,1 or 0,255", text));
  }
  return range;
}

Picture fit(Picture picture, std::int64_t height, std::int64_t width, const std::string& crop,
            const std::string& filter_name) {
  if (picture.height == height && picture.width == width) return picture;
  Filter filter = parse_filter(filter_name);
  if (crop == "none") return resized(picture, height, width, filter);
  // What can never be seen of a long strip is cut first, so that scaling it up stays cheap; the
  // margin is wider than any filter reaches.
  constexpr std::int64_t kMargin = 8;
  std::int64_t most_height =
      kMargin * std::max<std::int64_t>(1, picture.width * height / width + 1);
  std::int64_t most_width =
      kMargin * std::max<std::int64_t>(1, picture.height * width / height + 1);
  if (picture.height > most_height || picture.width > most_width) {
    picture = center_cut(picture, most_height, most_width);
  }
  double scale =
      std::max(double(height) / double(picture.height), double(width) / double(picture.width));
  std::int64_t scaled_height =
      std::max(height, std::int64_t(std::llround(double(picture.height) * scale)));
  std::int64_t scaled_width =
      std::max(width, std::int64_t(std::llround(double(picture.width) * scale)));
  return center_cut(resized(picture, scaled_height, scaled_width, filter), height, width);
}

void refuse_picture_options(const ReadOptions& options, const std::string& source,
                            std::string_view noun) {
  ReadOptions given = options, defaults;
  Attributes usual = to_attributes(defaults.fields());
  for (const BoundField& field : given.fields()) {
    constexpr std::array kOfPictures = {"image_size",     "image_height", "image_width",
                                        "crop",           "filter",       "background",
                                        "image_channels", "value_range"};
    bool of_pictures = std::ranges::find(kOfPictures, field.name) != kOfPictures.end();
    if (!of_pictures || field.value() == *find(usual, field.name)) continue;
    throw UsageError(
        fmt::format("{}: holds {}, {} goes with pictures", source, noun, field.flag()));
  }
}

Preparer::Preparer(const ReadOptions& options) : options_(options) {
  parse_background(options.background, background_);
  parse_filter(options.filter);
  parse_value_range(options.value_range);
  if (options.crop != "center" && options.crop != "none") {
    throw UsageError(fmt::format("--crop '{}': expected center or none", options.crop));
  }
  if (options.image_size > 0 && (options.image_height > 0 || options.image_width > 0)) {
    throw UsageError("--image-size goes without --image-height and --image-width");
  }
  target_height_ = options.image_height > 0 ? options.image_height : options.image_size;
  target_width_ = options.image_width > 0 ? options.image_width : options.image_size;
  if ((target_height_ > 0) != (target_width_ > 0)) {
    throw UsageError("--image-height and --image-width: expected both, or --image-size");
  }
}

void Preparer::convert_channels(Item& item, const std::string& where) {
  Picture& picture = item.picture;
  std::int64_t wanted = channels_ > 0 ? channels_ : options_.channels;
  bool has_alpha = !item.data_channels && (picture.channels == 2 || picture.channels == 4);
  if (has_alpha && wanted != picture.channels) picture = over_background(picture, background_);
  if (wanted == 0 || wanted == picture.channels) return;
  bool colour = (picture.channels == 1 || picture.channels == 3) && (wanted == 1 || wanted == 3);
  // Grey becomes RGB without loss; the other way only on request.
  if (colour && (wanted == 3 || options_.channels == 1)) {
    picture = with_channels(picture, wanted);
    return;
  }
  if (options_.channels > 0) {
    throw Error(
        fmt::format("{}: has {} channels and cannot have {}", where, picture.channels, wanted));
  }
  throw Error(fmt::format("{}: {}, but {} is {}x{}x{}{}", where, shape_text(picture), first_,
                          height_, width_, channels_,
                          colour ? "; give --image-channels 1 or 3" : ""));
}

void Preparer::require_kept(const Item& item, const std::string& where) const {
  const Picture& picture = item.picture;
  if (keeps(picture.height, picture.width, picture.channels)) return;
  throw Error(fmt::format(
      "{}: is f32 {}, which is used as it is: sizes and channels can be changed of u8 only", where,
      shape_text(picture)));
}

void Preparer::prepare(Item& item, const std::string& source) {
  Picture& picture = item.picture;
  const std::string where = place_of(source, item.name);
  bool first = channels_ == 0;
  if (!first && (item.real != real_ || item.latent != latents_)) {
    throw Error(fmt::format("{}: is {}, but {} is {}", where, one_of(item.real, item.latent),
                            first_, one_of(real_, latents_)));
  }
  if (!first && item.dtype() != dtype_) {
    throw Error(
        fmt::format("{}: is {}, but {} is {}", where, name(item.dtype()), first_, name(dtype_)));
  }
  if (item.dtype() == DType::f32) {
    require_kept(item, where);
  } else {
    convert_channels(item, where);
    if (target_height_ > 0) {
      picture =
          fit(std::move(picture), target_height_, target_width_, options_.crop, options_.filter);
    }
  }
  if (first) {
    adopt(picture.height, picture.width, picture.channels, item.dtype(), where, item.real,
          item.latent);
  } else if (picture.height != height_ || picture.width != width_ ||
             picture.channels != channels_) {
    if (real_ && !latents_) {
      throw Error(fmt::format("{}: is a vector of {}, but {} is of {}", where, picture.channels,
                              first_, channels_));
    }
    throw Error(fmt::format("{}: {}, but {} is {}x{}x{}{}", where, shape_text(picture), first_,
                            height_, width_, channels_,
                            dtype_ == DType::u8 ? "; give --image-size" : ""));
  }
}

void Preparer::adopt(std::int64_t height, std::int64_t width, std::int64_t channels, DType dtype,
                     std::string name, bool real, bool latents) {
  height_ = height;
  width_ = width;
  channels_ = channels;
  dtype_ = dtype;
  first_ = std::move(name);
  real_ = real;
  latents_ = latents;
}

Attributes Preparer::attributes() const {
  if (real_) return {};
  // In order of names, as files give them back: a set is described alike before and after packing.
  Attributes made = {
      {"background", options_.background}, {"channels", channels_},   {"crop", options_.crop},
      {"filter", options_.filter},         {"image_height", height_}, {"image_width", width_}};
  if (dtype_ == DType::f32 && parse_value_range(options_.value_range) != ValueRange{}) {
    made.emplace_back("value_range", options_.value_range);
  }
  return made;
}

bool Preparer::keeps(std::int64_t height, std::int64_t width, std::int64_t channels) const {
  return (target_height_ == 0 || (target_height_ == height && target_width_ == width)) &&
         (options_.channels == 0 || options_.channels == channels);
}

}  // namespace atelier
