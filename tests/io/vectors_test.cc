// Files of kind vectors: what goes in comes out, and what makes no sense goes neither way.
#include "io/vectors.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>

#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

Vectors example() {
  Vectors v;
  v.dim = 5;
  for (int row = 0; row < 7; ++row) {
    std::vector<float> values;
    float square = 0;
    for (int i = 0; i < 5; ++i) {
      values.push_back(std::sin(float(row * 5 + i)));
      square += values.back() * values.back();
    }
    for (float value : values) v.values.push_back(value / std::sqrt(square));
    v.labels.push_back(row % 3);
    v.ids.push_back(fmt::format("set/{}.png", row));
  }
  v.normalized = true;
  v.model = "clip";
  v.label_names = {"cat", "dog", "\xc3\xa9t\xc3\xa9"};
  v.config = {{"program", std::string("img2vec")}};
  v.preprocess = {{"image_height", std::int64_t{32}}};
  v.inputs = {{"data", std::string("0123456789abcdef")}};
  return v;
}

Vectors back(const std::string& path) {
  return read_vectors(Hdf5Reader(std::filesystem::path(path)));
}

void check_same(const Vectors& a, const Vectors& b) {
  CHECK(a.dim == b.dim);
  CHECK(a.values == b.values);
  CHECK(a.metric == b.metric);
  CHECK(a.normalized == b.normalized);
  CHECK(a.model == b.model);
  CHECK(a.labels == b.labels);
  CHECK(a.ids == b.ids);
  CHECK(a.label_names == b.label_names);
  CHECK(a.config == b.config);
  CHECK(a.preprocess == b.preprocess);
  CHECK(a.inputs == b.inputs);
}

}  // namespace

TEST_CASE("vectors come back as they were, with everything and with nothing beside them") {
  Folder folder;
  const std::string path = folder.path("v.h5");
  write_vectors(path, example());
  check_same(back(path), example());
  CHECK(contains(verified_contents(path), " @metric:"));
  Vectors bare;
  bare.dim = 3;
  bare.values = {1, -2, 3e38f, 0, 0, 0};
  bare.metric = "l2";
  write_vectors(path, bare);
  check_same(back(path), bare);
  Vectors none;
  none.dim = 3;
  none.metric = "ip";
  none.normalized = true;
  write_vectors(path, none);
  check_same(back(path), none);
  CHECK(Hdf5Reader(std::filesystem::path(path)).info("/vectors").dims == Dims{0, 3});
  // For tests of the tools, as long as no tool writes vectors: other programs must read them.
  if (const char* wanted = std::getenv("ATELIER_WRITE_VECTORS")) write_vectors(wanted, example());
}

TEST_CASE("vectors that make no sense are refused by the writer, and the old file stays") {
  Folder folder;
  const std::string path = folder.write("v.h5", bytes_of("old"));
  const std::pair<std::function<void(Vectors&)>, const char*> cases[] = {
      {[](Vectors& v) { v.values.pop_back(); }, "/vectors: 34 numbers are no rows of 5"},
      {[](Vectors& v) { v.dim = 0; }, "/vectors: 35 numbers are no rows of 0"},
      {[](Vectors& v) { v.labels.pop_back(); }, "/labels has 6 entries, but /vectors has 7 rows"},
      {[](Vectors& v) { v.ids.emplace_back("x"); },
       "/meta/ids has 8 entries, but /vectors has 7 rows"},
      {[](Vectors& v) { v.metric = "dot"; }, "/vectors: metric 'dot': expected cosine, l2 or ip"},
      {[](Vectors& v) { v.labels[2] = 3; }, "/labels: label 3 of row 2 is no class"},
      {[](Vectors& v) { v.labels[6] = -1; }, "/labels: label -1 of row 6 is no class"},
      {[](Vectors& v) { v.values[33] = std::nanf(""); },
       "/vectors: row 6 holds nan, values must be finite"},
      {[](Vectors& v) { v.values[0] = -std::numeric_limits<float>::infinity(); },
       "/vectors: row 0 holds inf, values must be finite"},
      {[](Vectors& v) { std::fill_n(v.values.begin() + 10, 5, 1.0f); },
       "/vectors: row 2 has length 2.236, but rows are normalized"}};
  for (const auto& [spoil, want] : cases) {
    Vectors v = example();
    spoil(v);
    CHECK(message_of([&, &v = v] { write_vectors(path, v); }) == path + ": " + want);
    CHECK(read_bytes(path) == bytes_of("old"));
  }
  CHECK(folder.entries() == 1);
}

