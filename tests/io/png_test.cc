// PNG of every depth and colour type, whole and broken. libpng writes what is read here.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cmath>

#include "io/picture_formats.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

constexpr int kHeight = 9, kWidth = 11;  // more than one of each pass of interlacing

struct Kind {
  int depth, type;
  bool interlaced = false, transparent = false;
  int channels() const {
    constexpr int counts[] = {1, 0, 3, 1, 2, 0, 4};
    return counts[type];
  }
};

const Kind kKinds[] = {
    {1, PNG_COLOR_TYPE_GRAY},        {2, PNG_COLOR_TYPE_GRAY},      {4, PNG_COLOR_TYPE_GRAY},
    {8, PNG_COLOR_TYPE_GRAY},        {16, PNG_COLOR_TYPE_GRAY},     {8, PNG_COLOR_TYPE_RGB},
    {16, PNG_COLOR_TYPE_RGB},        {1, PNG_COLOR_TYPE_PALETTE},   {2, PNG_COLOR_TYPE_PALETTE},
    {4, PNG_COLOR_TYPE_PALETTE},     {8, PNG_COLOR_TYPE_PALETTE},   {8, PNG_COLOR_TYPE_GRAY_ALPHA},
    {16, PNG_COLOR_TYPE_GRAY_ALPHA}, {8, PNG_COLOR_TYPE_RGB_ALPHA}, {16, PNG_COLOR_TYPE_RGB_ALPHA}};

// Sample `c` of a pixel, in the range of the depth.
std::uint32_t sample(const Kind& kind, int y, int x, int c) {
  std::uint32_t v = std::uint32_t((y * kWidth + x) * 5 + c + 1) * 2654435761u >> 12;
  return v & ((1u << kind.depth) - 1);
}
png_color palette_colour(std::uint32_t i) {
  return {png_byte(i * 7), png_byte(255 - i), png_byte(i * 3 + 1)};
}

// Bits packed from the most significant, as in the file.
std::vector<png_byte> packed_row(const Kind& kind, int y) {
  std::vector<png_byte> row;
  std::uint32_t bits = 0;
  int have = 0;
  for (int x = 0; x < kWidth; ++x) {
    for (int c = 0; c < kind.channels(); ++c) {
      std::uint32_t v = sample(kind, y, x, c);
      if (kind.depth == 16) row.push_back(png_byte(v >> 8));
      if (kind.depth >= 8) {
        row.push_back(png_byte(v));
        continue;
      }
      bits = bits << kind.depth | v;
      have += kind.depth;
      if (have == 8) row.push_back(png_byte(bits)), have = 0;
    }
  }
  if (have) row.push_back(png_byte(bits << (8 - have)));
  return row;
}

void on_write(png_structp png, png_bytep from, png_size_t n) {
  auto* out = static_cast<Bytes*>(png_get_io_ptr(png));
  out->insert(out->end(), reinterpret_cast<std::byte*>(from),
              reinterpret_cast<std::byte*>(from) + n);
}

// `exif`: bytes of the chunk eXIf.
Bytes written(const Kind& kind, Bytes exif = {}) {
  Bytes out;
  std::vector<std::vector<png_byte>> rows;
  std::vector<png_bytep> pointers;
  for (int y = 0; y < kHeight; ++y) rows.push_back(packed_row(kind, y));
  for (auto& row : rows) pointers.push_back(row.data());
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &out, on_write, nullptr);
  png_set_IHDR(png, info, kWidth, kHeight, kind.depth, kind.type,
               kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_color palette[256];
  png_byte alpha[256];
  for (std::uint32_t i = 0; i < 256; ++i) {
    palette[i] = palette_colour(i);
    alpha[i] = png_byte(i * 11 + 3);
  }
  bool indexed = kind.type == PNG_COLOR_TYPE_PALETTE;
  if (indexed) png_set_PLTE(png, info, palette, 1 << kind.depth);
  png_color_16 clear{};
  clear.gray = clear.red = png_uint_16(sample(kind, 0, 0, 0));
  clear.green = png_uint_16(sample(kind, 0, 0, 1));
  clear.blue = png_uint_16(sample(kind, 0, 0, 2));
  if (kind.transparent) {
    png_set_tRNS(png, info, indexed ? alpha : nullptr, indexed ? 1 << kind.depth : 0,
                 indexed ? nullptr : &clear);
  }
  if (!exif.empty()) {
    png_set_eXIf_1(png, info, png_uint_32(exif.size()), reinterpret_cast<png_bytep>(exif.data()));
  }
  png_write_info(png, info);
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

// What the picture means in 8 bits, to the nearest.
std::vector<std::uint8_t> expected(const Kind& kind) {
  std::vector<std::uint8_t> pixels;
  bool indexed = kind.type == PNG_COLOR_TYPE_PALETTE;
  double top = double((1u << kind.depth) - 1);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      bool clear = true;
      for (int c = 0; c < kind.channels(); ++c) {
        std::uint32_t v = sample(kind, y, x, c);
        clear = clear && v == sample(kind, 0, 0, c);
        if (!indexed) pixels.push_back(std::uint8_t(std::lround(v * 255.0 / top)));
      }
      std::uint32_t index = sample(kind, y, x, 0);
      if (indexed) {
        png_color colour = palette_colour(index);
        pixels.insert(pixels.end(), {colour.red, colour.green, colour.blue});
      }
      if (kind.transparent)
        pixels.push_back(indexed ? std::uint8_t(index * 11 + 3) : clear ? 0 : 255);
    }
  }
  return pixels;
}

