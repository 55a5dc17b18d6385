// HDF5 files as sources: ours, those of strangers, mapped, read and converted.
#include "io/hdf5.h"

#include <doctest/doctest.h>
#include <hdf5.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "files.h"

using namespace atelier;
using namespace atelier::test;

namespace {

using Dims = std::vector<std::int64_t>;

template <class T>
std::string write_file(const Folder& folder, const std::string& name, const Dims& dims,
                       const std::vector<T>& values, const std::string& dataset = "/images") {
  Hdf5Writer writer = Hdf5Writer::create(folder.path(name), "images");
  writer.dataset<T>(dataset, dims, values);
  writer.commit();
  return folder.path(name);
}

// A foreign file: chunked, deflated.
std::string write_chunked(const Folder& folder, const Dims& dims,
                          const std::vector<std::uint8_t>& values) {
  std::string path = folder.path("chunked.h5");
  hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  std::vector<hsize_t> extent(dims.begin(), dims.end()), chunk = extent;
  chunk[0] = 2;
  hid_t space = H5Screate_simple(int(extent.size()), extent.data(), nullptr);
  hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(list, int(chunk.size()), chunk.data());
  H5Pset_shuffle(list);
  H5Pset_deflate(list, 1);
  hid_t data = H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
  H5Dwrite(data, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(data);
  H5Pclose(list);
  H5Sclose(space);
  H5Fclose(file);
  return path;
}

}  // namespace

TEST_CASE("HDF5 pictures of any number of channels are read as they are") {
  Folder folder;
  for (std::int64_t channels : {1, 2, 4, 7}) {
    CAPTURE(channels);
    std::vector<std::uint8_t> values = make_picture(3 * 6, 5, channels, 1).pixels;
    Dataset set = read(write_file(folder, "a.h5", {3, 6, 5, channels}, values));
    CHECK(set.channels == channels);
    CHECK(set.size == 3);
    CHECK(std::equal(values.begin(), values.end(),
                     reinterpret_cast<const std::uint8_t*>(set.pixels.data())));
  }
  std::vector<std::uint8_t> grey(2 * 6 * 5, 3);
  CHECK(read(write_file(folder, "grey.h5", {2, 6, 5}, grey)).channels == 1);
}

TEST_CASE("f32 values stay f32 and cannot be resized") {
  Folder folder;
  std::vector<float> values(2 * 3 * 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i) / 17;
  std::string path = write_file(folder, "f.h5", {2, 3, 3, 1}, values, "/data");
  ReadOptions options;
  options.dataset = "data";
  Dataset set = read(path, options);
  CHECK(set.dtype == DType::f32);
  CHECK(set.row_bytes() == 36);
  CHECK(
      std::equal(values.begin(), values.end(), reinterpret_cast<const float*>(set.pixels.data())));
  options.image_size = 8;
  CHECK(contains(message_of<Error>([&] { read(path, options); }), "used as it is"));
  options.image_size = 0;
  std::vector<std::string> twice = {path, path};
  Dataset both = read_dataset(twice, options);
  CHECK(both.size == 4);
  CHECK(std::equal(set.pixels.begin(), set.pixels.end(),
                   both.pixels.begin() + std::ptrdiff_t(set.pixels.size())));
}

TEST_CASE("other whole numbers are taken if they fit") {
  Folder folder;
  std::vector<std::int32_t> values = {0, 255, 7, 8};
  Dataset set = read(write_file(folder, "i.h5", {1, 2, 2}, values));
  CHECK(int(set.pixels[1]) == 255);
  values[2] = 256;
  std::string message = message_of<Error>([&] {
    read(write_file(folder, "i.h5", {1, 2, 2}, values));
  });
  CHECK(contains(message, "is i32 and holds 256"));
}

TEST_CASE("f64 is read as the nearest f32") {
  Folder folder;
  std::vector<double> doubles = {0, 0.1, 1.0 / 3, 1};
  Dataset set = read(write_file(folder, "d.h5", {1, 2, 2}, doubles));
  CHECK(set.dtype == DType::f32);
  std::vector<float> rounded(doubles.begin(), doubles.end());
  CHECK(set.digest == read(write_file(folder, "f.h5", {1, 2, 2}, rounded)).digest);
  doubles[3] = 1e300;
  CHECK(contains(message_of<Error>([&] {
                   read(write_file(folder, "d.h5", {1, 2, 2}, doubles));
                 }),
                 "numbers that do not fit into f32"));
}

TEST_CASE("floats lie in 0..1 or in the range that is stated") {
  Folder folder;
  std::vector<float> bytes = {0, 255, 51, 102}, signs = {-1, 1, 0, 0.5f};
  std::string path = write_file(folder, "b.h5", {1, 2, 2}, bytes);
  CHECK(contains(
      message_of<Error>([&] { read(path); }),
      "b.h5: /images holds values from 0 to 255, expected 0 to 1; --value-range LOW,HIGH"));
  auto mapped = [](const std::string& file, const char* range) {
    ReadOptions options;
    options.value_range = range;
    Dataset set = read(file, options);
    auto* first = reinterpret_cast<const float*>(set.pixels.data());
    CHECK(std::get<std::string>(*find(set.preprocess, "value_range")) == range);
    return std::vector<float>(first, first + 4);
  };
  CHECK(mapped(path, "0,255") == std::vector<float>{0, 1, 0.2f, 0.4f});
  path = write_file(folder, "s.h5", {1, 2, 2}, signs);
  CHECK(mapped(path, "-1,1") == std::vector<float>{0, 1, 0.5f, 0.75f});
  CHECK(contains(message_of<Error>([&] { mapped(path, "-0.5,1"); }),
                 "from -1 to 1, expected -0.5 to 1"));
  // The ends are as f32 has them.
  std::vector<float> tenths = {0.1f, 0.2f, 0.7f, 0.7f};
  CHECK(mapped(write_file(folder, "t.h5", {1, 2, 2}, tenths), "0.1,0.7")[3] == 1);
  ReadOptions options;
  for (const char* wrong : {"", "1", "1,0", "0,0", "0,1,2", "a,b", "nan,1", "0,inf", "0;1"}) {
    CAPTURE(std::string(wrong));
    options.value_range = wrong;
    CHECK_THROWS_AS(read(path, options), UsageError);
  }
  std::vector<std::uint8_t> u8 = {0, 255, 7, 8};
  options.value_range = "-1,1";
  Dataset whole = read(write_file(folder, "u.h5", {1, 2, 2}, u8), options);
  CHECK(whole.dtype == DType::u8);
  CHECK(find(whole.preprocess, "value_range") == nullptr);
}

TEST_CASE("f32 in 0..1 is mapped, not read") {
  Folder folder;
  std::vector<float> values(4, 0.5f);
  std::string path = write_file(folder, "f.h5", {1, 2, 2}, values);
  Dataset set = read(path);
  std::ofstream change(path, std::ios::in | std::ios::out | std::ios::binary);
  Hdf5Reader file{std::filesystem::path(path)};
  change.seekp(std::streamoff(file.info("/images").offset));
  float other = 0.25f;
  change.write(reinterpret_cast<const char*>(&other), sizeof other);
  change.close();
  CHECK(*reinterpret_cast<const float*>(set.pixels.data()) == other);
}

TEST_CASE("booleans of h5py are black and white, and as labels they are 0 and 1") {
  Folder folder;
  for (hid_t base : {H5T_NATIVE_INT8, H5T_NATIVE_UINT8}) {
    std::string path = folder.path("bool.h5");
    hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t type = H5Tenum_create(base);
    for (char value : {0, 1}) H5Tenum_insert(type, value ? "TRUE" : "FALSE", &value);
    const hsize_t extent[] = {2, 2, 1};
    const char values[] = {0, 1, 1, 0};
    for (int rank : {3, 1}) {
      hid_t space = H5Screate_simple(rank, extent, nullptr);
      hid_t data = H5Dcreate2(file, rank == 3 ? "images" : "labels", type, space, H5P_DEFAULT,
                              H5P_DEFAULT, H5P_DEFAULT);
      H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
      H5Dclose(data);
      H5Sclose(space);
    }
    H5Tclose(type);
    H5Fclose(file);
    Dataset set = read(path);
    std::vector<std::byte> expected = {std::byte(0), std::byte(255), std::byte(255), std::byte(0)};
    CHECK(std::equal(set.pixels.begin(), set.pixels.end(), expected.begin(), expected.end()));
    CHECK(set.labels == std::vector<std::int32_t>{0, 1});
  }
}

TEST_CASE("chunked and compressed datasets of strangers give the same pictures") {
  Folder folder;
  std::vector<std::uint8_t> values = make_picture(5 * 4, 4, 3, 1).pixels;
  ReadOptions options;
  options.dataset = "x";
  Dataset chunked = read(write_chunked(folder, {5, 4, 4, 3}, values), options);
  Dataset plain_set = read(write_file(folder, "p.h5", {5, 4, 4, 3}, values));
  CHECK(chunked.digest == plain_set.digest);
  options.limit = 2;
  Dataset few = read(folder.path("chunked.h5"), options);
  CHECK(few.size == 2);
  ReadOptions same_limit;
  same_limit.limit = 2;
  CHECK(few.digest == read(folder.path("p.h5"), same_limit).digest);
}

TEST_CASE("labels of an HDF5 file are found or named, and must fit") {
  Folder folder;
  std::vector<std::uint8_t> values(3 * 4);
  std::vector<std::int64_t> labels = {5, 0, 2}, wrong = {1, 2};
  Hdf5Writer writer = Hdf5Writer::create(folder.path("l.h5"), "images");
  writer.dataset<std::uint8_t>("/images", Dims{3, 2, 2}, values);
  writer.dataset<std::int64_t>("/labels", Dims{3}, labels);
  writer.dataset<std::int64_t>("/wrong", Dims{2}, wrong);
  writer.dataset<std::int64_t>("/below", Dims{3}, std::vector<std::int64_t>{1, 0, -3});
  writer.commit();
  CHECK(read(folder.path("l.h5")).labels == std::vector<std::int32_t>{5, 0, 2});
  ReadOptions options;
  options.label_dataset = "wrong";
  CHECK(contains(message_of<Error>([&] { read(folder.path("l.h5"), options); }),
                 "/wrong has 2 entries, but /images has 3 pictures"));
  options.label_dataset = "below";
  CHECK(contains(message_of<Error>([&] { read(folder.path("l.h5"), options); }),
                 "l.h5: /below: label 2 is -3, expected at least 0"));
  options.label_dataset = "absent";
  CHECK(contains(message_of<Error>([&] { read(folder.path("l.h5"), options); }),
                 "has no dataset /absent"));
}

TEST_CASE("datasets that hold no pictures are refused by name and shape") {
  Folder folder;
  std::vector<std::uint8_t> values(12);
  CHECK(contains(message_of<Error>([&] {
                   read(write_file(folder, "v.h5", {3, 4}, values));
                 }),
                 "expected [N,H,W] or [N,H,W,C], found [3,4]"));
  CHECK(contains(message_of<Error>([&] {
                   read(write_file(folder, "n.h5", {3, 2, 2}, values, "/other"));
                 }),
                 "has no dataset /images; --dataset names another"));
}

TEST_CASE("sources of any kind join into one set, classes by name") {
  Folder folder;
  folder.png("one/cat/a.png", make_picture(4, 4, 1, 1));
  folder.png("one/dog/b.png", make_picture(4, 4, 1, 2));
  folder.png("two/ant/c.png", make_picture(4, 4, 1, 3));
  folder.png("two/dog/d.png", make_picture(4, 4, 1, 4));
  std::vector<std::string> sources = {folder.path("one"), folder.path("two")};
  Dataset set = read_dataset(sources, {});
  CHECK(set.label_names == std::vector<std::string>{"cat", "dog", "ant"});
  CHECK(set.labels == std::vector<std::int32_t>{0, 1, 2, 1});
  folder.png("flat/e.png", make_picture(4, 4, 1, 5));
  sources.push_back(folder.path("flat"));
  CHECK(contains(message_of<Error>([&] { read_dataset(sources, {}); }), "flat: has no labels"));
  sources.pop_back();
  ReadOptions options;
  options.limit = 3;
  CHECK(read_dataset(sources, options).size == 3);
}

TEST_CASE("pictures that are not finite are refused, or skipped and the others kept") {
  Folder folder;
  const float kNan = std::numeric_limits<float>::quiet_NaN();
  const float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0, 1, kNan, 0.5f, 0.25f, kInfinity, 1, 0};  // 4 of 1x2
  std::vector<std::int32_t> labels = {3, 1, 2, 0};
  Hdf5Writer writer = Hdf5Writer::create(folder.path("a.h5"), "images");
  writer.dataset<float>("/images", std::vector<std::int64_t>{4, 1, 2, 1}, values);
  writer.dataset<std::int32_t>("/labels", std::vector<std::int64_t>{4}, labels);
  writer.commit();
  CHECK_THROWS_AS(read(folder.path("a.h5")), Error);
  for (const char* range : {"0,1", "-1,1"}) {
    ReadOptions options;
    options.on_error = "skip";
    options.value_range = range;
    Dataset set = read(folder.path("a.h5"), options);
    CHECK(set.size == 2);
    CHECK(set.skipped == 2);
    CHECK(set.labels == std::vector<std::int32_t>{3, 0});
    CHECK(set.names == std::vector<std::string>{"index 0", "index 3"});
    for (std::size_t i = 0; i < 4; ++i) {
      float given = values[i < 2 ? i : i + 4];
      float wanted = range[0] == '0' ? given : (given + 1) / 2;
      CHECK(reinterpret_cast<const float*>(set.pixels.data())[i] == wanted);
    }
  }
}
