// Vectors as data sets: mapped or read, in units of their own, and what only pictures can have.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "data/augment.h"
#include "data/loader.h"
#include "data/picture_reader.h"
#include "data/pixels.h"
#include "files.h"
#include "io/vectors.h"

using namespace atelier;
using namespace atelier::test;

namespace {

const ReadOptions kReal = [] {
  ReadOptions options;
  options.real = true;
  return options;
}();

// Rows of 3 that no picture could hold; f16 has all of these numbers.
Vectors some_vectors() {
  Vectors v;
  v.dim = 3;
  v.values = {-2.5f, 0, 1000, 0.125f, -0.0f, 7, 65504, -1, 0.5f, 1, 2, 3};
  v.model = "vae";
  v.labels = {1, 0, 1, 0};
  v.label_names = {"cat", "dog"};
  v.ids = {"a.png", "b.png", "c.png", "d.png"};
  v.preprocess = {{"crop", std::string("none")}, {"image_height", std::int64_t{8}}};
  return v;
}

std::string write(const Folder& folder, const std::string& name, const Vectors& v) {
  write_vectors(folder.path(name), v);
  return folder.path(name);
}

std::vector<float> values_of(const Dataset& set) {
  auto* first = reinterpret_cast<const float*>(set.pixels.data());
  return {first, first + set.size * set.channels};
}

// What kind vectors cannot hold by its own writer.
std::string write_raw(const Folder& folder, std::vector<std::int64_t> dims,
                      const std::vector<float>& values) {
  Hdf5Writer writer = Hdf5Writer::create(folder.path("raw.h5"), "vectors");
  writer.dataset<float>("/vectors", dims, values);
  writer.commit();
  return folder.path("raw.h5");
}

}  // namespace

TEST_CASE("a file of vectors is a data set of pictures of one pixel, its numbers as they are") {
  Folder folder;
  Vectors v = some_vectors();
  for (const char* dtype : {"f32", "f16"}) {
    CAPTURE(std::string(dtype));
    v.dtype = dtype;
    Dataset set = read(write(folder, "v.h5", v), kReal);
    CHECK(set.real);
    CHECK(set.dtype == DType::f32);
    CHECK(std::vector{set.size, set.height, set.width, set.channels} ==
          std::vector<std::int64_t>{4, 1, 1, 3});
    CHECK(values_of(set) == v.values);
    CHECK(set.labels == v.labels);
    CHECK(set.label_names == v.label_names);
    CHECK(set.names == v.ids);
    CHECK(set.preprocess == v.preprocess);
    CHECK(set.digest == read(write(folder, "again.h5", some_vectors()), kReal).digest);
    PixelReader reader(set);
    std::vector<float> row(3);
    reader.read(std::vector<std::int64_t>{2}, row);
    CHECK(row == std::vector<float>{65504, -1, 0.5f});
  }
  Vectors plain;
  plain.dim = 2;
  plain.values = {0.6f, 0.8f};
  plain.normalized = true;
  plain.model = "another";
  Dataset set = read(write(folder, "plain.h5", plain), kReal);
  CHECK(set.labels.empty());
  CHECK(set.preprocess.empty());
  CHECK(set.name_of(0) == "index 0");
  // Numbers that are a picture elsewhere are another set.
  Hdf5Writer writer = Hdf5Writer::create(folder.path("p.h5"), "images");
  writer.dataset<float>("/images", std::vector<std::int64_t>{1, 1, 1, 2}, plain.values);
  writer.commit();
  CHECK(read(folder.path("p.h5"), kReal).digest != set.digest);
}

TEST_CASE("f32 vectors are mapped, not read") {
  Folder folder;
  std::string path = write(folder, "v.h5", some_vectors());
  Dataset set = read(path, kReal);
  std::ofstream change(path, std::ios::in | std::ios::out | std::ios::binary);
  change.seekp(std::streamoff(Hdf5Reader{std::filesystem::path(path)}.info("/vectors").offset));
  float other = -12345;
  change.write(reinterpret_cast<const char*>(&other), sizeof other);
  change.close();
  CHECK(values_of(set)[0] == other);
  CHECK(message_of<Error>([&] { read(path, kReal); }) ==
        path + ": /vectors is damaged (its checksum differs)");
}

TEST_CASE("vectors come through pipes, several in one, and from several files") {
  Folder folder;
  Vectors v = some_vectors();
  std::string path = write(folder, "v.h5", v);
  std::vector<std::byte> stream = read_bytes(path);
  {
    PipedInput input(stream);
    Dataset set = read("-", kReal);
    CHECK(set.digest == read(path, kReal).digest);
    CHECK(set.preprocess == v.preprocess);
  }
  stream.insert(stream.end(), stream.begin(), stream.end());
  {
    PipedInput input(stream);
    Dataset set = read("-", kReal);
    CHECK(set.real);
    CHECK(set.size == 8);
    std::vector<float> twice = v.values;
    twice.insert(twice.end(), v.values.begin(), v.values.end());
    CHECK(values_of(set) == twice);
  }
  v.label_names = {"dog", "emu"};
  std::vector<std::string> files = {path, write(folder, "w.h5", v)};
  Dataset both = read_dataset(files, kReal);
  CHECK(both.label_names == std::vector<std::string>{"cat", "dog", "emu"});
  CHECK(both.labels == std::vector<std::int32_t>{1, 0, 1, 0, 2, 1, 2, 1});
  CHECK(both.preprocess.empty());
  ReadOptions few = kReal;
  few.limit = 3;
  Dataset first = read(path, few);
  CHECK(first.size == 3);
  CHECK(values_of(first) == std::vector<float>(v.values.begin(), v.values.begin() + 9));
  v.dim = 6;
  v.labels.resize(2), v.ids.resize(2);
  files[1] = write(folder, "w.h5", v);
  CHECK(contains(message_of<Error>([&] { read_dataset(files, kReal); }),
                 "w.h5/a.png: is a vector of 6, but "));
}