std::string refusal(std::span<const std::byte> bytes, const DecodeLimits& limits = {}) {
  return message_of([&] { decode_picture(bytes, limits); });
}

}  // namespace

TEST_CASE("PNG of every depth and colour type is read, interlaced or not, transparent or not") {
  int cases = 0;
  for (Kind kind : kKinds) {
    bool has_alpha = (kind.type & PNG_COLOR_MASK_ALPHA) != 0;
    for (int variant = 0; variant < (has_alpha ? 2 : 4); ++variant, ++cases) {
      kind.interlaced = variant & 1;
      kind.transparent = variant & 2;
      CAPTURE(kind.depth);
      CAPTURE(kind.type);
      CAPTURE(variant);
      Picture picture = decode_picture(written(kind));
      CHECK(picture.height == kHeight);
      CHECK(picture.width == kWidth);
      CHECK(picture.pixels == expected(kind));
    }
  }
  fmt::print("summary: pictures: {} forms of PNG\n", cases);
}

TEST_CASE("PNG is turned by its chunk eXIf") {
  Kind kind{8, PNG_COLOR_TYPE_RGB};
  for (int turn = 1; turn <= 8; ++turn) {
    Bytes exif = from_hex("49492a00080000000100120103000100000000000000");
    exif[18] = std::byte(turn);
    Picture want = oriented({kHeight, kWidth, 3, expected(kind)}, turn);
    Picture got = decode_picture(written(kind, exif));
    CHECK(got.height == want.height);
    CHECK(got.pixels == want.pixels);
  }
}

TEST_CASE("a PNG cut at any byte, or with any byte changed, is never taken for a whole one") {
  for (const Kind& kind : {Kind{8, PNG_COLOR_TYPE_RGB}, Kind{4, PNG_COLOR_TYPE_PALETTE, true}}) {
    Bytes whole = written(kind);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      std::string message = refusal(std::span(whole).first(length));
      if (message.empty()) FAIL_CHECK("cut to " << length);
    }
    std::vector<std::uint8_t> right = decode_picture(whole).pixels;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      whole[at] ^= std::byte{4};
      std::vector<std::uint8_t> pixels;
      std::string message = message_of([&] { pixels = decode_picture(whole).pixels; });
      if (message.empty() && pixels != right) FAIL_CHECK("byte " << at);
      whole[at] ^= std::byte{4};
    }
  }
  Bytes whole = written(kKinds[3]);
  CHECK(contains(refusal(std::span(whole).first(60)), "PNG picture: truncated"));
}

TEST_CASE("a PNG that claims to be huge is refused before memory is taken") {
  Bytes bytes = written({8, PNG_COLOR_TYPE_RGB});
  for (std::uint32_t side : {20000u, 16000u, 0x7fffffffu, 0xffffffffu, 0u}) {
    for (int byte = 0; byte < 4; ++byte)
      bytes[std::size_t(16 + byte)] = bytes[std::size_t(20 + byte)] =
          std::byte(side >> (24 - 8 * byte));
    std::string want =
        side == 0 ? "broken picture: it has no size"
                  : fmt::format("oversized picture: {}x{}, at most 64000000 pixels and 16384", side,
                                side);
    CHECK(contains(refusal(bytes), want));
  }
  DecodeLimits limits;
  limits.max_side = kWidth - 1;
  CHECK(contains(refusal(written(kKinds[3]), limits), "oversized picture: 11x9"));
  limits = {};
  limits.max_pixels = kWidth * kHeight - 1;
  CHECK(contains(refusal(written(kKinds[3]), limits), "oversized picture: 11x9"));
  limits = {};
  limits.max_bytes = 50;
  CHECK(contains(refusal(written(kKinds[3]), limits), "oversized file: "));
}

TEST_CASE("what is written as PNG is read as it was, with its texts") {
  for (std::int64_t channels : {1, 2, 3, 4}) {
    Picture picture{5, 7, channels, {}};
    for (std::int64_t i = 0; i < 35 * channels; ++i)
      picture.pixels.push_back(std::uint8_t(i * 73 + 5));
    Bytes bytes = encode_png(picture, {{"Software", "a test"}});
    Picture back = decode_picture(bytes);
    CHECK(back.channels == channels);
    CHECK(back.pixels == picture.pixels);
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    CHECK(contains(text, std::string_view("tEXtSoftware\0a test", 19)));
  }
  // Wider than libpng reads of its own accord.
  Picture wide{1, 1'000'001, 1, std::vector<std::uint8_t>(1'000'001, 7)};
  DecodeLimits limits;
  limits.max_side = wide.width;
  CHECK(decode_picture(encode_png(wide), limits).pixels == wide.pixels);
  CHECK(contains(message_of([] { encode_png({1, 1, 5, Picture{}.pixels}); }), "1 to 4 channels"));
}
