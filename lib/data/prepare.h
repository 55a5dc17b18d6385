// From any picture to the one shape of a data set: alpha, channels, size, crop.
#pragma once

#include <cstdint>
#include <string>

#include "data/dataset.h"

namespace atelier {

// Decides the shape at the first picture and brings all others to it.
class Preparer {
 public:
  explicit Preparer(const ReadOptions& options);  // UsageError for options that contradict

  // Alpha is laid over the background (unless the channels are data), the shorter side is resized
  // to the target and the rest cropped, channels are converted. Throws Error naming both pictures
  // if they differ and no target was given.
  void prepare(Item& item);
  // Takes the shape of pictures that need no preparation; `name` for messages.
  void adopt(std::int64_t height, std::int64_t width, std::int64_t channels, std::string name);

  std::int64_t height() const { return height_; }
  std::int64_t width() const { return width_; }
  std::int64_t channels() const { return channels_; }
  // background, channels, crop, filter, image_height, image_width: what every tool does again to
  // pictures that it shows to a model trained on these.
  Attributes attributes() const;
  // True if pictures of this shape would stay as they are.
  bool keeps(std::int64_t height, std::int64_t width, std::int64_t channels) const;

 private:
  void convert_channels(Item& item);
  ReadOptions options_;
  std::uint8_t background_[3] = {255, 255, 255};
  std::int64_t target_height_ = 0, target_width_ = 0;  // 0: as they are
  std::int64_t height_ = 0, width_ = 0, channels_ = 0;
  std::string first_;  // name of the picture that decided the shape
};

// Resizes and crops to height x width. crop "center": scaled to cover, then the middle;
// "none": stretched. filter: nearest box bilinear bicubic lanczos, antialiased.
Picture fit(Picture picture, std::int64_t height, std::int64_t width, const std::string& crop,
            const std::string& filter);

// "white", "black" or RRGGBB; UsageError otherwise.
void parse_background(const std::string& text, std::uint8_t rgb[3]);

std::string shape_text(const Picture& picture);  // "40x30x3", height first

}  // namespace atelier
