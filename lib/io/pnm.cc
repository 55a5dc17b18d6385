// PBM, PGM and PPM, plain and raw, 1, 8 and 16 bits.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "io/picture_formats.h"

namespace atelier {
namespace {

// Numbers of the header (and of plain pictures), with comments.
class Tokens {
 public:
  Tokens(std::span<const std::byte> bytes, std::size_t at) : bytes_(bytes), at_(at) {}
  std::int64_t number() {
    find_digit();
    std::int64_t value = 0;
    while (at_ < bytes_.size() && std::isdigit(peek())) {
      value = value * 10 + (peek() - '0');
      if (value > (1 << 30)) throw Error("broken PNM picture: a number is too large");
      ++at_;
    }
    return value;
  }
  // Of a plain PBM, whose bits need no space between them.
  bool bit() {
    find_digit();
    int digit = peek();
    if (digit != '0' && digit != '1') throw Error("broken PNM picture: a value above its maximum");
    ++at_;
    return digit == '1';
  }
  std::size_t position() const { return at_; }

 private:
  void find_digit() {
    while (at_ < bytes_.size() && (std::isspace(peek()) || peek() == '#')) {
      if (peek() == '#') {
        while (at_ < bytes_.size() && peek() != '\n') ++at_;
      } else {
        ++at_;
      }
    }
    if (at_ >= bytes_.size()) throw Error("truncated PNM picture");
    if (!std::isdigit(peek())) throw Error("broken PNM picture: a number is missing");
  }
  int peek() const { return std::to_integer<int>(bytes_[at_]); }
  std::span<const std::byte> bytes_;
  std::size_t at_;
};

// A set bit is black. Raw rows start at a byte, the leftmost pixel in its highest bit.
void read_bits(std::span<const std::byte> bytes, Tokens& tokens, bool plain, Picture& picture) {
  auto put = [&](bool black) { picture.pixels.push_back(black ? 0 : 255); };
  if (plain) {
    for (std::int64_t i = 0; i < picture.width * picture.height; ++i) put(tokens.bit());
    return;
  }
  std::size_t at = tokens.position() + 1, row = std::size_t(picture.width + 7) / 8;
  if (bytes.size() < at || bytes.size() - at < row * std::size_t(picture.height))
    throw Error("truncated PNM picture");
  for (std::int64_t y = 0; y < picture.height; ++y, at += row) {
    for (std::int64_t x = 0; x < picture.width; ++x)
      put(std::to_integer<int>(bytes[at + std::size_t(x / 8)]) >> (7 - x % 8) & 1);
  }
}

}  // namespace

Picture decode_pnm(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  int kind = std::to_integer<int>(bytes[1]) - '0';
  Tokens tokens(bytes, 2);
  Picture picture;
  picture.width = tokens.number();
  picture.height = tokens.number();
  bool bits = kind == 1 || kind == 4;
  std::int64_t top = bits ? 1 : tokens.number();
  picture.channels = kind == 3 || kind == 6 ? 3 : 1;
  if (picture.width < 1 || picture.height < 1 || top < 1 || top > 65535)
    throw Error("broken PNM picture: bad header");
  if (picture.width > limits.max_side || picture.height > limits.max_side ||
      picture.width * picture.height > limits.max_pixels) {
    throw Error(fmt::format("oversized picture: {}x{}, at most {} pixels and {} a side",
                            picture.width, picture.height, limits.max_pixels, limits.max_side));
  }
  std::size_t count = std::size_t(picture.width * picture.height * picture.channels);
  auto scaled = [top](std::int64_t v) {
    if (v > top) throw Error("broken PNM picture: a value above its maximum");
    return std::uint8_t(top == 255 ? v : (v * 255 + top / 2) / top);
  };
  picture.pixels.reserve(count);
  if (bits) {
    read_bits(bytes, tokens, kind == 1, picture);
    return picture;
  }
  if (kind <= 3) {
    for (std::size_t i = 0; i < count; ++i) picture.pixels.push_back(scaled(tokens.number()));
    return picture;
  }
  std::size_t at = tokens.position() + 1, width = top > 255 ? 2 : 1;
  if (bytes.size() < at || bytes.size() - at < count * width) throw Error("truncated PNM picture");
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t v = std::to_integer<std::int64_t>(bytes[at + i * width]);
    if (width == 2) v = v << 8 | std::to_integer<std::int64_t>(bytes[at + i * 2 + 1]);
    picture.pixels.push_back(scaled(v));
  }
  return picture;
}

std::vector<std::byte> encode_pnm(const Picture& picture) {
  if (picture.channels != 1 && picture.channels != 3)
    throw Error(fmt::format("PNM holds 1 or 3 channels, not {}", picture.channels));
  std::string header = fmt::format("P{}\n{} {}\n255\n", picture.channels == 1 ? 5 : 6,
                                   picture.width, picture.height);
  std::vector<std::byte> out;
  auto append = [&](std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
  };
  append(std::as_bytes(std::span(header)));
  append(std::as_bytes(std::span(picture.pixels)));
  return out;
}

}  // namespace atelier
