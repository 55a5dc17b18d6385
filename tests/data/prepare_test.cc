// Alpha, channels, sizes and crops.
#include "data/prepare.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.h"
#include "files.h"

using namespace atelier;
using namespace atelier::test;

namespace {

Picture prepared(Picture picture, const ReadOptions& options) {
  Item item{.name = "a.png", .picture = std::move(picture), .caption = {}};
  Preparer(options).prepare(item);
  return item.picture;
}

std::vector<std::uint8_t> pixel(const Picture& picture, std::int64_t y, std::int64_t x) {
  auto first = picture.pixels.begin() + (y * picture.width + x) * picture.channels;
  return {first, first + picture.channels};
}

// Columns of 0, 1, 2 ... thirds of the width: dark, grey, light.
Picture thirds(std::int64_t height, std::int64_t width) {
  Picture picture{.height = height, .width = width, .channels = 1, .pixels = {}};
  for (std::int64_t i = 0; i < height * width; ++i) {
    picture.pixels.push_back(std::uint8_t(100 * (i % width * 3 / width)));
  }
  return picture;
}

}  // namespace

TEST_CASE("alpha is laid over the background") {
  ReadOptions options;
  using Colour = std::vector<std::uint8_t>;
  CHECK(pixel(prepared(plain(3, 3, {10, 20, 30, 0}), options), 1, 1) == Colour{255, 255, 255});
  CHECK(pixel(prepared(plain(3, 3, {10, 20, 30, 255}), options), 1, 1) == Colour{10, 20, 30});
  options.background = "black";
  CHECK(pixel(prepared(plain(3, 3, {10, 20, 30, 0}), options), 1, 1) == Colour{0, 0, 0});
  options.background = "ff8000";
  CHECK(pixel(prepared(plain(3, 3, {10, 20, 30, 0}), options), 1, 1) == Colour{255, 128, 0});
  options.background = "white";
  CHECK(pixel(prepared(plain(3, 3, {10, 0}), options), 1, 1) == Colour{255});
  options.background = "mauve";
  CHECK_THROWS_AS(prepared(plain(3, 3, {1}), options), UsageError);
  options.background = "12345g";
  CHECK_THROWS_AS(prepared(plain(3, 3, {1}), options), UsageError);
}

TEST_CASE("channels of data are no alpha and stay") {
  for (std::int64_t channels : {1, 2, 4, 7}) {
    CAPTURE(channels);
    Item item{.name = "a", .picture = make_picture(5, 6, channels, 1), .caption = {}};
    item.data_channels = true;
    Preparer preparer({});
    preparer.prepare(item);
    CHECK(item.picture.channels == channels);
    CHECK(item.picture.pixels == make_picture(5, 6, channels, 1).pixels);
  }
}

TEST_CASE("grey among coloured becomes coloured, coloured among grey only on request") {
  Folder folder;
  folder.png("c/a.png", plain(4, 4, {9, 9, 9}));
  folder.png("c/b.png", plain(4, 4, {7}));
  Dataset set = read(folder.path("c"));
  CHECK(set.channels == 3);
  CHECK(std::all_of(set.image(1).begin(), set.image(1).end(),
                    [](std::byte value) { return value == std::byte{7}; }));
  folder.png("g/a.png", plain(4, 4, {7}));
  folder.png("g/b.png", plain(4, 4, {200, 100, 50}));
  std::string message = message_of<Error>([&] { read(folder.path("g")); });
  CHECK(message == folder.path("g/b.png") + ": 4x4x3, but " + folder.path("g/a.png") +
                       " is 4x4x1; give --image-channels 1 or 3");
  ReadOptions options;
  options.channels = 1;
  set = read(folder.path("g"), options);
  // Rec. 601: 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
  CHECK(int(set.image(1)[0]) == 124);
  options.channels = 3;
  CHECK(read(folder.path("g"), options).channels == 3);
}

TEST_CASE("pictures of different sizes are an error that names both and the way out") {
  Folder folder;
  folder.png("a.png", make_picture(32, 32, 3, 1));
  folder.png("b.png", make_picture(40, 30, 3, 2));
  CHECK(message_of<Error>([&] { read(folder.path()); }) ==
        folder.path("b.png") + ": 40x30x3, but " + folder.path("a.png") +
            " is 32x32x3; give --image-size");
  ReadOptions options;
  options.image_size = 24;
  Dataset set = read(folder.path(), options);
  CHECK(set.height == 24);
  CHECK(set.width == 24);
  CHECK(std::get<std::int64_t>(*find(set.preprocess, "image_height")) == 24);
  CHECK(std::get<std::string>(*find(set.preprocess, "filter")) == "bicubic");
  CHECK(std::get<std::string>(*find(set.preprocess, "background")) == "white");
  CHECK(std::get<std::int64_t>(*find(set.preprocess, "channels")) == 3);
}

TEST_CASE("the shorter side is resized and the middle is kept") {
  Picture middle = fit(thirds(20, 60), 20, 20, "center", "bicubic");
  CHECK(middle.width == 20);
  CHECK(pixel(middle, 0, 0)[0] == 100);
  CHECK(pixel(middle, 19, 19)[0] == 100);
  Picture half = fit(thirds(48, 144), 24, 24, "center", "bilinear");
  CHECK(int(pixel(half, 12, 12)[0]) == 100);
  CHECK(half.height == 24);
  Picture wide = fit(thirds(48, 80), 48, 80, "center", "bicubic");
  CHECK(wide.pixels == thirds(48, 80).pixels);
}

TEST_CASE("without a crop the picture is stretched") {
  Picture all = fit(thirds(20, 60), 20, 20, "none", "box");
  CHECK(pixel(all, 5, 0)[0] == 0);
  CHECK(pixel(all, 5, 10)[0] == 100);
  CHECK(pixel(all, 5, 19)[0] == 200);
}

TEST_CASE("long strips are cut before they are scaled") {
  for (auto [height, width] : {std::pair{1, 9000}, std::pair{9000, 1}, std::pair{3, 2000}}) {
    Picture strip = fit(plain(height, width, {5, 6, 7}), 64, 64, "center", "lanczos");
    CHECK(strip.height == 64);
    CHECK(strip.width == 64);
    CHECK(pixel(strip, 63, 0) == std::vector<std::uint8_t>{5, 6, 7});
  }
  // The cut changes nothing: the middle of a strip is what it was.
  Picture strip = thirds(8, 3 * 8 * 40);
  Picture whole = fit(strip, 4, 4, "center", "bicubic");
  CHECK(std::all_of(whole.pixels.begin(), whole.pixels.end(), [](int v) { return v == 100; }));
}

TEST_CASE("pictures that are not square are asked for by height and width") {
  Folder folder;
  folder.png("a.png", make_picture(48, 80, 3, 1));
  Dataset set = read(folder.path());
  CHECK(set.height == 48);
  CHECK(set.width == 80);
  ReadOptions options;
  options.image_height = 24;
  CHECK_THROWS_AS(read(folder.path(), options), UsageError);
  options.image_width = 40;
  set = read(folder.path(), options);
  CHECK(set.height == 24);
  CHECK(set.width == 40);
}

TEST_CASE("the fields of reading check what they are given") {
  ReadOptions options;
  std::size_t seen = 0;
  for (const BoundField& field : options.fields()) {
    if (field.name == "crop") CHECK_THROWS_AS(field.set_text("left"), UsageError);
    if (field.name == "image_size") CHECK_THROWS_AS(field.set_text("-1"), UsageError);
    CHECK(!field.help.empty());
    ++seen;
  }
  CHECK(seen == 19);
}
