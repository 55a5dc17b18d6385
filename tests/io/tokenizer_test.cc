// A checkpoint's tokenizer: bytes that come back as they were, or are refused by name.
#include <doctest/doctest.h>

#include <algorithm>

#include "io/checkpoint.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

Checkpoint with_tokenizer(std::string_view bytes) {
  Checkpoint checkpoint{.config = {{"model", std::string("clip")}},
                        .preprocess = {},
                        .training = {},
                        .state = {},
                        .inputs = {}};
  checkpoint.tokenizer = bytes_of(bytes);
  return checkpoint;
}

std::string message(const std::string& path) {
  return message_of([&] { read_checkpoint_attributes(Hdf5Reader(std::filesystem::path(path))); });
}

}  // namespace

TEST_CASE("a tokenizer comes back byte for byte, and is no tensor") {
  Folder folder;
  const std::string path = folder.path("c.h5");
  Store store;
  store.create("w", Type{DType::f32, Shape{2}});
  write_checkpoint(path, with_tokenizer("any bytes at all"), store);
  const Bytes written = read_bytes(path);
  Hdf5Reader file{std::filesystem::path(path)};
  file.verify_all();
  CHECK(file.info("/tokenizer").checksum == xxh3_hex(bytes_of("any bytes at all")));
  CHECK(to_text(*find(file.attributes("/tokenizer"), "type")) == "sentencepiece");
  Store read;
  Checkpoint checkpoint = read_checkpoint(file, read);
  CHECK(checkpoint.tokenizer == bytes_of("any bytes at all"));
  CHECK(read.names() == std::vector<std::string>{"w"});
  write_checkpoint(path, checkpoint, read);
  CHECK(read_bytes(path) == written);
  // Without one there is none.
  write_checkpoint(path, with_tokenizer(""), store);
  Hdf5Reader bare{std::filesystem::path(path)};
  CHECK(!bare.has("/tokenizer"));
  CHECK(read_checkpoint_attributes(bare).tokenizer.empty());
}

TEST_CASE("a checkpoint keeps the digest of its tokenizer, beside the fields") {
  Folder folder;
  const std::string path = folder.path("c.h5");
  write_checkpoint(path, with_tokenizer("any bytes at all"), Store());
  Hdf5Reader file{std::filesystem::path(path)};
  CHECK(to_text(*find(file.attributes("/config"), "tokenizer_xxh3")) ==
        xxh3_hex(bytes_of("any bytes at all")));
  CHECK(read_checkpoint_attributes(file).config.size() == 1);
}

TEST_CASE("a tokenizer that is damaged or of another kind is refused by name") {
  Folder folder;
  const std::string path = folder.path("c.h5");
  write_checkpoint(path, with_tokenizer("any bytes at all"), Store());
  Bytes bytes = read_bytes(path);
  const Bytes text = bytes_of("any bytes at all");
  auto at = std::search(bytes.begin(), bytes.end(), text.begin(), text.end());
  REQUIRE(at != bytes.end());
  at[5] ^= std::byte{1};
  folder.write("c.h5", bytes);
  CHECK(message(path) == path + ": /tokenizer is damaged (its checksum differs)");

  auto foreign = [&](const auto& put) {
    Hdf5Writer file = Hdf5Writer::create(path, "checkpoint");
    file.attributes("/config", {{"model", std::string("clip")}});
    put(file);
    file.commit();
    return message(path);
  };
  const std::vector<std::uint8_t> some{1, 2, 3, 4};
  CHECK(foreign([&](Hdf5Writer& file) {
          file.dataset<std::uint8_t>("/tokenizer", Dims{4}, some);
        }) == path + ": /tokenizer: expected type sentencepiece, found none");
  CHECK(foreign([&](Hdf5Writer& file) {
          file.dataset<std::uint8_t>("/tokenizer", Dims{4}, some);
          file.attribute("/tokenizer", "type", std::string("clip-bpe"));
        }) == path + ": /tokenizer: expected type sentencepiece, found clip-bpe");
  CHECK(foreign([&](Hdf5Writer& file) {
          file.dataset<std::uint8_t>("/tokenizer", Dims{2, 2}, some);
        }) == path + ": /tokenizer: expected contiguous bytes u8 [n]");
  CHECK(foreign([&](Hdf5Writer& file) { file.group("/tokenizer"); }) ==
        path + ": /tokenizer: expected a dataset, found a group");
}
