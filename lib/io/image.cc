// Telling formats apart, limits before decoding, EXIF rotation, backgrounds, grids.
#include "io/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "io/picture_formats.h"

namespace atelier {
namespace {

std::uint8_t at(std::span<const std::byte> b, std::size_t i) {
  return i < b.size() ? std::to_integer<std::uint8_t>(b[i]) : 0;
}
std::uint32_t big(std::span<const std::byte> b, std::size_t i, int n) {
  std::uint32_t v = 0;
  for (int k = 0; k < n; ++k) v = v << 8 | at(b, i + std::size_t(k));
  return v;
}
std::uint32_t small(std::span<const std::byte> b, std::size_t i, int n) {
  std::uint32_t v = 0;
  for (int k = n - 1; k >= 0; --k) v = v << 8 | at(b, i + std::size_t(k));
  return v;
}
bool starts(std::span<const std::byte> b, std::string_view magic, std::size_t from = 0) {
  return b.size() >= from + magic.size() &&
         std::memcmp(b.data() + from, magic.data(), magic.size()) == 0;
}

struct Header {
  std::int64_t width = 0, height = 0;
  int orientation = 1;
};

// The chunk IHDR, which comes first.
std::optional<Header> png_header(std::span<const std::byte> b) {
  if (b.size() < 24) throw Error("truncated PNG picture");
  if (!starts(b, "IHDR", 12)) return std::nullopt;
  return Header{big(b, 16, 4), big(b, 20, 4)};
}

// Walks the markers of a JPEG up to the frame header.
std::optional<Header> jpeg_header(std::span<const std::byte> b) {
  Header header;
  for (std::size_t i = 2; i + 9 < b.size();) {
    if (at(b, i) != 0xff) return std::nullopt;
    int marker = at(b, i + 1);
    if (marker == 0xff) {
      ++i;
      continue;
    }
    std::size_t length = big(b, i + 2, 2);
    if (marker == 0xe1 && starts(b, std::string_view("Exif\0\0", 6), i + 4) &&
        i + 2 + length <= b.size() && length > 8) {
      header.orientation = exif_orientation(b.subspan(i + 10, length - 8));
    }
    bool frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) {
      header.height = big(b, i + 5, 2);
      header.width = big(b, i + 7, 2);
      return header;
    }
    if (length < 2) return std::nullopt;
    i += 2 + length;
  }
  return std::nullopt;
}

// The chunk EXIF of an extended WebP, which some writers begin as JPEG does.
int webp_orientation(std::span<const std::byte> b) {
  for (std::size_t i = 12; i + 8 <= b.size();) {
    std::size_t length = small(b, i + 4, 4);
    if (starts(b, "EXIF", i)) {
      std::span<const std::byte> block = b.subspan(i + 8);
      block = block.first(std::min(length, block.size()));
      if (starts(block, std::string_view("Exif\0\0", 6))) block = block.subspan(6);
      return exif_orientation(block);
    }
    i += 8 + length + length % 2;
  }
  return 1;
}

std::optional<Header> webp_header(std::span<const std::byte> b) {
  if (starts(b, "VP8X", 12))
    return Header{1 + std::int64_t(small(b, 24, 3)), 1 + std::int64_t(small(b, 27, 3)),
                  webp_orientation(b)};
  if (starts(b, "VP8L", 12)) {
    std::uint32_t bits = small(b, 21, 4);
    return Header{1 + std::int64_t(bits & 0x3fff), 1 + std::int64_t(bits >> 14 & 0x3fff)};
  }
  if (starts(b, "VP8 ", 12)) return Header{small(b, 26, 2) & 0x3fff, small(b, 28, 2) & 0x3fff};
  return std::nullopt;
}

std::optional<Header> bmp_header(std::span<const std::byte> b) {
  if (b.size() < 26) return std::nullopt;
  if (small(b, 14, 4) == 12) return Header{small(b, 18, 2), small(b, 20, 2)};
  return Header{std::abs(std::int64_t(std::int32_t(small(b, 18, 4)))),
                std::abs(std::int64_t(std::int32_t(small(b, 22, 4))))};
}

std::optional<Header> header_of(PictureFormat format, std::span<const std::byte> b) {
  switch (format) {
    case PictureFormat::png:
      return png_header(b);
    case PictureFormat::jpeg:
      return jpeg_header(b);
    case PictureFormat::webp:
      return webp_header(b);
    case PictureFormat::bmp:
      return bmp_header(b);
    default:
      return std::nullopt;
  }
}

void check_limits(const Header& header, const DecodeLimits& limits) {
  if (header.width < 1 || header.height < 1) throw Error("broken picture: it has no size");
  if (header.width > limits.max_side || header.height > limits.max_side ||
      header.width * header.height > limits.max_pixels) {
    throw Error(fmt::format("oversized picture: {}x{}, at most {} pixels and {} a side",
                            header.width, header.height, limits.max_pixels, limits.max_side));
  }
}

// A decoder returns what it could of a cut picture; its ends are looked at here.
void check_whole(PictureFormat format, std::span<const std::byte> b) {
  if (format == PictureFormat::jpeg) {
    std::size_t end = b.size();
    while (end > 2 && at(b, end - 1) == 0) --end;  // padding after the end marker is harmless
    if (end < 4 || at(b, end - 2) != 0xff || at(b, end - 1) != 0xd9)
      throw Error("truncated JPEG picture: no end marker");
  }
  if (format == PictureFormat::webp && b.size() < 8 + std::size_t(small(b, 4, 4)))
    throw Error("truncated WebP picture");
  if (format == PictureFormat::bmp && b.size() < small(b, 2, 4))
    throw Error("truncated BMP picture");
}

}  // namespace

