// Files of kind latents: what goes in comes out, and what makes no sense goes neither way.
#include "io/latents.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <functional>
#include <limits>

#include "io/vectors.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

Latents example() {
  return {.height = 2,
          .width = 3,
          .channels = 2,
          .space = {.scaling_factor = 0.18215, .vae = "vae@0123456789abcdef"},
          .label_names = {"cat", "dog"},
          .config = {{"program", std::string("test")}},
          .preprocess = {{"image_height", std::int64_t{8}}},
          .inputs = {{"data", std::string("0123456789abcdef")}}};
}

// Row r of `size` numbers, which f16 has.
std::vector<float> numbers(std::int64_t size, std::int64_t r) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < size; ++i) values.push_back(float(r) - 0.25f * float(i));
  return values;
}

void write(const std::string& path, const Latents& about, std::int64_t rows = 5,
           bool labelled = true) {
  LatentSink sink(path, about, labelled);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::vector<float> values = numbers(about.height * about.width * about.channels, r);
    std::string id = fmt::format("{}.png", r);
    sink.add({.values = values, .id = id, .label = labelled ? std::int32_t(r % 2) : -1});
  }
  sink.finish(about);
}

Hdf5Reader open(const std::string& path) { return Hdf5Reader(std::filesystem::path(path)); }

}  // namespace

TEST_CASE("latents come back with their factor, as f16 too, and flat ones as rows") {
  Folder folder;
  const std::string path = folder.path("l.h5");
  for (const char* dtype : {"f32", "f16"}) {
    Latents about = example();
    about.dtype = dtype;
    write(path, about);
    CHECK(contains(verified_contents(path), " @scaling_factor:"));
    Hdf5Reader file = open(path);
    LatentsInfo found = describe_latents(file);
    CHECK(found.dataset.dims == Dims{5, 2, 3, 2});
    CHECK(name(found.dataset.type) == dtype);
    CHECK(found.dataset.contiguous);
    CHECK(std::vector{found.height, found.width, found.channels} == Dims{2, 3, 2});
    CHECK(found.space == about.space);
    std::vector<float> row(12);
    file.read_rows<float>("/latents", 3, 1, row);
    CHECK(row == numbers(12, 3));
    CHECK(file.attributes("/config") == about.config);
    CHECK(file.attributes("/preprocess") == about.preprocess);
    CHECK(file.attributes("/inputs") == about.inputs);
    CHECK(file.read_strings("/meta/label_names") == about.label_names);
    CHECK(file.read_strings("/meta/ids")[4] == "4.png");
    std::vector<std::int32_t> labels(5);
    file.read<std::int32_t>("/labels", labels);
    CHECK(labels == std::vector<std::int32_t>{0, 1, 0, 1, 0});
  }
  Latents flat{
      .channels = 7, .space = {}, .label_names = {}, .config = {}, .preprocess = {}, .inputs = {}};
  write(path, flat, 0, false);
  LatentsInfo found = describe_latents(open(path));
  CHECK(found.dataset.dims == Dims{0, 7});
  CHECK(std::vector{found.height, found.width, found.channels} == Dims{1, 1, 7});
  CHECK(found.space == LatentSpace{});
  CHECK(!find(open(path).attributes("/latents"), "vae"));
  CHECK(!open(path).has("/labels"));
}

TEST_CASE("latents that make no sense are refused by the writer, and the old file stays") {
  Folder folder;
  const std::string path = folder.write("l.h5", bytes_of("old"));
  auto refusal = [&](const std::function<void(LatentSink&, Latents&)>& act) {
    Latents about = example();
    about.dtype = "f16";
    LatentSink sink(path, about, false);
    std::string message = message_of([&] {
      act(sink, about);
      sink.finish(about);
    });
    CHECK(read_bytes(path) == bytes_of("old"));
    return message;
  };
  std::vector<float> row = numbers(12, 0);
  auto with = [&](float value) {
    row[5] = value;
    return refusal([&](LatentSink& sink, Latents&) { sink.add({.values = row, .id = "a"}); });
  };
  CHECK(with(std::numeric_limits<float>::quiet_NaN()) ==
        path + ": row 0 (a) holds nan, values must be finite");
  CHECK(with(1e5f) == path + ": row 0 (a) holds 100000, f16 reaches 65504; --dtype f32");
  CHECK(refusal([&](LatentSink& sink, Latents&) {
          sink.add({.values = std::span(row).first(11)});
        }) == path + ": row 0 has 11 numbers, others 12");
  CHECK(refusal([&](LatentSink& sink, Latents&) {
          sink.add({.values = row, .id = {}, .label = 1});
        }) == path + ": row 0 has a label, others have none");
  for (double factor : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
    CHECK(refusal([&](LatentSink&, Latents& about) { about.space.scaling_factor = factor; }) ==
          fmt::format("{}: /latents: scaling_factor {}: expected a finite number above 0", path,
                      factor));
  }
  CHECK(folder.entries() == 1);
}

