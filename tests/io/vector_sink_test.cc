// Vectors in the formats of other programs, row by row, and halves of 16 bits.
#include "io/vector_sink.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "io/half.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

Vectors about(const std::string& dtype = "f32") {
  Vectors v;
  v.dim = 3;
  v.dtype = dtype;
  v.metric = "l2";
  v.model = "vae";
  return v;
}

const std::vector<float> kValues{0.1f, -2, 1e-3f, 4, 5, 0.333333333f};

// Two rows of kValues, the first with a name that needs quotes.
std::string written(const Folder& folder, const std::string& file, const Vectors& v,
                    bool labelled = false, VectorSinkOptions options = {}) {
  options.output = folder.path(file);
  VectorSink sink(options, v, labelled);
  VectorRow rows[2];
  rows[0] = {.values = std::span(kValues).first(3), .id = "a,\"b\".png"};
  rows[1] = {.values = std::span(kValues).last(3), .id = "c.png"};
  if (labelled) {
    rows[0].label = 1;
    rows[0].label_name = "dog";
    rows[1].label = 0;
  }
  sink.add(rows);
  sink.finish(v);
  Bytes bytes = read_bytes(options.output);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

TEST_CASE("every half is exact in f32, and f32 goes to the nearest half, ties to even") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    float value = from_half(std::uint16_t(bits));
    if (std::isnan(value)) {
      CHECK(std::isnan(from_half(to_half(value))));
      continue;
    }
    if (to_half(value) != bits) FAIL_CHECK("half " << bits << " is not kept");
    // Between it and the next one: the middle goes to the even one, a hair off to the nearer.
    if (bits >= 0x7bff || std::isinf(value)) continue;
    float next = from_half(std::uint16_t(bits + 1)), middle = value + (next - value) / 2;
    std::uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    bool right = to_half(middle) == even && to_half(std::nextafter(middle, 0.0f)) == bits &&
                 to_half(std::nextafter(middle, 1e9f)) == bits + 1;
    if (!right) FAIL_CHECK("around half " << bits);
  }
  CHECK(from_half(to_half(65519.99f)) == kLargestHalf);
  CHECK(std::isinf(from_half(to_half(65520.0f))));
  CHECK(std::isinf(from_half(to_half(-std::numeric_limits<float>::infinity()))));
  CHECK(to_half(-1e-9f) == 0x8000);
}

TEST_CASE("text holds names, classes and the shortest numbers that read back") {
  Folder folder;
  CHECK(written(folder, "v.csv", about()) ==
        "id,v0,v1,v2\n\"a,\"\"b\"\".png\",0.1,-2,0.001\nc.png,4,5,0.33333334\n");
  CHECK(written(folder, "v.csv", about(), true) ==
        "id,label,v0,v1,v2\n\"a,\"\"b\"\".png\",dog,0.1,-2,0.001\nc.png,0,4,5,0.33333334\n");
  CHECK(written(folder, "v.csv", about(), false, {.header = false}).substr(0, 2) == "\"a");
  CHECK(written(folder, "v.jsonl", about(), true) ==
        "{\"id\":\"a,\\\"b\\\".png\",\"label\":\"dog\",\"vector\":[0.1,-2,0.001]}\n"
        "{\"id\":\"c.png\",\"label\":0,\"vector\":[4,5,0.33333334]}\n");
  CHECK(written(folder, "v.csv", about("f16")) ==
        "id,v0,v1,v2\n\"a,\"\"b\"\".png\",0.099975586,-2,0.0010004044\nc.png,4,5,0.33325195\n");
}

