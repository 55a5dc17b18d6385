// JPEG, WebP and BMP through the decoder module: turned, cut, disguised, oversized.
//
// The small pictures below were written by OpenCV once: 24x16 pixels in six blocks of 8x8.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "io/picture_formats.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

constexpr std::string_view kGreyJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb00430001010101010101010101010101010101010101"
    "0101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"
    "01ffc0000b080010001801011100ffc400150001010000000000000000000000000000090bffc40014100100"
    "000000000000000000000000000000ffda0008010100003f009ff9e03c0780a01187ffd9";
constexpr std::string_view kProgressiveJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb00430001010101010101010101010101010101010101"
    "0101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"
    "01ffc2000b080010001801011100ffc400150001010000000000000000000000000000080affda0008010100"
    "0000019ff783c1e0a0467fffc40014100100000000000000000000000000000020ffda00080101000105025f"
    "ffc40014100100000000000000000000000000000020ffda0008010100063f025fffc4001410010000000000"
    "0000000000000000000020ffda0008010100013f215fffda000801010000001003ffc4001410010000000000"
    "0000000000000000000020ffda0008010100013f105fffd9";
constexpr std::string_view kColourJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb00430001010101010101010101010101010101010101"
    "0101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"
    "01ffdb0043010101010101010101010101010101010101010101010101010101010101010101010101010101"
    "0101010101010101010101010101010101010101010101010101ffc000110800100018030122000211010311"
    "01ffc400180000030101000000000000000000000000000a0b0809ffc4001410010000000000000000000000"
    "0000000000ffc4001701000301000000000000000000000000000708090affc4002a1100010104060b000000"
    "0000000000000017150016196502081421246709184445687677a5a7e4e7ffda000c03010002110311003f00"
    "e2f9940cc0877a00d58694459f7b83c1d76b305e220aff0024242439133b7a9ec562c594b4e7518af6abb781"
    "0086ccd27aca423e9ca1210e670a6b1bbd3f1dba02e201bfa8e670bbe6cf91b2b2339df6df7dbfffd9";
constexpr std::string_view kColourWebp =
    "5249464642000000574542505650384c360000002f17c003002f201048da1f7a8df9171014f93fdafc07b245"
    "c2664008c956524821851452c85fe803ec45f43f5e75b0ab99b75af89809";
constexpr std::string_view kAlphaWebp =
    "524946464a000000574542505650384c3e0000002f17c003102f201048da1f7a0d014191ffa309088afc1f4d"
    "405074dd72c12f8df430034248b692420a29a49042fe421f602fa2ff71b0ab8599afbad5c74c";
constexpr std::string_view kLossyWebp =
    "524946465800000057454250565038204c000000b002009d012a1800100000000025a00274bc09e01f801fa0"
    "1fc80089270000fef9c5fffff4db63fffffbab27ffff2c3741e5f23fffe279eca698ffdfd87fffffbb4456f6"
    "d3013ac6dbbd0000";

constexpr std::uint8_t kGreys[6] = {0, 60, 120, 180, 220, 255};
constexpr std::uint8_t kColours[6][3] = {{255, 0, 0},   {0, 255, 0}, {0, 0, 255},
                                         {255, 255, 0}, {0, 0, 0},   {255, 255, 255}};

std::uint8_t wanted(std::int64_t channels, std::int64_t y, std::int64_t x, std::int64_t c) {
  std::int64_t block = y / 8 * 3 + x / 8;
  if (channels == 1) return kGreys[block];
  return c == 3 ? (y < 8 ? 255 : 128) : kColours[block][c];
}

// The largest difference of any value.
int error_of(const Picture& picture, std::int64_t channels) {
  REQUIRE(picture.height == 16);
  REQUIRE(picture.width == 24);
  REQUIRE(picture.channels == channels);
  int worst = 0;
  for (std::int64_t i = 0; i < 16 * 24 * channels; ++i) {
    int want = wanted(channels, i / channels / 24, i / channels % 24, i % channels);
    worst = std::max(worst, std::abs(want - picture.pixels[std::size_t(i)]));
  }
  return worst;
}

