// JPEG, WebP and BMP through OpenCV's imgcodecs; this file alone pulls in its libraries.
#include "io/decode/decode.h"

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <opencv2/imgcodecs.hpp>

#include "io/decode/jpeg_warnings.h"

namespace {

int fail(char* reason, std::size_t bytes, const char* what) {
  std::strncpy(reason, what, bytes - 1);
  return 1;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int atelier_decode(
    const void* bytes, std::size_t count, std::int64_t max_pixels, DecodedPicture* picture,
    char* reason, std::size_t reason_bytes) {
  try {
    // Read once by OpenCV, before its first picture. It tells of broken pictures on std::cerr,
    // which nothing of ours uses; the caller says it in one line.
    static const bool limited = [max_pixels] {
      std::cerr.setstate(std::ios_base::failbit);
      return ::setenv("OPENCV_IO_MAX_IMAGE_PIXELS", std::to_string(max_pixels).c_str(), 1) == 0;
    }();
    if (!limited) return fail(reason, reason_bytes, "cannot set limits");
    cv::setNumThreads(1);
    cv::Mat raw(1, int(count), CV_8UC1, const_cast<void*>(bytes));
    clear_jpeg_damage();
    cv::Mat image = cv::imdecode(raw, cv::IMREAD_UNCHANGED | cv::IMREAD_IGNORE_ORIENTATION);
    if (image.empty()) return fail(reason, reason_bytes, "it does not decode");
    if (const char* damage = jpeg_damage()) return fail(reason, reason_bytes, damage);
    if (image.depth() == CV_16U) image.convertTo(image, CV_8U, 1.0 / 257);
    if (image.depth() != CV_8U) return fail(reason, reason_bytes, "its depth is not supported");
    std::int64_t channels = image.channels(), pixels = std::int64_t(image.rows) * image.cols;
    auto* out = static_cast<std::uint8_t*>(std::malloc(std::size_t(pixels * channels)));
    if (!out) return fail(reason, reason_bytes, "out of memory");
    for (int y = 0; y < image.rows; ++y) {
      const std::uint8_t* from = image.ptr(y);
      std::uint8_t* to = out + std::int64_t(y) * image.cols * channels;
      for (int x = 0; x < image.cols; ++x, from += channels, to += channels) {
        for (int c = 0; c < channels; ++c)
          to[c] = from[channels >= 3 && c < 3 ? 2 - c : c];  // BGR to RGB
      }
    }
    *picture = {image.rows, image.cols, channels, out, [](std::uint8_t* p) { std::free(p); }};
    return 0;
  } catch (const std::exception& error) {
    return fail(reason, reason_bytes, error.what());
  }
}