TEST_CASE("files that are called vectors and are not are refused by the reader") {
  Folder folder;
  const std::string path = folder.path("v.h5");
  const std::vector<float> six(6, 0.5f);
  const Attributes about{
      {"metric", std::string("l2")}, {"normalized", false}, {"model", std::string()}};
  auto refusal = [&](const std::function<void(Hdf5Writer&)>& fill, const char* kind = "vectors") {
    Hdf5Writer file = Hdf5Writer::create(path, kind);
    fill(file);
    file.commit();
    return message_of([&] { back(path); });
  };
  CHECK(refusal([](Hdf5Writer&) {}, "samples") ==
        path + ": expected kind vectors, found kind samples");
  CHECK(refusal([](Hdf5Writer&) {}) == path + ": no dataset /vectors");
  CHECK(refusal([&](Hdf5Writer& f) { f.dataset<float>("/vectors", Dims{6}, six); }) ==
        path + ": /vectors: expected f32 or f16 [N,D], found f32 [6]");
  CHECK(refusal([&](Hdf5Writer& f) {
          f.dataset<float>("/vectors", Dims{2, 3}, six);
        }) == path + ": /vectors has no attribute metric");
  auto with = [&](const std::function<void(Hdf5Writer&)>& more) {
    return refusal([&](Hdf5Writer& f) {
      f.dataset<float>("/vectors", Dims{2, 3}, six);
      f.attributes("/vectors", about);
      more(f);
    });
  };
  CHECK(with([](Hdf5Writer&) {}) == "");
  const std::vector<std::int32_t> labels{0, 1, 1};
  CHECK(with([&](Hdf5Writer& f) { f.dataset<std::int32_t>("/labels", Dims{3}, labels); }) ==
        path + ": /labels has 3 entries, but /vectors has 2 rows");
  CHECK(with([&](Hdf5Writer& f) {
          f.dataset<float>("/labels", Dims{2, 3}, six);
        }) == path + ": /labels: expected whole numbers, found f32");
  CHECK(with([&](Hdf5Writer& f) { f.dataset<float>("/meta/ids", Dims{6}, six); }) ==
        path + ": /meta/ids: expected a list of texts");
}

TEST_CASE("each flipped byte of vectors is found, or changes nothing that is read") {
  Folder folder;
  const std::string path = folder.path("v.h5");
  write_vectors(path, example());
  const Bytes whole = read_bytes(path);
  const Vectors right = example();
  std::size_t found = 0, harmless = 0;
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    Bytes flipped = whole;
    flipped[at] ^= std::byte(1 << at % 8);
    folder.write("v.h5", flipped);
    Vectors read;
    std::string message = message_of([&] { read = back(path); });
    if (message.empty()) {
      ++harmless;
      bool same = read.values == right.values && read.labels == right.labels &&
                  read.ids == right.ids && read.label_names == right.label_names &&
                  read.metric == right.metric && read.model == right.model && read.normalized &&
                  read.config == right.config && read.preprocess == right.preprocess &&
                  read.inputs == right.inputs;
      if (!same) FAIL_CHECK("byte " << at << " is missed");
    } else {
      ++found;
      if (!contains(message, path)) FAIL_CHECK("byte " << at << ": " << message);
    }
  }
  CHECK(found > harmless);
  for (std::size_t length : {std::size_t(0), std::size_t(40), whole.size() / 2, whole.size() - 1}) {
    folder.write("v.h5", std::span(whole).first(length));
    CHECK(contains(message_of([&] { back(path); }), path + ": "));
  }
  fmt::print("summary: files: vectors: {} flips found, {} without effect, 0 missed\n", found,
             harmless);
}