PictureFormat sniff_picture(std::span<const std::byte> b) {
  if (starts(b, "\x89PNG\r\n\x1a\n")) return PictureFormat::png;
  if (starts(b, "\xff\xd8\xff")) return PictureFormat::jpeg;
  if (starts(b, "RIFF") && starts(b, "WEBP", 8)) return PictureFormat::webp;
  if (starts(b, "BM") && b.size() > 26 && small(b, 6, 4) == 0) return PictureFormat::bmp;
  bool pnm = b.size() > 2 && at(b, 0) == 'P' && at(b, 1) >= '1' && at(b, 1) <= '6';
  if (pnm && std::isspace(at(b, 2))) return PictureFormat::pnm;
  return PictureFormat::unknown;
}

Picture decode_picture(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  if (bytes.empty()) throw Error("the file is empty");
  if (std::int64_t(bytes.size()) > limits.max_bytes)
    throw Error(
        fmt::format("oversized file: {} bytes, at most {}", bytes.size(), limits.max_bytes));
  PictureFormat format = sniff_picture(bytes);
  if (format == PictureFormat::unknown)
    throw Error("not a picture that is read (PNG, JPEG, WebP, BMP, PNM)");
  if (format == PictureFormat::pnm) return decode_pnm(bytes, limits);
  std::optional<Header> header = header_of(format, bytes);
  if (!header) throw Error("broken picture: its header cannot be read");
  check_limits(*header, limits);
  if (format == PictureFormat::png) return decode_png(bytes, limits);
  check_whole(format, bytes);
  return oriented(decode_by_module(bytes, limits), header->orientation);
}

int exif_orientation(std::span<const std::byte> b) {
  bool little = starts(b, "II");
  if (!little && !starts(b, "MM")) return 1;
  auto word = [&](std::size_t i, int n) { return little ? small(b, i, n) : big(b, i, n); };
  std::size_t directory = word(4, 4);
  for (std::uint32_t k = 0; directory + 2 < b.size() && k < word(directory, 2); ++k) {
    std::size_t entry = directory + 2 + 12 * std::size_t(k);
    if (entry + 12 > b.size()) break;
    if (word(entry, 2) == 0x0112) {
      int value = int(word(entry + 8, 2));
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 1;
}

// 2 mirrored, 3 half turn, 4 flipped, 5 transposed, 6 quarter turn right, 7 transverse, 8 left.
Picture oriented(Picture from, int orientation) {
  if (orientation <= 1 || orientation > 8) return from;
  bool swapped = orientation >= 5;
  Picture to{
      swapped ? from.width : from.height, swapped ? from.height : from.width, from.channels, {}};
  to.pixels.resize(from.pixels.size());
  for (std::int64_t y = 0; y < to.height; ++y) {
    for (std::int64_t x = 0; x < to.width; ++x) {
      std::int64_t sy = swapped ? x : y, sx = swapped ? y : x;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        sx = from.width - 1 - sx;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        sy = from.height - 1 - sy;
      std::copy_n(from.pixels.begin() + (sy * from.width + sx) * from.channels, from.channels,
                  to.pixels.begin() + (y * to.width + x) * to.channels);
    }
  }
  return to;
}

Picture make_grid(std::span<const std::uint8_t> pictures, std::int64_t count, std::int64_t height,
                  std::int64_t width, std::int64_t channels, std::int64_t columns,
                  std::int64_t gutter) {
  if (columns <= 0)
    columns = std::int64_t(std::ceil(std::sqrt(double(std::max<std::int64_t>(count, 1)))));
  columns = std::max<std::int64_t>(1, std::min(columns, std::max<std::int64_t>(count, 1)));
  std::int64_t rows = std::max<std::int64_t>(1, (count + columns - 1) / columns);
  std::int64_t shown = channels > 4 ? 3 : channels;
  Picture grid{rows * (height + gutter) + gutter, columns * (width + gutter) + gutter, shown, {}};
  grid.pixels.assign(std::size_t(grid.height * grid.width * shown), 255);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t top = i / columns * (height + gutter) + gutter,
                 left = i % columns * (width + gutter) + gutter;
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::uint8_t* from = pictures.data() + ((i * height + y) * width + x) * channels;
        std::copy_n(from, shown, grid.pixels.begin() + ((top + y) * grid.width + left + x) * shown);
      }
    }
  }
  return grid;
}

Picture over_background(const Picture& from, const std::uint8_t background[3]) {
  if (from.channels != 2 && from.channels != 4) return from;
  Picture to{from.height, from.width, from.channels - 1, {}};
  to.pixels.resize(std::size_t(to.height * to.width * to.channels));
  for (std::int64_t i = 0; i < from.height * from.width; ++i) {
    const std::uint8_t* p = from.pixels.data() + i * from.channels;
    int alpha = p[from.channels - 1];
    for (std::int64_t c = 0; c < to.channels; ++c) {
      to.pixels[std::size_t(i * to.channels + c)] =
          std::uint8_t((p[c] * alpha + background[c] * (255 - alpha) + 127) / 255);
    }
  }
  return to;
}

Picture with_channels(const Picture& from, std::int64_t channels) {
  if (from.channels == channels) return from;
  if ((from.channels != 1 && from.channels != 3) || (channels != 1 && channels != 3)) {
    throw Error(fmt::format("cannot turn {} channels into {}", from.channels, channels));
  }
  Picture to{from.height, from.width, channels, {}};
  for (std::int64_t i = 0; i < from.height * from.width; ++i) {
    const std::uint8_t* p = from.pixels.data() + i * from.channels;
    if (channels == 3) {
      to.pixels.insert(to.pixels.end(), 3, p[0]);
    } else {  // ITU-R 601-2 luma in Pillow's fixed point
      to.pixels.push_back(std::uint8_t((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16));
    }
  }
  return to;
}

}  // namespace atelier