TEST_CASE("vectors must be finite: the message names file, row and number") {
  Folder folder;
  for (auto [bad, text] : {std::pair(std::numeric_limits<float>::quiet_NaN(), "nan"),
                           {std::numeric_limits<float>::infinity(), "inf"},
                           {-std::numeric_limits<float>::infinity(), "-inf"}}) {
    std::string path = write_raw(folder, {3, 2}, {1, 2, 300, 4, 5, bad});
    CHECK(
        contains(message_of<Error>([&] { read(path, kReal); }),
                 std::string("raw.h5: /vectors: row 2 holds ") + text + ", values must be finite"));
    ReadOptions skip = kReal;
    skip.on_error = "skip";
    Dataset kept = read(path, skip);
    CHECK(kept.skipped == 1);
    CHECK(values_of(kept) == std::vector<float>{1, 2, 300, 4});
  }
  CHECK(contains(message_of<Error>([&] {
                   read(write_raw(folder, {2, 2, 1}, {1, 2, 3, 4}), kReal);
                 }),
                 "raw.h5: /vectors: expected f32 or f16 [N,D], found f32 [2,2,1]"));
}

TEST_CASE("who asks for pictures is told of vectors, and the two do not mix") {
  Folder folder;
  std::string path = write(folder, "v.h5", some_vectors());
  const std::string refusal = "v.h5: expected kind images, found kind vectors";
  CHECK(contains(message_of<Error>([&] { read(path); }), refusal));
  std::vector<std::string> files = {path};
  CHECK(contains(message_of<Error>([&] { PictureReader reader(files, {}); }), refusal));
  CHECK(contains(
      message_of<Error>([&] { pack_dataset(files, kReal, folder.path("x.h5"), {}, false); }),
      refusal));
  CHECK(!std::filesystem::exists(folder.path("x.h5")));
  folder.png("p/a.png", make_picture(1, 1, 3, 1));
  files.push_back(folder.path("p"));
  ReadOptions labelled = kReal;
  Vectors v = some_vectors();
  v.labels.clear(), v.label_names.clear();
  files[0] = write(folder, "plain.h5", v);
  CHECK(contains(message_of<Error>([&] { read_dataset(files, kReal); }),
                 "p/a.png: is a picture, but "));
  std::swap(files[0], files[1]);
  CHECK(contains(message_of<Error>([&] { read_dataset(files, kReal); }),
                 "plain.h5/a.png: is a vector, but "));
}

TEST_CASE("options of preparing and changing pictures are misuse for vectors") {
  Folder folder;
  std::string path = write(folder, "v.h5", some_vectors());
  const std::pair<const char*, const char*> options[] = {
      {"image_size", "8"}, {"image_height", "1"}, {"image_width", "1"},    {"crop", "none"},
      {"filter", "box"},   {"background", "red"}, {"value_range", "-1,1"}, {"image_channels", "3"}};
  for (auto [name, value] : options) {
    ReadOptions wrong = kReal;
    for (const BoundField& field : wrong.fields()) {
      if (field.name == name) field.set_text(value);
    }
    std::string flag = "--" + std::string(name);
    for (char& c : flag) c = c == '_' ? '-' : c;
    CHECK(contains(message_of<UsageError>([&] { read(path, wrong); }),
                   "v.h5: holds vectors, " + flag + " goes with pictures"));
  }
  Dataset set = read(path, kReal);
  auto refusal = [&](const LoaderOptions& loading) {
    return message_of<UsageError>([&] { Loader loader(set, {0, 1}, loading); });
  };
  CHECK(refusal({}) == "");
  CHECK(refusal({.hflip = true}) == path + ": holds vectors, --hflip goes with pictures");
  CHECK(refusal({.crop_padding = 1}) ==
        path + ": holds vectors, --crop-padding goes with pictures");
  CHECK(refusal({.binarize = "dynamic"}) ==
        path + ": holds vectors, --binarize goes with pictures");
  CHECK_THROWS_AS(PixelReader(set, Binarize::threshold), UsageError);
  CHECK(message_of<Error>([&] { set.picture(0); }) ==
        path + ": 8-bit views are of pictures, found vectors");
}

TEST_CASE("batches hold vectors to the bit") {
  Folder folder;
  Vectors v = some_vectors();
  Dataset set = read(write(folder, "v.h5", v), kReal);
  Loader loader(set, {0, 1, 2, 3}, {.batch_size = 3});
  std::vector<bool> seen(4);
  for (int i = 0; i < 2; ++i) {
    HostBatch batch = loader.next();
    for (std::size_t row = 0; row < std::size_t(batch.rows); ++row) {
      auto example = std::size_t(batch.examples[row]);
      seen[example] = true;
      auto wanted = std::as_bytes(std::span(v.values)).subspan(example * 12, 12);
      CHECK(std::ranges::equal(batch.images.subspan(row * 12, 12), wanted));
      CHECK(batch.labels[row] == v.labels[example]);
    }
  }
  CHECK(seen == std::vector<bool>(4, true));
}
