// The ends of PNG (ISO 15948), JPEG (ITU-T T.81, annex B), WebP (RIFF), BMP and PNM (netpbm).
#include "data/picture_bounds.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "io/image.h"

namespace atelier {
namespace {

class Bounds {
 public:
  Bounds(ByteReader& reader, std::size_t max_bytes) : reader_(reader), max_bytes_(max_bytes) {}

  std::size_t png() {
    constexpr std::size_t kSignature = 8, kChunkOverhead = 12;  // length, type, CRC
    std::size_t at = kSignature;
    for (;;) {
      bool last = std::memcmp(need(at + 8).data() + at + 4, "IEND", 4) == 0;
      at += kChunkOverhead + big_endian(at, 4);
      need(at);
      if (last) return at;
    }
  }

  std::size_t jpeg() {
    std::size_t at = 2;  // after the start marker
    for (;;) {
      if (byte(at) != 0xff) throw Error("is damaged (no JPEG marker where one must be)");
      std::uint8_t marker = byte(at + 1);
      if (marker == 0xff) {  // fill byte
        ++at;
        continue;
      }
      at += 2;
      if (marker == 0xd9) return at;                                       // end of image
      if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) continue;  // no segment follows
      at += big_endian(at, 2);
      if (marker == 0xda) at = after_scan(at);
    }
  }

  std::size_t webp() { return whole(8 + (little_endian(4) + 1) / 2 * 2); }
  std::size_t bmp() { return whole(little_endian(2)); }

  std::size_t pnm() {
    char kind = char(byte(1));
    at_ = 2;
    std::size_t width = number(), height = number();
    bool bits = kind == '1' || kind == '4';
    std::size_t largest = bits ? 1 : number();
    if (width > max_bytes_ || height > max_bytes_) throw Error("is larger than allowed");
    std::size_t samples = width * height * (kind == '3' || kind == '6' ? 3 : 1);
    if (samples > max_bytes_) throw Error("is larger than allowed");
    if (kind == '4') return whole(at_ + 1 + (width + 7) / 8 * height);
    if (kind == '5' || kind == '6') return whole(at_ + 1 + samples * (largest > 255 ? 2 : 1));
    if (kind == '1') throw Error("is plain PBM, which cannot be told apart in a stream");
    for (std::size_t i = 0; i < samples; ++i) number();
    return at_;
  }

 private:
  std::span<const std::byte> need(std::size_t bytes) {
    if (bytes > max_bytes_) throw Error(fmt::format("has more than {} bytes", max_bytes_));
    std::span<const std::byte> got = reader_.peek(bytes);
    if (got.size() < bytes) throw Error("is truncated");
    return got;
  }
  std::uint8_t byte(std::size_t at) { return std::uint8_t(need(at + 1)[at]); }
  std::size_t whole(std::size_t bytes) {
    need(bytes);
    return bytes;
  }
  std::size_t big_endian(std::size_t at, std::size_t count) {
    std::span<const std::byte> bytes = need(at + count);
    std::size_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | std::size_t(bytes[at + i]);
    return value;
  }
  std::size_t little_endian(std::size_t at) {
    std::span<const std::byte> bytes = need(at + 4);
    std::size_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | std::size_t(bytes[at + i]);
    return value;
  }

  // The first marker after entropy-coded data, in which 0xff is followed by 0 or a restart.
  std::size_t after_scan(std::size_t at) {
    for (;; ++at) {
      if (byte(at) != 0xff) continue;
      std::uint8_t next = byte(at + 1);
      if (next != 0 && next != 0xff && (next < 0xd0 || next > 0xd7)) return at;
    }
  }

  // The next number of a PNM header or of plain samples; at_ is then behind its last digit.
  std::size_t number() {
    auto is_space = [](std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    auto is_digit = [](std::uint8_t c) { return c >= '0' && c <= '9'; };
    while (is_space(byte(at_)) || byte(at_) == '#') {
      if (byte(at_) == '#') {
        while (byte(at_) != '\n') ++at_;
      }
      ++at_;
    }
    if (!is_digit(byte(at_))) throw Error("is damaged (no number where one must be)");
    std::size_t value = 0;
    // Plain samples may end the stream without a line end.
    for (auto rest = reader_.peek(at_ + 1); rest.size() > at_ && is_digit(std::uint8_t(rest[at_]));
         rest = reader_.peek(at_ + 1)) {
      value = value * 10 + std::size_t(std::uint8_t(rest[at_]) - '0');
      if (value > max_bytes_) throw Error("is larger than allowed");
      ++at_;
    }
    return value;
  }

  ByteReader& reader_;
  std::size_t max_bytes_, at_ = 0;
};

}  // namespace

std::size_t picture_bytes(ByteReader& reader, std::size_t max_bytes) {
  constexpr std::size_t kHead = 16;
  Bounds bounds(reader, max_bytes);
  switch (sniff_picture(reader.peek(kHead))) {
    case PictureFormat::png:
      return bounds.png();
    case PictureFormat::jpeg:
      return bounds.jpeg();
    case PictureFormat::webp:
      return bounds.webp();
    case PictureFormat::bmp:
      return bounds.bmp();
    case PictureFormat::pnm:
      return bounds.pnm();
    case PictureFormat::unknown:
      break;
  }
  throw Error("is no picture");
}

}  // namespace atelier
