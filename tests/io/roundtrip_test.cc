// What the writer puts into a file the reader takes out of it: types, shapes, texts, attributes.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "io/checkpoint.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

const FileType kTypes[] = {FileType::f16, FileType::bf16, FileType::f32, FileType::f64,
                           FileType::u8,  FileType::i8,   FileType::u16, FileType::i16,
                           FileType::u32, FileType::i32,  FileType::u64, FileType::i64};

Bytes pattern(std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = std::byte(i * 37 + 11);
  return bytes;
}

Hdf5Reader reopened(const std::string& path) { return Hdf5Reader(std::filesystem::path(path)); }

}  // namespace

TEST_CASE("datasets of every element type and rank come back byte for byte") {
  Folder folder;
  const std::vector<Dims> shapes = {{},     {1},       {5},          {0},
                                    {3, 0}, {2, 3, 4}, {2, 1, 3, 2}, {1, 2, 1, 2, 1, 2, 1, 2}};
  int cases = 0;
  Hdf5Writer writer = Hdf5Writer::create(folder.path("all.h5"), "checkpoint");
  auto path_of = [](FileType type, std::size_t s) { return fmt::format("/{}/{}", name(type), s); };
  auto bytes_for = [&](FileType type, const Dims& dims) {
    std::size_t count = size_of(type);
    for (auto d : dims) count *= std::size_t(d);
    return pattern(count);
  };
  for (FileType type : kTypes) {
    for (std::size_t s = 0; s < shapes.size(); ++s)
      writer.dataset(path_of(type, s), type, shapes[s], bytes_for(type, shapes[s]));
  }
  writer.commit();
  Hdf5Reader file = reopened(folder.path("all.h5"));
  file.verify_all();
  for (FileType type : kTypes) {
    for (std::size_t s = 0; s < shapes.size(); ++s, ++cases) {
      CAPTURE(path_of(type, s));
      DatasetInfo info = file.info(path_of(type, s));
      CHECK(info.type == type);
      CHECK(info.dims == shapes[s]);
      CHECK(info.checksum.size() == 16);
      Bytes want = bytes_for(type, shapes[s]);
      if (want.empty()) continue;
      CHECK(info.contiguous);
      Mapping mapping = file.map(path_of(type, s));
      REQUIRE(mapping.bytes().size() == want.size());
      CHECK(std::memcmp(mapping.bytes().data(), want.data(), want.size()) == 0);
    }
  }
  fmt::print("summary: files: {} datasets of {} types come back\n", cases, std::size(kTypes));
}

TEST_CASE("half floats mean what their bits say") {
  Folder folder;
  const std::uint16_t bf16[] = {0x3f80, 0xc020, 0x0001, 0x7f80},
                      f16[] = {0x3c00, 0xc100, 1, 0x7bff};
  Hdf5Writer writer = Hdf5Writer::create(folder.path("h.h5"), "checkpoint");
  writer.dataset("/bf16", FileType::bf16, Dims{4}, std::as_bytes(std::span(bf16)));
  writer.dataset("/f16", FileType::f16, Dims{4}, std::as_bytes(std::span(f16)));
  writer.commit();
  Hdf5Reader file = reopened(folder.path("h.h5"));
  std::vector<float> values(4);
  file.read<float>("/bf16", values);
  CHECK(values[0] == 1.0f);
  CHECK(values[1] == -2.5f);
  CHECK(values[2] == std::ldexp(1.0f, -133));
  CHECK(values[3] == std::numeric_limits<float>::infinity());
  file.read<float>("/f16", values);
  CHECK(values[0] == 1.0f);
  CHECK(values[1] == -2.5f);
  CHECK(values[2] == std::ldexp(1.0f, -24));
  CHECK(values[3] == 65504.0f);
}