// Rows from the bottom, BGR, padded to words.
Bytes bmp(std::int64_t width, std::int64_t height, int channels = 3) {
  std::int64_t stride = (width * channels + 3) / 4 * 4, palette = channels == 1 ? 1024 : 0;
  Bytes b(std::size_t(54 + palette + stride * height));
  auto put = [&](std::size_t at, std::int64_t v, int n) {
    for (int i = 0; i < n; ++i) b[at + std::size_t(i)] = std::byte(v >> (8 * i));
  };
  b[0] = std::byte('B'), b[1] = std::byte('M');
  put(2, std::int64_t(b.size()), 4), put(10, 54 + palette, 4), put(14, 40, 4);
  put(18, width, 4), put(22, height, 4), put(26, 1, 2), put(28, 8 * channels, 2);
  for (std::int64_t i = 0; i < palette; ++i) b[std::size_t(54 + i)] = std::byte(i / 4);
  for (std::int64_t i = 0; i < height * width * channels; ++i) {
    std::int64_t y = i / channels / width, x = i / channels % width, c = i % channels;
    b[std::size_t(54 + palette + (height - 1 - y) * stride + x * channels + c)] =
        std::byte(wanted(channels, y, x, channels - 1 - c));
  }
  return b;
}

// A JPEG with EXIF in front, in either byte order.
Bytes turned_jpeg(int turn, bool little) {
  Bytes tiff = little ? from_hex("49492a00080000000100120103000100000000000000")
                      : from_hex("4d4d002a0000000800010112000300000001000000000000");
  tiff[little ? 18 : 19] = std::byte(turn);
  Bytes whole = from_hex(kGreyJpeg), out = from_hex("ffd8ffe1");
  std::size_t length = 2 + 6 + tiff.size();
  out.push_back(std::byte(length >> 8));
  out.push_back(std::byte(length));
  for (char c : std::string_view("Exif\0\0", 6)) out.push_back(std::byte(c));
  out.insert(out.end(), tiff.begin(), tiff.end());
  out.insert(out.end(), whole.begin() + 2, whole.end());
  return out;
}

// The extended form of WebP: VP8X, the picture, EXIF.
Bytes turned_webp(int turn) {
  Bytes plain = from_hex(kColourWebp), out(plain.begin(), plain.begin() + 12);
  auto chunk = [&](const char* name, const Bytes& content) {
    for (int i = 0; i < 4; ++i) out.push_back(std::byte(name[i]));
    for (int i = 0; i < 4; ++i) out.push_back(std::byte(content.size() >> (8 * i)));
    out.insert(out.end(), content.begin(), content.end());
    if (content.size() % 2) out.push_back(std::byte{0});
  };
  chunk("VP8X", from_hex("080000001700000f0000"));
  out.insert(out.end(), plain.begin() + 12, plain.end());
  Bytes tiff = from_hex("49492a00080000000100120103000100000000000000");
  tiff[18] = std::byte(turn);
  chunk("EXIF", tiff);
  for (int i = 0; i < 4; ++i) out[std::size_t(4 + i)] = std::byte((out.size() - 8) >> (8 * i));
  return out;
}

std::string refusal(std::span<const std::byte> bytes, const DecodeLimits& limits = {}) {
  return message_of([&] { decode_picture(bytes, limits); });
}

}  // namespace

TEST_CASE("JPEG, WebP and BMP are read as RGB, grey stays grey, alpha stays alpha") {
  CHECK(error_of(decode_picture(from_hex(kGreyJpeg)), 1) <= 1);
  CHECK(error_of(decode_picture(from_hex(kProgressiveJpeg)), 1) <= 1);
  CHECK(error_of(decode_picture(from_hex(kColourWebp)), 3) == 0);
  CHECK(error_of(decode_picture(from_hex(kAlphaWebp)), 4) == 0);
  CHECK(error_of(decode_picture(bmp(24, 16)), 3) == 0);
  CHECK(error_of(decode_picture(bmp(24, 16, 1)), 1) == 0);
  // Colour at half the resolution smears over the borders of blocks; their middles are right.
  for (std::string_view hex : {kColourJpeg, kLossyWebp}) {
    Picture picture = decode_picture(from_hex(hex));
    REQUIRE(picture.channels == 3);
    for (int block = 0; block < 6; ++block) {
      std::int64_t y = block / 3 * 8 + 4, x = block % 3 * 8 + 4;
      for (std::int64_t c = 0; c < 3; ++c) {
        int got = picture.pixels[std::size_t((y * 24 + x) * 3 + c)];
        CHECK(std::abs(got - kColours[block][c]) <= 8);
      }
    }
  }
}

TEST_CASE("EXIF turns JPEG and WebP, by each of its eight values and in both byte orders") {
  Picture grey = decode_picture(from_hex(kGreyJpeg)),
          colour = decode_picture(from_hex(kColourWebp));
  for (int turn = 1; turn <= 8; ++turn) {
    CAPTURE(turn);
    Picture want = oriented(grey, turn);
    // The corner that each turn brings to the top left.
    const std::size_t corners[] = {0, 2, 5, 3, 0, 3, 5, 2};
    CHECK(std::abs(want.pixels[0] - kGreys[corners[turn - 1]]) <= 1);
    CHECK(want.width == (turn <= 4 ? 24 : 16));
    for (bool little : {true, false})
      CHECK(decode_picture(turned_jpeg(turn, little)).pixels == want.pixels);
    CHECK(decode_picture(turned_webp(turn)).pixels == oriented(colour, turn).pixels);
  }
  for (int nonsense : {0, 9, 255})
    CHECK(decode_picture(turned_jpeg(nonsense, true)).pixels == grey.pixels);
}

