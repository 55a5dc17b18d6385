// Packing: the same pictures by any way, equal bytes, flat memory, streams.
#include <doctest/doctest.h>
#include <hdf5.h>
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "files.h"
#include "io/hdf5.h"

using namespace atelier;
using namespace atelier::test;

// Sanitizers keep freed memory; GCC tells of them by a macro, clang by a feature.
#if defined(__has_feature)
#define KEEPS_FREED_MEMORY __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define KEEPS_FREED_MEMORY 1
#else
#define KEEPS_FREED_MEMORY 0
#endif

namespace {

constexpr bool kKeepsFreedMemory = KEEPS_FREED_MEMORY;

PackResult pack(const std::string& source, const std::string& output,
                const ReadOptions& options = {}) {
  std::vector<std::string> sources;
  if (!source.empty()) sources.push_back(source);
  return pack_dataset(sources, options, output, {{"program", std::string("test")}}, false);
}

Members labelled_members() {
  Members members;
  for (int i = 0; i < 6; ++i) {
    std::string name = std::string(i % 2 ? "dog/" : "cat/") + std::to_string(i) + ".png";
    members.emplace_back(name, encode_png(make_picture(9, 7, 3, i)));
  }
  std::sort(members.begin(), members.end());
  members.emplace_back("captions.tsv", bytes_of("filepath\ttitle\ncat/0.png\tzero\ndog/1.png\tuno\n"
                                                "cat/2.png\ttwo\ndog/3.png\t\xc3\xa9t\xc3\xa9\n"
                                                "cat/4.png\tfour\ndog/5.png\tfive\n"));
  return members;
}

// The highest resident set since the last call, in bytes; 0 if the kernel does not say.
std::size_t peak_memory() {
  std::ifstream status("/proc/self/status");
  std::string line;
  std::size_t kib = 0;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) std::istringstream(line.substr(6)) >> kib;
  }
  return kib << 10;
}
bool reset_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return bool(file);
}

}  // namespace

TEST_CASE("folder, archive and packed file of the same pictures have one digest") {
  Folder folder;
  for (const auto& [name, bytes] : labelled_members()) folder.write("set/" + name, bytes);
  write_tar(folder.path("set.tar"), labelled_members(), "zstd");
  PackResult result = pack(folder.path("set"), folder.path("a.h5"));
  CHECK(result.written == 6);
  CHECK(result.classes == 2);
  CHECK(describe(result) == "6 pictures 9x7x3, 2 classes, 0 skipped");
  Dataset from_folder = read(folder.path("set"));
  Dataset from_tar = read(folder.path("set.tar"));
  Dataset from_file = read(folder.path("a.h5"));
  CHECK(from_tar.digest == from_folder.digest);
  CHECK(from_file.digest == from_folder.digest);
  CHECK(from_file.labels == from_folder.labels);
  CHECK(from_file.label_names == from_folder.label_names);
  CHECK(from_file.captions == from_folder.captions);
  CHECK(from_file.names == from_folder.names);
  CHECK(from_file.preprocess == from_folder.preprocess);
  pack(folder.path("set.tar"), folder.path("b.h5"));
  CHECK(read_bytes(folder.path("a.h5")) == read_bytes(folder.path("b.h5")));
}

TEST_CASE("a digest sees pixels, labels and shape") {
  Folder folder;
  std::vector<std::uint8_t> pixels = make_picture(4, 6, 1, 1).pixels;
  write_idx(folder.path("a"), {1, 4, 6}, pixels);
  write_idx(folder.path("b"), {1, 6, 4}, pixels);
  std::uint64_t digest = read(folder.path("a")).digest;
  CHECK(read(folder.path("b")).digest != digest);
  ReadOptions options;
  options.labels = folder.write("labels.txt", "1\n");
  CHECK(read(folder.path("a"), options).digest != digest);
  pixels[0] ^= 1;
  write_idx(folder.path("c"), {1, 4, 6}, pixels);
  CHECK(read(folder.path("c")).digest != digest);
}

TEST_CASE("packing twice gives equal bytes, and packing a packed file keeps everything") {
  ReadOptions options;
  options.synthetic = "shapes";
  options.synthetic_count = 40;
  Folder folder;
  pack("", folder.path("a.h5"), options);
  pack("", folder.path("b.h5"), options);
  CHECK(read_bytes(folder.path("a.h5")) == read_bytes(folder.path("b.h5")));
  pack(folder.path("a.h5"), folder.path("c.h5"));
  Dataset a = read(folder.path("a.h5")), c = read(folder.path("c.h5"));
  CHECK(a.digest == c.digest);
  CHECK(a.captions == c.captions);
  CHECK(a.names == c.names);
  CHECK(a.label_names == c.label_names);
}

