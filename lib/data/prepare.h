// From any picture to the one shape of a data set: alpha, channels, size, crop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/dataset.h"

namespace atelier {

// What floating-point pictures are stored in: `low` becomes 0 and `high` 1.
struct ValueRange {
  double low = 0, high = 1;
  friend bool operator==(const ValueRange&, const ValueRange&) = default;
};
ValueRange parse_value_range(const std::string& text);  // "-1,1"; UsageError otherwise

// Decides the shape at the first picture and brings all others to it.
class Preparer {
 public:
  explicit Preparer(const ReadOptions& options);  // UsageError for options that contradict

  // Alpha is laid over the background (unless the channels are data), the shorter side is resized
  // to the target and the rest cropped, channels are converted. Floats are taken as they are or not
  // at all. Throws Error naming both pictures, below their `source`, if they differ and no target
  // was given, or if one of them is a vector or a latent.
  void prepare(Item& item, const std::string& source = "");
  // Takes the shape of pictures that need no preparation; `name` for messages.
  void adopt(std::int64_t height, std::int64_t width, std::int64_t channels, DType dtype,
             std::string name, bool real = false, bool latents = false);

  std::int64_t height() const { return height_; }
  std::int64_t width() const { return width_; }
  std::int64_t channels() const { return channels_; }
  DType dtype() const { return dtype_; }
  bool real() const { return real_; }
  // background, channels, crop, filter, image_height, image_width, of floats in another range than
  // 0..1 also value_range: what every tool does again to pictures that it shows to a model trained
  // on these. Empty of vectors and latents.
  Attributes attributes() const;
  // True if pictures of this shape would stay as they are.
  bool keeps(std::int64_t height, std::int64_t width, std::int64_t channels) const;

 private:
  void convert_channels(Item& item, const std::string& where);
  void require_kept(const Item& item, const std::string& where) const;
  ReadOptions options_;
  std::uint8_t background_[3] = {255, 255, 255};
  std::int64_t target_height_ = 0, target_width_ = 0;  // 0: as they are
  std::int64_t height_ = 0, width_ = 0, channels_ = 0;
  DType dtype_ = DType::u8;
  bool real_ = false, latents_ = false;
  std::string first_;  // name of the picture that decided the shape
};

// Resizes and crops to height x width. crop "center": scaled to cover, then the middle;
// "none": stretched. filter: nearest box bilinear bicubic lanczos, antialiased.
Picture fit(Picture picture, std::int64_t height, std::int64_t width, const std::string& crop,
            const std::string& filter);

// UsageError("points.h5: holds vectors, --crop goes with pictures") if any option of preparing
// pictures differs from its default.
void refuse_picture_options(const ReadOptions& options, const std::string& source,
                            std::string_view noun);

// "white", "black" or RRGGBB; UsageError otherwise.
void parse_background(const std::string& text, std::uint8_t rgb[3]);

std::string shape_text(const Picture& picture);  // "40x30x3", height first

}  // namespace atelier
