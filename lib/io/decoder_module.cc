// Opens the decoder module at the first picture that needs it, so that no tool pays for its many
// libraries at start.
#include <fmt/format.h>

#include "base/error.h"
#include "base/module.h"
#include "io/decode/decode.h"
#include "io/picture_formats.h"

namespace atelier {
namespace {

DecodeFunction opened() {
  return reinterpret_cast<DecodeFunction>(
      open_module("atelier-decode.so", "atelier_decode", "the decoder of JPEG, WebP and BMP"));
}

}  // namespace

Picture decode_by_module(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  static const DecodeFunction decode = opened();
  DecodedPicture decoded{};
  char reason[256] = "";
  int status =
      decode(bytes.data(), bytes.size(), limits.max_pixels, &decoded, reason, sizeof reason);
  if (status != 0) throw Error(fmt::format("broken picture: {}", reason));
  Picture picture{decoded.height, decoded.width, decoded.channels, {}};
  picture.pixels.assign(decoded.pixels,
                        decoded.pixels + picture.height * picture.width * picture.channels);
  decoded.release(decoded.pixels);
  return picture;
}

}  // namespace atelier