TEST_CASE("npy and fvecs hold the rows and nothing else") {
  Folder folder;
  std::string npy = written(folder, "v.npy", about());
  REQUIRE(npy.size() == 128 + 24);
  CHECK(npy.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  CHECK(npy.substr(10, 59) == "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
  CHECK(npy[127] == '\n');
  CHECK(std::memcmp(npy.data() + 128, kValues.data(), 24) == 0);
  npy = written(folder, "h.npy", about("f16"));
  REQUIRE(npy.size() == 128 + 12);
  CHECK(contains(npy, "'<f2'"));
  std::uint16_t halves[6];
  std::memcpy(halves, npy.data() + 128, 12);
  for (int i = 0; i < 6; ++i) CHECK(halves[i] == to_half(kValues[std::size_t(i)]));
  std::string fvecs = written(folder, "v.fvecs", about());
  REQUIRE(fvecs.size() == 2 * 16);
  CHECK(fvecs.substr(0, 4) == std::string("\3\0\0\0", 4));
  CHECK(std::memcmp(fvecs.data() + 4, kValues.data(), 12) == 0);
  CHECK(std::memcmp(fvecs.data() + 20, kValues.data() + 3, 12) == 0);
}

TEST_CASE("HDF5 comes back, as f16 too and under the names of ann-benchmarks") {
  Folder folder;
  written(folder, "v.h5", about());
  Vectors back = read_all_vectors(folder.path("v.h5"));
  CHECK(back.values == kValues);
  CHECK(back.ids == std::vector<std::string>{"a,\"b\".png", "c.png"});
  CHECK(back.labels.empty());
  CHECK(back.dtype == "f32");
  written(folder, "h.h5", about("f16"), true, {.layout = "ann-benchmarks"});
  Hdf5Reader file(std::filesystem::path(folder.path("h.h5")));
  CHECK(file.info("/train").type == FileType::f16);
  CHECK(find(file.attributes("/"), "distance") != nullptr);
  CHECK(*find(file.attributes("/"), "distance") == Scalar(std::string("euclidean")));
  file.verify_all();
  back = read_vectors(file);
  CHECK(back.dtype == "f16");
  CHECK(back.labels == std::vector<std::int32_t>{1, 0});
  for (std::size_t i = 0; i < 6; ++i) CHECK(back.values[i] == from_half(to_half(kValues[i])));
}

TEST_CASE("rows that make no sense are refused, and nothing is left") {
  Folder folder;
  std::vector<float> row{1, 2, 3};
  for (const char* file : {"v.h5", "v.npy", "v.fvecs", "v.csv", "v.jsonl"}) {
    const std::string path = folder.path(file);
    auto refusal = [&](const Vectors& v, VectorRow bad, bool labelled = false) {
      return message_of([&] {
        VectorSink sink({.output = path}, v, labelled);
        sink.add({&bad, 1});
      });
    };
    CHECK(refusal(about(), {.values = std::span(row).first(2), .id = "a.png"}) ==
          path + ": row 0 (a.png) has 2 numbers, others 3");
    CHECK(refusal(about(), {.values = row}, true) == path + ": row 0 has no label, others have");
    std::vector<float> bad{1, std::nanf(""), 3};
    CHECK(refusal(about(), {.values = bad}) == path + ": row 0 holds nan, values must be finite");
    Vectors unit = about();
    unit.normalized = true;
    CHECK(refusal(unit, {.values = row}) ==
          path + ": row 0 has length 3.742, but rows are normalized");
    if (std::string(file) == "v.fvecs") continue;
    bad = {1, 70000, 3};
    CHECK(refusal(about("f16"), {.values = bad}) ==
          path + ": row 0 holds 70000, f16 reaches 65504; --dtype f32");
  }
  CHECK(folder.entries() == 0);
  CHECK(contains(message_of([&] { format_of({.output = "v.bin"}); }), "-o 'v.bin': expected"));
  CHECK(contains(message_of([&] { format_of({.output = "v.fvecs"}, "f16"); }), "--dtype f16"));
  CHECK(contains(message_of([&] { format_of({.output = "v.csv", .layout = "ann-benchmarks"}); }),
                 "goes with hdf5, not with csv"));
}

TEST_CASE("parts of a stream are joined, their classes renumbered, and strangers refused") {
  Folder folder;
  Vectors one = about(), two = about();
  one.values = {1, 2, 3, 4, 5, 6};
  one.labels = {0, 1};
  one.label_names = {"cat", "dog"};
  one.inputs = two.inputs = {{"data", std::string("00000000000000ff")}};
  two.values = {7, 8, 9};
  two.labels = {0};
  two.label_names = {"dog"};
  write_vectors(folder.path("1.h5"), one);
  write_vectors(folder.path("2.h5"), two);
  Bytes both = read_bytes(folder.path("1.h5")), more = read_bytes(folder.path("2.h5"));
  both.insert(both.end(), more.begin(), more.end());
  Vectors all = read_all_vectors(folder.write("all.h5", both));
  CHECK(all.values == std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(all.labels == std::vector<std::int32_t>{0, 1, 1});
  CHECK(all.label_names == one.label_names);
  CHECK(*find(all.inputs, "data") == Scalar(std::string("00000000000001fe")));
  two.model = "clip";
  write_vectors(folder.path("2.h5"), two);
  both.resize(both.size() - more.size());
  more = read_bytes(folder.path("2.h5"));
  both.insert(both.end(), more.begin(), more.end());
  const std::string path = folder.write("all.h5", both);
  CHECK(message_of([&] { read_all_vectors(path); }) ==
        path + " (image 2): the model is 'clip', but 'vae' in what comes before it");
}
