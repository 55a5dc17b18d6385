// Drawn pictures for trials and tests: uniform noise, or coloured shapes with classes and captions.
// Each is a function of (seed, index) alone.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "data/source.h"

namespace atelier {
namespace {

constexpr std::int64_t kDefaultSide = 32;

struct Colour {
  const char* name;
  std::array<std::uint8_t, 3> rgb;
};
constexpr std::array<Colour, 7> kColours = {{{"red", {220, 40, 40}},
                                             {"green", {40, 160, 60}},
                                             {"blue", {50, 80, 220}},
                                             {"yellow", {235, 205, 40}},
                                             {"purple", {150, 60, 180}},
                                             {"orange", {240, 140, 30}},
                                             {"cyan", {40, 190, 200}}}};
constexpr std::array<Colour, 3> kGrounds = {
    {{"white", {255, 255, 255}}, {"black", {0, 0, 0}}, {"grey", {128, 128, 128}}}};
constexpr std::array<const char*, 3> kShapes = {"disc", "square", "triangle"};  // in byte order

struct Scene {
  std::size_t shape, colour, ground;
  bool large;
  double x, y, radius;  // in units of the shorter side; the picture's middle is the origin
};

bool covers(const Scene& scene, double x, double y) {
  double u = (x - scene.x) / scene.radius, v = (y - scene.y) / scene.radius;
  switch (scene.shape) {
    case 0:
      return u * u + v * v <= 1;
    case 1:
      return std::max(std::abs(u), std::abs(v)) <= 0.8862;  // sqrt(pi)/2: the area of the disc
    default:  // equilateral, its corners on a circle of 1.3 radii
      return v <= 0.65 && v >= 1.7320508 * std::abs(u) - 1.3;
  }
}

Scene draw_scene(RandomStream& random) {
  Scene scene{};
  scene.shape = random.below(kShapes.size());
  scene.colour = random.below(kColours.size());
  scene.ground = random.below(kGrounds.size());
  scene.large = random.below(2) == 1;
  scene.radius = (scene.large ? 0.26 : 0.14) + 0.06 * random.uniform();
  double room = 0.5 - scene.radius;
  scene.x = room * (2 * random.uniform() - 1) * 0.9;
  scene.y = room * (2 * random.uniform() - 1) * 0.9;
  return scene;
}

class SyntheticSource final : public CheckedSource {
 public:
  explicit SyntheticSource(const ReadOptions& options)
      : CheckedSource("synthetic", options), noise_(options.synthetic == "noise") {
    height_ = options.image_height > 0 ? options.image_height : options.image_size;
    width_ = options.image_width > 0 ? options.image_width : options.image_size;
    if (height_ == 0) height_ = kDefaultSide;
    if (width_ == 0) width_ = kDefaultSide;
    channels_ = options.channels > 0 ? options.channels : 3;
    if (!noise_ && channels_ != 1 && channels_ != 3) {
      throw UsageError(fmt::format("--image-channels {}: shapes have 1 or 3", channels_));
    }
  }
  bool has_captions() const override { return !noise_; }
  std::int64_t expected() const override { return options().synthetic_count; }

 protected:
  bool advance(Item& item) override {
    if (index_ == options().synthetic_count) return false;
    item.name = fmt::format("{}/{:06}", noise_ ? "noise" : "shapes", index_);
    item.data_channels = true;
    item.picture = {.height = height_, .width = width_, .channels = channels_, .pixels = {}};
    item.picture.pixels.resize(std::size_t(height_ * width_ * channels_));
    RandomStream random(std::uint64_t(options().seed), stream_of("data.synthetic"),
                        std::uint64_t(index_));
    if (noise_) {
      for (std::uint8_t& pixel : item.picture.pixels) pixel = std::uint8_t(random.word() >> 24);
    } else {
      paint(draw_scene(random), item);
    }
    ++index_;
    return true;
  }
  void load(Item&) override {}
  bool own_labels() const override { return !noise_; }
  std::vector<std::string> own_label_names() const override {
    return noise_ ? std::vector<std::string>{}
                  : std::vector<std::string>(kShapes.begin(), kShapes.end());
  }

 private:
  void paint(const Scene& scene, Item& item) const {
    const Colour &colour = kColours[scene.colour], &ground = kGrounds[scene.ground];
    Picture picture{.height = height_, .width = width_, .channels = 3, .pixels = {}};
    picture.pixels.reserve(std::size_t(height_ * width_ * 3));
    for (std::int64_t y = 0; y < height_; ++y) {
      for (std::int64_t x = 0; x < width_; ++x) {
        int inside = coverage(scene, x, y);
        for (std::size_t c = 0; c < 3; ++c) {
          int mixed = (inside * colour.rgb[c] + (kSamples - inside) * ground.rgb[c]);
          picture.pixels.push_back(std::uint8_t((mixed + kSamples / 2) / kSamples));
        }
      }
    }
    item.picture = channels_ == 3 ? std::move(picture) : with_channels(picture, channels_);
    item.label = std::int32_t(scene.shape);
    item.caption = fmt::format("a {}{} {} on a {} background", scene.large ? "large" : "small",
                               channels_ == 3 ? std::string(" ") + colour.name : "",
                               kShapes[scene.shape], ground.name);
  }

  // How many of 4 x 4 points of the pixel lie inside.
  static constexpr int kGrid = 4, kSamples = kGrid * kGrid;
  int coverage(const Scene& scene, std::int64_t x, std::int64_t y) const {
    double side = double(std::min(height_, width_));
    int inside = 0;
    for (int i = 0; i < kSamples; ++i) {
      double px = double(x) + (i % kGrid + 0.5) / kGrid - double(width_) / 2;
      double py = double(y) + (i / kGrid + 0.5) / kGrid - double(height_) / 2;
      inside += covers(scene, px / side, py / side);
    }
    return inside;
  }

  bool noise_;
  std::int64_t height_, width_, channels_, index_ = 0;
};

}  // namespace

std::unique_ptr<CheckedSource> open_synthetic(const ReadOptions& options) {
  return std::make_unique<SyntheticSource>(options);
}

}  // namespace atelier
