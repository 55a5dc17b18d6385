// PNG by libpng: any depth and colour type in, 8-bit with text chunks out.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "base/error.h"
#include "io/picture_formats.h"

namespace atelier {
namespace {

struct Source {
  std::span<const std::byte> bytes;
  std::size_t at = 0;
};

// libpng reports by longjmp; the reason is kept and thrown after it.
struct Failure {
  char text[200] = "";
};

void on_error(png_structp png, png_const_charp message) {
  auto* failure = static_cast<Failure*>(png_get_error_ptr(png));
  std::strncpy(failure->text, message, sizeof failure->text - 1);
  longjmp(png_jmpbuf(png), 1);
}
void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, png_size_t n) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (source->bytes.size() - source->at < n) png_error(png, "truncated");
  std::memcpy(to, source->bytes.data() + source->at, n);
  source->at += n;
}
void on_write(png_structp png, png_bytep from, png_size_t n) {
  auto* out = static_cast<std::vector<std::byte>*>(png_get_io_ptr(png));
  const auto* bytes = reinterpret_cast<const std::byte*>(from);
  out->insert(out->end(), bytes, bytes + n);
}
void on_flush(png_structp) {}

// No C++ object with a destructor may live between setjmp and longjmp: pixels belong to the caller.
bool read_png(png_structp png, png_infop info, Source* source, const DecodeLimits* limits,
              Picture* picture, std::vector<png_bytep>* rows, int* orientation) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, source, on_read);
  png_set_user_limits(png, png_uint_32(limits->max_side), png_uint_32(limits->max_side));
  png_read_info(png, info);
  png_set_scale_16(png);
  png_set_expand(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  picture->width = png_get_image_width(png, info);
  picture->height = png_get_image_height(png, info);
  picture->channels = png_get_channels(png, info);
  picture->pixels.resize(std::size_t(picture->width * picture->height * picture->channels));
  rows->resize(std::size_t(picture->height));
  for (std::int64_t y = 0; y < picture->height; ++y) {
    (*rows)[std::size_t(y)] = picture->pixels.data() + y * picture->width * picture->channels;
  }
  png_read_image(png, rows->data());
  png_read_end(png, info);
  png_bytep exif = nullptr;
  png_uint_32 exif_bytes = 0;
  if (png_get_eXIf_1(png, info, &exif_bytes, &exif) && exif) {
    *orientation = exif_orientation({reinterpret_cast<const std::byte*>(exif), exif_bytes});
  }
  return true;
}

bool write_png(png_structp png, png_infop info, std::vector<std::byte>* out, const Picture* picture,
               std::vector<png_text>* text, std::vector<png_bytep>* rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, out, on_write, on_flush);
  constexpr int kTypes[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                            PNG_COLOR_TYPE_RGB_ALPHA};
  png_set_IHDR(png, info, png_uint_32(picture->width), png_uint_32(picture->height), 8,
               kTypes[picture->channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!text->empty()) png_set_text(png, info, text->data(), int(text->size()));
  png_write_info(png, info);
  png_write_image(png, rows->data());
  png_write_end(png, info);
  return true;
}

}  // namespace

Picture decode_png(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  Failure failure;
  Source source{bytes};
  Picture picture;
  std::vector<png_bytep> rows;
  int orientation = 1;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info) throw Error("out of memory");
  bool done = read_png(png, info, &source, &limits, &picture, &rows, &orientation);
  png_destroy_read_struct(&png, &info, nullptr);
  if (!done) throw Error(std::string("broken PNG picture: ") + failure.text);
  return oriented(std::move(picture), orientation);
}

std::vector<std::byte> encode_png(const Picture& picture, const TextChunks& chunks) {
  if (picture.channels < 1 || picture.channels > 4) throw Error("PNG holds 1 to 4 channels");
  Failure failure;
  std::vector<std::byte> out;
  std::vector<png_text> text;
  for (const auto& [key, value] : chunks) {
    png_text entry{};
    entry.compression = PNG_TEXT_COMPRESSION_NONE;
    entry.key = const_cast<char*>(key.c_str());
    entry.text = const_cast<char*>(value.c_str());
    entry.text_length = value.size();
    text.push_back(entry);
  }
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < picture.height; ++y) {
    rows.push_back(const_cast<png_bytep>(picture.pixels.data()) +
                   y * picture.width * picture.channels);
  }
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &failure, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info) throw Error("out of memory");
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // those guard readers
  bool done = write_png(png, info, &out, &picture, &text, &rows);
  png_destroy_write_struct(&png, &info);
  if (!done) throw Error(std::string("cannot write PNG: ") + failure.text);
  return out;
}

}  // namespace atelier