TEST_CASE("a JPEG, WebP or BMP cut at any byte is refused") {
  std::size_t cases = 0;
  const Bytes pictures[] = {from_hex(kGreyJpeg),   from_hex(kProgressiveJpeg),
                            from_hex(kColourJpeg), from_hex(kColourWebp),
                            from_hex(kLossyWebp),  bmp(24, 16),
                            turned_webp(6),        turned_jpeg(6, false)};
  for (const Bytes& whole : pictures) {
    for (std::size_t length = 0; length < whole.size(); ++length, ++cases) {
      if (refusal(std::span(whole).first(length)).empty())
        FAIL_CHECK("picture " << &whole - pictures << " cut to " << length);
    }
    CHECK(refusal(whole).empty());
  }
  fmt::print("summary: pictures: {} cut JPEG, WebP and BMP are refused\n", cases);
  Bytes padded = from_hex(kGreyJpeg);
  padded.resize(padded.size() + 5);
  CHECK(refusal(padded).empty());
  CHECK(contains(refusal(std::span(padded).first(100)), "truncated JPEG picture: no end marker"));
}

TEST_CASE("broken pictures are refused with the decoder's reason, or decoded") {
  std::size_t refused = 0, decoded = 0, guessed = 0;
  for (const Bytes& whole : {from_hex(kColourJpeg), from_hex(kLossyWebp), from_hex(kColourWebp),
                             turned_webp(3), bmp(5, 3)}) {
    Bytes bytes = whole;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (int bits : {0x01, 0x80, 0xff}) {
        bytes[at] ^= std::byte(bits);
        std::string message = refusal(bytes);
        ++(message.empty() ? decoded : refused);
        guessed += contains(message, "broken picture: Corrupt JPEG data: ");
        bytes[at] ^= std::byte(bits);
      }
    }
  }
  CHECK(refused > 100);
  CHECK(decoded > 100);
  CHECK(guessed > 50);  // OpenCV alone hands out what libjpeg made up for lost data
}

TEST_CASE("pictures that claim to be huge are refused before they are decoded") {
  Bytes jpeg = from_hex(kGreyJpeg);
  const Bytes frame = from_hex("ffc0000b08");
  auto at = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  REQUIRE(at != jpeg.end());
  std::fill(at + 5, at + 9, std::byte{0xff});
  CHECK(contains(refusal(jpeg), "oversized picture: 65535x65535, at most 64000000 pixels"));
  Bytes webp = turned_webp(1);
  std::fill(webp.begin() + 24, webp.begin() + 30, std::byte{0xff});
  CHECK(contains(refusal(webp), "oversized picture: 16777216x16777216"));
  Bytes large = bmp(2, 2);
  for (std::size_t i : {20u, 24u}) large[i] = std::byte{0x10};  // 2 + 2^20
  CHECK(contains(refusal(large), "oversized picture: 1048578x1048578"));
  DecodeLimits limits;
  limits.max_side = 20;
  CHECK(contains(refusal(from_hex(kColourWebp), limits), "oversized picture: 24x16"));
}

TEST_CASE("a picture is what its bytes say, and what no listed format is goes to no decoder") {
  CHECK(sniff_picture(from_hex(kGreyJpeg)) == PictureFormat::jpeg);
  CHECK(sniff_picture(from_hex(kColourWebp)) == PictureFormat::webp);
  CHECK(sniff_picture(bmp(1, 1)) == PictureFormat::bmp);
  const std::string_view strangers[] = {
      "474946383961",                // GIF
      "49492a00080000000000",        // TIFF
      "762f3101020000000000",        // OpenEXR
      "0000000c6a5020200d0a870a",    // JPEG 2000
      "4e49544630322e3130",          // NITF
      "3c3f786d6c2076657273696f6e",  // SVG and VRT
      "59a66a9500000001",            // Sun raster
      "233f52414449414e43450a",      // Radiance
      "524946460400000041564920",    // RIFF of another kind
  };
  for (std::string_view hex : strangers) {
    Bytes bytes = from_hex(hex);
    bytes.resize(300);
    CAPTURE(hex);
    CHECK(refusal(bytes) == "not a picture that is read (PNG, JPEG, WebP, BMP, PNM)");
  }
}
