// PNM in its variants, and what is almost PNM.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

using Pixels = std::vector<std::uint8_t>;

Bytes pnm(std::string_view head, std::initializer_list<int> raster = {}) {
  Bytes bytes = bytes_of(head);
  for (int v : raster) bytes.push_back(std::byte(v));
  return bytes;
}
std::string refusal(std::span<const std::byte> bytes, const DecodeLimits& limits = {}) {
  return message_of([&] { decode_picture(bytes, limits); });
}

}  // namespace

TEST_CASE("plain and raw, grey and colour, of 1, 8 and 16 bits are read") {
  struct Case {
    Bytes bytes;
    std::int64_t height, width, channels;
    Pixels pixels;
  };
  const Case cases[] = {
      {pnm("P2\n3 2\n255\n0 1 2\n253 254 255\n"), 2, 3, 1, {0, 1, 2, 253, 254, 255}},
      {pnm("P2 2 1 1 0 1"), 1, 2, 1, {0, 255}},
      {pnm("P2\n2 2\n65535\n0 257 32896 65535\n"), 2, 2, 1, {0, 1, 128, 255}},
      {pnm("P3\n2 1\n15\n0 5 15 10 15 0\n"), 1, 2, 3, {0, 85, 255, 170, 255, 0}},
      {pnm("P5\n2 2\n255\n", {9, 10, 13, 35}), 2, 2, 1, {9, 10, 13, 35}},
      {pnm("P5\n2 1\n65535\n", {0x80, 0x80, 0xff, 0xff}), 1, 2, 1, {128, 255}},
      {pnm("P5\n2 1\n1023\n", {0x02, 0x00, 0x03, 0xff}), 1, 2, 1, {128, 255}},
      {pnm("P6\n1 2\n255\n", {1, 2, 3, 4, 5, 6}), 2, 1, 3, {1, 2, 3, 4, 5, 6}},
      {pnm("P6\n1 1\n65535\n", {1, 1, 2, 2, 3, 3}), 1, 1, 3, {1, 2, 3}},
      {pnm("P5 # by hand\n# width\n2\n#height\r\n\t1 #top\n255\n", {7, 8}), 1, 2, 1, {7, 8}},
      {pnm("P5\n1 1\n100\n", {50}), 1, 1, 1, {128}},
      {pnm("P1\n# a comment\n3 2\n101\n0 1 0"), 2, 3, 1, {0, 255, 0, 255, 0, 255}},
      {pnm("P1 2 1 1 0\n"), 1, 2, 1, {0, 255}},
      {pnm("P4\n3 2\n", {0xa0, 0x5f}), 2, 3, 1, {0, 255, 0, 255, 0, 255}},
      {pnm("P4 9 2\n", {0x00, 0x80, 0xff, 0x7f}),
       2,
       9,
       1,
       {255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255}}};
  for (const Case& c : cases) {
    Picture picture = decode_picture(c.bytes);
    CHECK(picture.height == c.height);
    CHECK(picture.width == c.width);
    CHECK(picture.channels == c.channels);
    CHECK(picture.pixels == c.pixels);
  }
}

TEST_CASE("a PNM cut anywhere is refused") {
  const Bytes cases[] = {pnm("P6\n2 2\n255\n", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}),
                         pnm("P5\n2 1\n65535\n", {1, 2, 3, 4}), pnm("P3\n1 2\n9\n1 2 3 4 5 6"),
                         pnm("P1\n3 2\n101010"), pnm("P4\n9 2\n", {1, 0, 2, 0})};
  for (const Bytes& whole : cases) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      if (refusal(std::span(whole).first(length)).empty()) FAIL_CHECK("cut to " << length);
    }
    CHECK(refusal(whole).empty());
  }
  CHECK(contains(refusal(std::span(cases[0]).first(15)), "truncated PNM picture"));
}

TEST_CASE("PNM headers that make no sense are refused by reason") {
  const std::pair<Bytes, const char*> cases[] = {
      {pnm("P5\n0 1\n255\n", {1}), "bad header"},
      {pnm("P5\n1 1\n0\n", {1}), "bad header"},
      {pnm("P5\n1 1\n65536\n", {1, 1}), "bad header"},
      {pnm("P5\n-1 1\n255\n", {1}), "a number is missing"},
      {pnm("P5\nx 1\n255\n", {1}), "a number is missing"},
      {pnm("P5\n99999999999999999999 1\n255\n", {1}), "a number is too large"},
      {pnm("P5\n17000 1\n255\n", {1}), "oversized picture: 17000x1"},
      {pnm("P6\n16000 16000\n255\n", {1}), "oversized picture: 16000x16000"},
      {pnm("P5\n1 1\n100\n", {101}), "a value above its maximum"},
      {pnm("P2\n1 1\n9\n10\n"), "a value above its maximum"},
      {pnm("P1\n2 1\n02"), "a value above its maximum"},
      {pnm("P1\n2 1\n0x"), "a number is missing"},
      {pnm("P4\n0 1\n", {1}), "bad header"},
      {pnm("P4\n16000 16000\n", {1}), "oversized picture: 16000x16000"},
      {pnm("P8\n8 1\n", {1}), "not a picture that is read (PNG, JPEG, WebP, BMP, PNM)"},
      {pnm("P7\nWIDTH 1\n"), "not a picture that is read"},
      {pnm("P5"), "not a picture that is read"},
      {Bytes{}, "the file is empty"}};
  for (const auto& [bytes, want] : cases) {
    std::string message = refusal(bytes);
    CAPTURE(message);
    CHECK(contains(message, want));
  }
}

TEST_CASE("what is written as PNM is read as it was") {
  for (std::int64_t channels : {1, 3}) {
    Picture picture{2, 3, channels, Pixels(std::size_t(6 * channels), 35)};
    picture.pixels[0] = 10;
    Picture back = decode_picture(encode_pnm(picture));
    CHECK(back.pixels == picture.pixels);
    CHECK(back.width == 3);
  }
  CHECK(contains(message_of([] { encode_pnm({1, 1, 4, Pixels(4)}); }), "1 or 3 channels, not 4"));
}