TEST_CASE("numbers are converted exactly or refused") {
  Folder folder;
  Hdf5Writer writer = Hdf5Writer::create(folder.path("n.h5"), "images");
  std::vector<std::int64_t> large{1, std::int64_t{1} << 40, -5};
  std::vector<float> fractions{0.5f, 1, 2};
  writer.dataset<std::int64_t>("/large", Dims{3}, large);
  writer.dataset<float>("/fractions", Dims{3}, fractions);
  std::vector<std::string> texts{"a"};
  writer.strings("/texts", texts);
  writer.commit();
  Hdf5Reader file = reopened(folder.path("n.h5"));
  std::vector<std::int32_t> narrow(3);
  CHECK(contains(message_of([&] { file.read<std::int32_t>("/large", narrow); }),
                 "/large: holds numbers that do not fit into i32"));
  std::vector<std::uint64_t> positive(3);
  CHECK(contains(message_of([&] { file.read<std::uint64_t>("/large", positive); }),
                 "/large: holds numbers that do not fit into u64"));
  CHECK(contains(message_of([&] { file.read<std::int32_t>("/fractions", narrow); }),
                 "/fractions: expected whole numbers, found f32"));
  std::vector<float> one(1);
  CHECK(contains(message_of([&] { file.read<float>("/texts", one); }),
                 "/texts: expected numbers, found text"));
  CHECK(contains(message_of([&] { file.read<float>("/fractions", one); }), "do not fit [3]"));
  CHECK(contains(message_of([&] { file.read_strings("/large"); }), "expected a list of texts"));
  CHECK(contains(message_of([&] { file.info("/absent"); }), "no dataset /absent"));
  std::vector<std::int64_t> rows(2);
  file.read_rows<std::int64_t>("/large", 1, 2, rows);
  CHECK(rows == std::vector<std::int64_t>{std::int64_t{1} << 40, -5});
}