TEST_CASE("a packed file is of kind images, checked and described") {
  Folder folder;
  for (const auto& [name, bytes] : labelled_members()) folder.write("set/" + name, bytes);
  ReadOptions options;
  options.image_size = 8;
  pack(folder.path("set"), folder.path("a.h5"), options);
  Hdf5Reader file{std::filesystem::path(folder.path("a.h5"))};
  CHECK(file.kind() == "images");
  DatasetInfo info = file.info("/images");
  CHECK(info.dims == std::vector<std::int64_t>{6, 8, 8, 3});
  CHECK(info.contiguous);
  CHECK(info.checksum.size() == 16);
  file.verify_all();
  CHECK(std::get<std::string>(*find(file.attributes("/images"), "color_space")) == "sRGB");
  CHECK(file.read_strings("/meta/ids")[0] == "cat/0.png");
  CHECK(file.read_ragged_strings("/captions").size() == 6);
  CHECK(std::get<std::int64_t>(*find(file.attributes("/preprocess"), "image_height")) == 8);
  CHECK(find(file.attributes("/inputs"), "data") != nullptr);
  CHECK(std::get<std::string>(*find(file.attributes("/config"), "program")) == "test");
}

TEST_CASE("what was done to packed pictures stays on record while their shape stays") {
  Folder folder;
  folder.png("p/a.png", make_picture(8, 9, 4, 1));
  ReadOptions options;
  options.background = "black";
  options.crop = "none";
  options.image_size = 6;
  pack(folder.path("p"), folder.path("a.h5"), options);
  pack(folder.path("a.h5"), folder.path("b.h5"));
  Dataset a = read(folder.path("a.h5")), b = read(folder.path("b.h5"));
  CHECK(std::get<std::string>(*find(a.preprocess, "background")) == "black");
  CHECK(std::get<std::string>(*find(a.preprocess, "crop")) == "none");
  CHECK(a.preprocess == b.preprocess);
  options.image_size = 5;
  options.background = "white";
  CHECK(std::get<std::string>(*find(read(folder.path("a.h5"), options).preprocess, "background")) ==
        "white");
}

TEST_CASE("without labels or captions a packed file has none") {
  Folder folder;
  folder.png("p/a.png", make_picture(4, 4, 3, 1));
  pack(folder.path("p"), folder.path("a.h5"));
  Hdf5Reader file{std::filesystem::path(folder.path("a.h5"))};
  CHECK(!file.has("/labels"));
  CHECK(!file.has("/captions"));
  CHECK(!file.has("/meta/label_names"));
}

TEST_CASE("packed files come through a pipe, one or several") {
  Folder folder;
  ReadOptions options;
  options.synthetic = "shapes";
  options.synthetic_count = 10;
  pack("", folder.path("a.h5"), options);
  std::vector<std::byte> stream = read_bytes(folder.path("a.h5"));
  {
    PipedInput input(stream);
    CHECK(read("-").digest == read(folder.path("a.h5")).digest);
  }
  std::vector<std::byte> twice = stream;
  twice.insert(twice.end(), stream.begin(), stream.end());
  {
    PipedInput input(twice);
    Dataset set = read("-");
    CHECK(set.size == 20);
    CHECK(set.captions.size() == 20);
    CHECK(set.captions[13] == set.captions[3]);
  }
  const std::string file = folder.write("twice.h5", twice);
  CHECK(read(file).size == 20);
  CHECK(pack(file, folder.path("packed.h5")).written == 20);
  twice.resize(twice.size() - 100);
  {
    PipedInput input(twice);
    CHECK(message_of<Error>([&] { read("-"); }) != "");
  }
  folder.write("twice.h5", twice);
  CHECK(contains(message_of<Error>([&] { read(file); }), "twice.h5 (image 2): truncated: "));
  stream.push_back(std::byte{'x'});
  folder.write("twice.h5", stream);
  CHECK(contains(message_of<Error>([&] { read(file); }),
                 "twice.h5 (image 2): expected an HDF5 image, found text"));
}

TEST_CASE("what fails leaves no file") {
  Folder folder;
  folder.png("p/a.png", make_picture(4, 4, 3, 1));
  folder.write("p/b.png", "junk");
  CHECK_THROWS_AS(pack(folder.path("p"), folder.path("a.h5")), Error);
  CHECK(!std::filesystem::exists(folder.path("a.h5")));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()),
                      std::filesystem::directory_iterator{}) == 1);
}