TEST_CASE("files that are called latents and are not are refused by the reader") {
  Folder folder;
  const std::string path = folder.path("l.h5");
  const std::vector<float> eight(8, 0.5f);
  auto refusal = [&](const Dims& dims, const Attributes& about, const char* kind = "latents") {
    Hdf5Writer file = Hdf5Writer::create(path, kind);
    file.dataset<float>("/latents", dims, eight);
    file.attributes("/latents", about);
    file.commit();
    return message_of([&] { describe_latents(open(path)); });
  };
  const Attributes right{{"scaling_factor", 0.5}};
  CHECK(refusal({2, 2, 2, 1}, right) == "");
  CHECK(refusal({2, 4}, {{"scaling_factor", std::int64_t{2}}}) == "");
  CHECK(describe_latents(open(path)).space.scaling_factor == 2);
  CHECK(refusal({2, 4}, right, "vectors") == path + ": expected kind latents, found kind vectors");
  CHECK(refusal({2, 2, 2}, right) ==
        path + ": /latents: expected f32 or f16 [N,H,W,C] or [N,D], found f32 [2,2,2]");
  CHECK(refusal({2, 4}, {}) == path +
                                   ": /latents has no scaling_factor of one number: expected the "
                                   "factor that makes their deviation 1");
  CHECK(refusal({2, 4}, {{"scaling_factor", std::string("one")}}) ==
        path + ": /latents: scaling_factor 'one': expected a number");
  CHECK(refusal({2, 4}, {{"scaling_factor", 0.0}}) ==
        path + ": /latents: scaling_factor 0: expected a finite number above 0");
  CHECK(refusal({2, 4}, {{"scaling_factor", 0.5}, {"vae", std::int64_t{3}}}) ==
        path + ": /latents: vae 3: expected a text");
  Hdf5Writer file = Hdf5Writer::create(path, "latents");
  file.commit();
  CHECK(message_of([&] { describe_latents(open(path)); }) == path + ": no dataset /latents");
  CHECK(message_of([&] {
          require_same_space("b.h5", {2, "x"}, "a.h5", {0.5, "y"});
        }) == "b.h5: scaling_factor is '2', but '0.5' in a.h5");
  CHECK(message_of([&] {
          require_same_space("b.h5", {2, "x"}, "a.h5", {2, ""});
        }) == "b.h5: vae is 'x', but '' in a.h5");
}

TEST_CASE("vectors are of five formats and no other") {
  CHECK(message_of([] { format_of({.output = "x", .format = "png"}); }) ==
        "--format png: expected hdf5, npy, fvecs, csv or jsonl for vectors");
}

TEST_CASE("each flipped byte of latents is found, or changes nothing that is read") {
  Folder folder;
  const std::string path = folder.path("l.h5");
  write(path, example());
  const Bytes whole = read_bytes(path);
  const std::string right = verified_contents(path);
  std::size_t found = 0, harmless = 0;
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    Bytes flipped = whole;
    flipped[at] ^= std::byte(1 << at % 8);
    folder.write("l.h5", flipped);
    std::string read;
    std::string message = message_of([&] {
      describe_latents(open(path));
      read = verified_contents(path);
    });
    ++(message.empty() ? harmless : found);
    if (message.empty() && read != right) FAIL_CHECK("byte " << at << " is missed");
    if (!message.empty() && !contains(message, path)) FAIL_CHECK("byte " << at << ": " << message);
  }
  CHECK(found > harmless);
  fmt::print("summary: files: latents: {} flips found, {} without effect, 0 missed\n", found,
             harmless);
}
