// Pictures in memory, decoding, PNG and PNM writing, grids.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace atelier {

struct Picture {
  std::int64_t height = 0, width = 0, channels = 0;  // 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA
  std::vector<std::uint8_t> pixels;                  // [H,W,C]
};

struct DecodeLimits {
  std::int64_t max_pixels = 64'000'000, max_side = 16384, max_bytes = 256ll << 20;
};

enum class PictureFormat { png, jpeg, webp, bmp, pnm, unknown };
// By content, never by name.
PictureFormat sniff_picture(std::span<const std::byte> bytes);

// Decodes PNG and PNM here, the rest through the decoder module (opened at first need). EXIF
// rotation is applied. 16-bit pictures become 8-bit. Throws Error("reason") without a file name:
// broken, truncated (also JPEG), disguised, oversized (checked before decoding), unsupported.
Picture decode_picture(std::span<const std::byte> bytes, const DecodeLimits& limits = {});

using TextChunks = std::vector<std::pair<std::string, std::string>>;
std::vector<std::byte> encode_png(const Picture& picture, const TextChunks& text = {});
std::vector<std::byte> encode_pnm(const Picture& picture);  // PGM or PPM; alpha is refused

// Lays pictures of one shape out in rows of `columns` (0: nearly square) with a gutter of white.
// More than 4 channels are shown by their first three.
Picture make_grid(std::span<const std::uint8_t> pictures, std::int64_t count, std::int64_t height,
                  std::int64_t width, std::int64_t channels, std::int64_t columns = 0,
                  std::int64_t gutter = 2);

// Alpha over a background colour: 2 -> 1, 4 -> 3 channels.
Picture over_background(const Picture& picture, const std::uint8_t background[3]);
// Any to 1 or 3 channels (grey by the luma of Rec. 601, as Pillow).
Picture with_channels(const Picture& picture, std::int64_t channels);

}  // namespace atelier
