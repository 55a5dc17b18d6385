// Latents as data sets: mapped or read, their scaling factor beside them, packed, and what only
// pictures can have.
#include "io/latents.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "data/loader.h"
#include "data/picture_reader.h"
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

Latents some_latents() {
  return {.height = 2,
          .width = 1,
          .channels = 3,
          .space = {.scaling_factor = 0.25, .vae = "vae@ab"},
          .label_names = {"cat", "dog"},
          .config = {},
          .preprocess = {{"crop", std::string("none")}},
          .inputs = {}};
}

// Numbers that no picture could hold and f16 has.
std::vector<float> some_values(std::int64_t rows, std::int64_t size) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < rows * size; ++i) values.push_back(8 - 2.5f * float(i));
  return values;
}

std::string write(const Folder& folder, const std::string& name, const Latents& about,
                  std::int64_t rows = 4) {
  std::string path = folder.path(name);
  LatentSink sink(path, about, /*labelled=*/true);
  std::int64_t size = about.height * about.width * about.channels;
  std::vector<float> values = some_values(rows, size);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::string id = fmt::format("{}/{}", name, r);
    sink.add({.values = std::span(values).subspan(std::size_t(r * size), std::size_t(size)),
              .id = id,
              .label = std::int32_t(r % 2)});
  }
  sink.finish(about);
  return path;
}

std::vector<float> values_of(const Dataset& set) {
  auto* first = reinterpret_cast<const float*>(set.pixels.data());
  return {first, first + set.size * set.row_bytes() / 4};
}

}  // namespace

TEST_CASE("a file of latents is a data set, its numbers as they are and its factor beside them") {
  Folder folder;
  Latents about = some_latents();
  std::uint64_t digest = 0;
  for (const char* dtype : {"f32", "f16"}) {
    CAPTURE(std::string(dtype));
    about.dtype = dtype;
    Dataset set = read(write(folder, "l.h5", about), kReal);
    CHECK(set.real);
    CHECK(set.latents);
    CHECK(set.noun() == "latents");
    CHECK(set.scaling_factor == 0.25);
    CHECK(set.vae == "vae@ab");
    CHECK(std::vector{set.size, set.height, set.width, set.channels} ==
          std::vector<std::int64_t>{4, 2, 1, 3});
    CHECK(values_of(set) == some_values(4, 6));
    CHECK(set.labels == std::vector<std::int32_t>{0, 1, 0, 1});
    CHECK(set.label_names == about.label_names);
    CHECK(set.names[3] == "l.h5/3");
    CHECK(set.preprocess == about.preprocess);
    if (digest) CHECK(set.digest == digest);
    digest = set.digest;
  }
  about.space.scaling_factor = 0.5;
  CHECK(read(write(folder, "l.h5", about), kReal).digest != digest);
  Latents flat = some_latents();
  flat.height = 1;
  Dataset set = read(write(folder, "flat.h5", flat), kReal);
  CHECK(set.latents);
  CHECK(std::vector{set.height, set.width, set.channels} == std::vector<std::int64_t>{1, 1, 3});
  Vectors v;
  v.dim = 2;
  v.values = {1, 2};
  write_vectors(folder.path("v.h5"), v);
  set = read(folder.path("v.h5"), kReal);
  CHECK(!set.latents);
  CHECK(set.scaling_factor == 1);
}

