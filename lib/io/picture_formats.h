// The decoders behind decode_picture(), one a format; inside io only.
#pragma once

#include "io/image.h"

namespace atelier {

Picture decode_png(std::span<const std::byte> bytes, const DecodeLimits& limits);
Picture decode_pnm(std::span<const std::byte> bytes, const DecodeLimits& limits);
// JPEG, WebP and BMP through the module atelier-decode.so, opened at the first call.
Picture decode_by_module(std::span<const std::byte> bytes, const DecodeLimits& limits);

// EXIF orientation 1..8 of a TIFF block; 1 if there is none.
int exif_orientation(std::span<const std::byte> tiff);
Picture oriented(Picture picture, int orientation);

}  // namespace atelier
