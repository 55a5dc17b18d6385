// The C interface of the decoder module.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct DecodedPicture {
  std::int64_t height, width, channels;  // 1, 3 (RGB) or 4 (RGBA)
  std::uint8_t* pixels;
  void (*release)(std::uint8_t*);
};

// 0 and a picture without rotation applied, or 1 and a reason.
using DecodeFunction = int (*)(const void* bytes, std::size_t count, std::int64_t max_pixels,
                               DecodedPicture* picture, char* reason, std::size_t reason_bytes);
}