TEST_CASE("latents of several files are one set if they are of one space") {
  Folder folder;
  Latents about = some_latents();
  std::vector<std::string> files = {write(folder, "a.h5", about), write(folder, "b.h5", about, 2)};
  Dataset both = read_dataset(files, kReal);
  CHECK(both.size == 6);
  CHECK(both.scaling_factor == 0.25);
  CHECK(both.vae == "vae@ab");
  ReadOptions few = kReal;
  few.limit = 5;
  CHECK(read_dataset(files, few).size == 5);
  auto refusal = [&] { return message_of<Error>([&] { read_dataset(files, kReal); }); };
  about.space.scaling_factor = 0.5;
  write(folder, "b.h5", about);
  CHECK(refusal() == files[1] + ": scaling_factor is '0.5', but '0.25' in " + files[0]);
  about.space = {.scaling_factor = 0.25, .vae = "vae@cd"};
  write(folder, "b.h5", about);
  CHECK(refusal() == files[1] + ": vae is 'vae@cd', but 'vae@ab' in " + files[0]);
  {
    std::vector<std::byte> stream = read_bytes(files[0]), more = read_bytes(files[1]);
    stream.insert(stream.end(), more.begin(), more.end());
    PipedInput input(stream);
    CHECK(message_of<Error>([&] { read("-", kReal); }) ==
          "standard input (image 2): vae is 'vae@cd', but 'vae@ab' in standard input");
  }
  about = some_latents();
  about.width = 2;
  write(folder, "b.h5", about);
  CHECK(contains(refusal(), "b.h5/b.h5/0: 2x2x3, but "));
  Vectors v;
  v.dim = 6;
  v.values.assign(6, 0.5f);
  v.labels = {0};
  v.label_names = {"cat"};
  write_vectors(files[1], v);
  CHECK(contains(refusal(), "is a vector, but "));
  std::swap(files[0], files[1]);
  CHECK(contains(refusal(), "is a latent, but "));
}

TEST_CASE("data-pack copies latents, in part and from several files, and keeps their space") {
  Folder folder;
  Latents about = some_latents();
  about.dtype = "f16";
  std::vector<std::string> files = {write(folder, "a.h5", about), write(folder, "b.h5", about, 2)};
  ReadOptions few = kReal;
  few.limit = 5;
  const std::string path = folder.path("all.h5");
  PackResult packed =
      pack_dataset(files, few, path, {{"program", std::string("data-pack")}}, false);
  CHECK(describe(packed) == "5 latents 2x1x3, 2 classes, 0 skipped");
  Hdf5Reader file{std::filesystem::path(path)};
  LatentsInfo found = describe_latents(file);
  CHECK(found.dataset.type == FileType::f32);
  CHECK(found.space == about.space);
  CHECK(read(path, kReal).digest == read_dataset(files, few).digest);
  CHECK(*find(file.attributes("/config"), "limit") == Scalar(std::int64_t{5}));
  // One file of f32 is copied as it is.
  about.dtype = "f32";
  files = {write(folder, "c.h5", about)};
  pack_dataset(files, kReal, path, {}, false);
  CHECK(read(path, kReal).preprocess == about.preprocess);
  CHECK(read(path, kReal).digest == read(files[0], kReal).digest);
  files.push_back(folder.path("p.h5"));
  Hdf5Writer writer = Hdf5Writer::create(files[1], "images");
  writer.dataset<float>("/images", std::vector<std::int64_t>{1, 2, 1, 3}, some_values(1, 6));
  writer.commit();
  std::swap(files[0], files[1]);
  CHECK(contains(message_of<Error>([&] { pack_dataset(files, kReal, path, {}, false); }),
                 "p.h5: /images holds values from"));
}

TEST_CASE("latents are refused where pictures are needed, and are not changed") {
  Folder folder;
  std::string path = write(folder, "l.h5", some_latents());
  CHECK(message_of<Error>([&] { read(path); }) ==
        path + ": expected kind images, found kind latents");
  ReadOptions sized = kReal;
  sized.image_size = 8;
  CHECK(message_of<UsageError>([&] { read(path, sized); }) ==
        path + ": holds latents, --image-size goes with pictures");
  Dataset set = read(path, kReal);
  auto refusal = [&](const LoaderOptions& loading) {
    return message_of<UsageError>([&] { Loader loader(set, {0, 1}, loading); });
  };
  CHECK(refusal({}) == "");
  CHECK(refusal({.hflip = true}) == path + ": holds latents, --hflip goes with pictures");
  CHECK(refusal({.crop_padding = 1}) ==
        path + ": holds latents, --crop-padding goes with pictures");
  CHECK(message_of<Error>([&] { set.picture(0); }) ==
        path + ": 8-bit views are of pictures, found latents");
  folder.write("labels.txt", "0\n1\n0\n");
  ReadOptions labelled = kReal;
  labelled.labels = folder.path("labels.txt");
  CHECK(message_of<Error>([&] { read(path, labelled); }) ==
        labelled.labels + ": has 3 labels, but " + path + " has 4 latents");
  CHECK(message_of<Error>([&] { read(write(folder, "none.h5", some_latents(), 0), kReal); }) ==
        folder.path("none.h5") + ": no latents found");
}