TEST_CASE("attributes of every type keep value and order, however many and however long") {
  Folder folder;
  Attributes written{{"whole", std::numeric_limits<std::int64_t>::min()},
                     {"real", 0.1},
                     {"infinite", std::numeric_limits<double>::infinity()},
                     {"yes", true},
                     {"no", false},
                     {"text", std::string("na\xc3\xafve, with \"quotes\"\nand lines")},
                     {"empty", std::string()},
                     {"long", std::string(300'000, 'x')}};
  // More than an object header holds in line, in an order that is not theirs.
  for (int i = 40; i > 0; --i) written.emplace_back(fmt::format("field_{}", i), std::int64_t(i));
  Hdf5Writer writer = Hdf5Writer::create(folder.path("a.h5"), "checkpoint");
  writer.attributes("/config", written);
  writer.commit();
  CHECK(reopened(folder.path("a.h5")).attributes("/config") == written);
}

TEST_CASE("texts of any length come back, empty ones and empty lists too") {
  Folder folder;
  const std::vector<std::vector<std::string>> lists = {
      {}, {""}, {"", "", ""}, {"one"}, {"a", "", "\xc3\xa9t\xc3\xa9", std::string(5000, 'y')}};
  Hdf5Writer writer = Hdf5Writer::create(folder.path("t.h5"), "images");
  for (std::size_t i = 0; i < lists.size(); ++i) {
    writer.strings(fmt::format("/fixed/{}", i), lists[i]);
    writer.ragged_strings(fmt::format("/ragged/{}", i), lists[i]);
  }
  writer.commit();
  Hdf5Reader file = reopened(folder.path("t.h5"));
  file.verify_all();
  for (std::size_t i = 0; i < lists.size(); ++i) {
    CHECK(file.read_strings(fmt::format("/fixed/{}", i)) == lists[i]);
    CHECK(file.read_ragged_strings(fmt::format("/ragged/{}", i)) == lists[i]);
  }
}

TEST_CASE("rows of unknown number end as one contiguous dataset") {
  Folder folder;
  for (std::int64_t count : {0, 1, 1000}) {
    CAPTURE(count);
    Hdf5Writer writer = Hdf5Writer::create(folder.path("r.h5"), "images");
    const std::int64_t row[] = {3, 5};
    Hdf5Writer::Rows rows = writer.rows("/images", FileType::u8, row);
    Hdf5Writer::Rows labels = writer.rows("/labels", FileType::i32, {});
    for (std::int32_t i = 0; i < count; ++i) {
      Bytes bytes(15, std::byte(i));
      rows.append(bytes);
      labels.append(std::as_bytes(std::span(&i, 1)));
    }
    rows.finish();
    labels.finish();
    writer.attribute("/images", "color_space", std::string("sRGB"));
    writer.commit();
    Hdf5Reader file = reopened(folder.path("r.h5"));
    file.verify_all();
    CHECK(file.info("/images").dims == Dims{count, 3, 5});
    std::vector<std::int32_t> back(std::size_t(count), 0);
    file.read<std::int32_t>("/labels", back);
    for (std::int32_t i = 0; i < count; ++i) CHECK(back[std::size_t(i)] == i);
  }
  Hdf5Writer writer = Hdf5Writer::create(folder.path("u.h5"), "images");
  const std::int64_t row[] = {4};
  Hdf5Writer::Rows rows = writer.rows("/x", FileType::u8, row);
  rows.append(Bytes(6));
  CHECK(contains(message_of([&] { rows.finish(); }), "rows of unequal length"));
}

TEST_CASE("a checkpoint gives back its groups and tensors of every type, and no others") {
  Folder folder;
  Store store;
  int value = 1;
  for (DType type : {DType::f32, DType::bf16, DType::i32, DType::u8, DType::f64}) {
    std::string label = fmt::format("layer.{}", int(type));
    for (const char* prefix : {"", "ema0/", "optimizer/exp_avg/"}) {
      StoredTensor& tensor = store.create(prefix + label, Type{type, Shape{3, 2}});
      // Below 0x7f: weights must be finite.
      for (std::size_t i = 0; i < tensor.bytes(); ++i) tensor.data()[i] = std::byte(value++ % 127);
    }
  }
  Checkpoint written{.config = {{"model", std::string("vae")}, {"latent_dim", std::int64_t{2}}},
                     .preprocess = {{"image_height", std::int64_t{8}}},
                     .training = {{"steps", std::int64_t{7}}},
                     .state = {{"step", std::int64_t{5}}},
                     .inputs = {{"data", std::string("0123")}}};
  write_checkpoint(folder.path("c.h5"), written, store);
  Store back;
  Checkpoint read = read_checkpoint(reopened(folder.path("c.h5")), back);
  CHECK(read.config == written.config);
  CHECK(read.preprocess == written.preprocess);
  CHECK(read.training == written.training);
  CHECK(read.state == written.state);
  CHECK(read.inputs == written.inputs);
  CHECK(back.names().size() == 15);
  for (const std::string& label : store.names()) {
    CAPTURE(label);
    REQUIRE(back.has(label));
    REQUIRE(back.at(label).type == store.at(label).type);
    CHECK(std::memcmp(back.at(label).data(), store.at(label).data(), store.at(label).bytes()) == 0);
  }
  Store other;
  other.create("layer.0", Type{DType::f32, Shape{2, 3}});
  std::string message = message_of([&] { read_checkpoint(reopened(folder.path("c.h5")), other); });
  CHECK(contains(message, "c.h5: tensor layer.0: expected"));
}

TEST_CASE("equal contents are equal bytes, and carry no clock and no path") {
  Folder folder;
  std::filesystem::create_directory(folder.path("elsewhere"));
  write_small(folder.path("a.h5"));
  write_small(folder.path("elsewhere/other-name.h5"));
  Bytes bytes = read_bytes(folder.path("a.h5"));
  CHECK(bytes == read_bytes(folder.path("elsewhere/other-name.h5")));
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CHECK(!contains(text, "a.h5"));
  CHECK(!contains(text, folder.path()));
  CHECK(int(bytes[8]) == 2);  // superblock 2: HDF5 1.8 and later read it
}

TEST_CASE("a writer that is dropped leaves nothing and touches nothing") {
  Folder folder;
  folder.write("a.h5", bytes_of("old"));
  {
    Hdf5Writer writer = Hdf5Writer::create(folder.path("a.h5"), "images");
    writer.attribute("/", "x", std::int64_t{1});
  }
  CHECK(read_bytes(folder.path("a.h5")) == bytes_of("old"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("a file is asked for its kind by name") {
  Folder folder;
  write_small(folder.path("c.h5"));
  Hdf5Reader file = reopened(folder.path("c.h5"));
  file.require_kind("checkpoint");
  CHECK(contains(message_of([&] { file.require_kind("images"); }),
                 "c.h5: expected kind images, found kind checkpoint"));
}