TEST_CASE("floats are packed as f32 in 0..1, and a packed file is used as it is") {
  Folder folder;
  std::vector<float> values;
  for (int i = 0; i < 3 * 4; ++i) values.push_back(float(i) / 11 * 2 - 1);
  std::vector<std::int32_t> labels = {2, 0, 1};
  Hdf5Writer writer = Hdf5Writer::create(folder.path("f.h5"), "images");
  writer.dataset<float>("/images", std::vector<std::int64_t>{3, 2, 2, 1}, values);
  writer.dataset<std::int32_t>("/labels", std::vector<std::int64_t>{3}, labels);
  writer.commit();
  ReadOptions options;
  options.value_range = "-1,1";
  CHECK(describe(pack(folder.path("f.h5"), folder.path("a.h5"), options)) ==
        "3 pictures 2x2x1, 3 classes, 0 skipped");
  Dataset raw = read(folder.path("f.h5"), options), packed = read(folder.path("a.h5"));
  CHECK(packed.dtype == DType::f32);
  CHECK(packed.digest == raw.digest);
  CHECK(packed.preprocess == raw.preprocess);
  CHECK(std::get<std::string>(*find(packed.preprocess, "value_range")) == "-1,1");
  // What a model says that was trained on either: a packed file is in 0..1 already.
  CHECK(read(folder.path("a.h5"), options).digest == raw.digest);
  pack(folder.path("a.h5"), folder.path("b.h5"), options);
  CHECK(read(folder.path("b.h5")).digest == raw.digest);
  options.image_size = 4;
  CHECK(
      contains(message_of<Error>([&] { pack(folder.path("a.h5"), folder.path("b.h5"), options); }),
               "a.h5/index 0: is f32 2x2x1, which is used as it is"));
  folder.png("p/a.png", make_picture(2, 2, 1, 1));
  std::vector<std::string> both = {folder.path("a.h5"), folder.path("p")};
  options = {};
  options.labels = "";
  std::string message = message_of<Error>([&] { read_dataset(both, options); });
  CHECK(contains(message, "has no labels, but"));
  std::vector<std::string> kinds = {folder.path("unlabelled.h5"), folder.path("p")};
  Hdf5Writer plain = Hdf5Writer::create(kinds[0], "images");
  std::vector<float> zeros(4);
  plain.dataset<float>("/images", std::vector<std::int64_t>{1, 2, 2, 1}, zeros);
  plain.commit();
  message = message_of<Error>([&] { read_dataset(kinds, options); });
  CHECK(contains(message, "p/a.png: is u8, but"));
  CHECK(contains(message, "unlabelled.h5/index 0 is f32"));
}

TEST_CASE("a file may be packed onto itself") {
  Folder folder;
  ReadOptions options;
  options.synthetic = "noise";
  options.synthetic_count = 12;
  pack("", folder.path("a.h5"), options);
  ReadOptions fewer;
  fewer.limit = 5;
  std::uint64_t digest = read(folder.path("a.h5"), fewer).digest;
  pack(folder.path("a.h5"), folder.path("a.h5"), fewer);
  CHECK(read(folder.path("a.h5")).digest == digest);
}

TEST_CASE("16,000 pictures are packed in 8 MiB more than 1,000") {
  if (kKeepsFreedMemory) {
    std::puts("skipped: growth of memory, which means nothing under a sanitizer");
    return;
  }
  Folder folder;
  std::vector<std::byte> png = encode_png(make_picture(16, 16, 3, 1));
  std::size_t peaks[2] = {};
  for (int large = 0; large < 2; ++large) {
    int count = large ? 16000 : 1000;
    {
      Members members;
      std::string table = "filepath\ttitle\n";
      for (int i = 0; i < count; ++i) {
        std::string name = (i % 4 ? "adventurer/" : "open-peeps/") + std::to_string(100000 + i);
        table += name + ".png\ta caption of some eighty letters, as people write them for " +
                 "their pictures, number " + std::to_string(i) + "\n";
        members.emplace_back(name + ".png", png);
      }
      members.emplace_back("captions.tsv", bytes_of(table));
      write_tar(folder.path("a.tar"), members, "none");
    }
    ::malloc_trim(0);
    if (!reset_peak_memory()) {
      std::puts("skipped: growth of memory, whose peak this kernel does not let reset");
      return;
    }
    pack(folder.path("a.tar"), folder.path("a.h5"));
    peaks[large] = peak_memory();
  }
  double growth = (double(peaks[1]) - double(peaks[0])) / double(1 << 20);
  MESSAGE("growth of memory in MiB: ", growth);
  CHECK(growth <= 8);
}

TEST_CASE("chunked, deflated HDF5 files are packed in 8 MiB more for 16 times the pictures") {
  if (kKeepsFreedMemory) {
    std::puts("skipped: growth of memory, which means nothing under a sanitizer");
    return;
  }
  Folder folder;
  std::size_t peaks[2] = {};
  for (int large = 0; large < 2; ++large) {
    const hsize_t extent[] = {large ? 16000u : 1000u, 32, 32, 3}, chunk[] = {64, 32, 32, 3};
    {
      std::vector<float> values(extent[0] * 32 * 32 * 3, 0.5f);
      hid_t file = H5Fcreate(folder.path("c.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
      hid_t space = H5Screate_simple(4, extent, nullptr), list = H5Pcreate(H5P_DATASET_CREATE);
      H5Pset_chunk(list, 4, chunk);
      H5Pset_deflate(list, 1);
      hid_t data =
          H5Dcreate2(file, "images", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
      H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
      for (hid_t id : {data, list, space, file}) H5Idec_ref(id);
    }
    ::malloc_trim(0);
    if (!reset_peak_memory()) {
      std::puts("skipped: growth of memory, whose peak this kernel does not let reset");
      return;
    }
    std::vector<std::string> twice(2, folder.path("c.h5"));
    pack_dataset(twice, {}, folder.path("a.h5"), {}, false);
    peaks[large] = peak_memory();
  }
  double growth = (double(peaks[1]) - double(peaks[0])) / double(1 << 20);
  MESSAGE("summary: growth of memory for 375 MiB of deflated f32, in MiB: ", growth);
  CHECK(growth <= 8);
}
