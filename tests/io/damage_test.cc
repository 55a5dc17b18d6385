// Damage: any flipped byte, any lost end, zeroed sectors, versions from the future.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

// A file that is patched in place; what is wrong with it, or "" if it reads as whole.
class Patched {
 public:
  explicit Patched(std::string path) : path_(std::move(path)), right_(verified_contents(path_)) {
    fd_ = ::open(path_.c_str(), O_RDWR);
  }
  ~Patched() { ::close(fd_); }
  void put(std::span<const std::byte> bytes, std::size_t at) {
    REQUIRE(::pwrite(fd_, bytes.data(), bytes.size(), off_t(at)) == ssize_t(bytes.size()));
  }
  // Found with a message that names the file, harmless, or missed.
  enum class Verdict { found, harmless, missed };
  Verdict judge() {
    try {
      return verified_contents(path_) == right_ ? Verdict::harmless : Verdict::missed;
    } catch (const Error& error) {
      if (contains(error.what(), path_)) return Verdict::found;
      MESSAGE("without the file's name: " << error.what());
      return Verdict::missed;
    }
  }

 private:
  std::string path_, right_;
  int fd_ = -1;
};

}  // namespace

TEST_CASE("each flipped byte of a file is found, or changes nothing that can be read") {
  Folder folder;
  write_small(folder.path("s.h5"));
  const Bytes whole = read_bytes(folder.path("s.h5"));
  Patched file(folder.path("s.h5"));
  std::size_t found = 0, harmless = 0;
  // The short form takes every fifth byte: no part of a file is smaller than that.
  const std::size_t stride = std::getenv("ATELIER_THOROUGH") ? 1 : 5;
  for (std::size_t at = 0; at < whole.size(); at += at < 48 ? 1 : stride) {
    // Another bit at each place; all eight of the superblock.
    for (int bit = at < 48 ? 0 : int(at % 8); bit < 8; bit += at < 48 ? 1 : 8) {
      std::byte flipped = whole[at] ^ std::byte(1 << bit);
      file.put({&flipped, 1}, at);
      Patched::Verdict verdict = file.judge();
      if (verdict == Patched::Verdict::missed) FAIL_CHECK("bit " << bit << " of byte " << at);
      ++(verdict == Patched::Verdict::found ? found : harmless);
    }
    file.put({&whole[at], 1}, at);
  }
  CHECK(found > harmless);
  fmt::print("summary: files: {} flips in {} bytes: {} found, {} without effect, 0 missed\n",
             found + harmless, whole.size(), found, harmless);
}

TEST_CASE("a zeroed or overwritten sector is found, or changes nothing that can be read") {
  Folder folder;
  write_small(folder.path("s.h5"));
  const Bytes whole = read_bytes(folder.path("s.h5"));
  Patched file(folder.path("s.h5"));
  for (std::size_t at = 0; at < whole.size(); at += 96) {
    std::size_t bytes = std::min<std::size_t>(128, whole.size() - at);
    for (int fill : {0x00, 0xff}) {
      file.put(Bytes(bytes, std::byte(fill)), at);
      if (file.judge() == Patched::Verdict::missed) FAIL_CHECK("sector at " << at);
    }
    file.put(std::span(whole).subspan(at, bytes), at);
  }
  CHECK(file.judge() == Patched::Verdict::harmless);
}

TEST_CASE("a file cut at any length is refused with both lengths") {
  Folder folder;
  write_small(folder.path("s.h5"));
  const std::size_t whole = read_bytes(folder.path("s.h5")).size();
  const std::string path = folder.path("s.h5");
  for (std::size_t length = whole; length-- > 0;) {
    REQUIRE(::truncate(path.c_str(), off_t(length)) == 0);
    std::string message = message_of([&] { Hdf5Reader file{std::filesystem::path(path)}; });
    std::string want = length == 0   ? "the file is empty"
                       : length < 8  ? "expected an HDF5 file, found "
                       : length < 64 ? "truncated, or an HDF5 superblock"
                                     : fmt::format("truncated: {} bytes of {}", length, whole);
    if (!contains(message, path + ": " + want)) FAIL_CHECK("cut to " << length << ": " << message);
  }
}

TEST_CASE("a newer major version is refused, a newer minor is not") {
  Folder folder;
  const std::string path = folder.path("v.h5");
  for (auto [major, minor] : {std::pair{2u, 0u}, {1u, 9u}, {1u, 0u}}) {
    write_small(path);
    std::uint32_t version[2] = {major, minor};
    hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t attribute = H5Aopen(file, "format_version", H5P_DEFAULT);
    REQUIRE(H5Awrite(attribute, H5T_NATIVE_UINT32, version) >= 0);
    H5Aclose(attribute);
    H5Fclose(file);
    Hdf5Reader reader{std::filesystem::path(path)};
    std::string message = message_of([&] { reader.require_kind("checkpoint"); });
    if (major == 1) {
      CHECK(message.empty());
    } else {
      CHECK(contains(message, path + ": "));
      CHECK(contains(message, "2.0"));
      CHECK(contains(message, "1.x"));
    }
  }
}

TEST_CASE("what is no HDF5 file is told by what it looks like") {
  Folder folder;
  const std::pair<Bytes, const char*> cases[] = {
      {bytes_of("filepath\ttitle\n"), "found text"},
      {encode_png({1, 1, 1, {0}}), "found a PNG picture"},
      {bytes_of("P5\n1 1\n255\nx"), "found a PNM picture"},
      {from_hex("1f8b08000000000000034bcb"), "found gzip data"},
      {bytes_of("PK\x03\x04zip"), "found a zip archive"},
      {Bytes(100), "found other data"}};
  for (const auto& [bytes, want] : cases) {
    std::string path = folder.write("x.h5", bytes);
    CHECK(contains(message_of([&] { Hdf5Reader file{std::filesystem::path(path)}; }),
                   path + ": expected an HDF5 file, " + want));
  }
  CHECK(contains(message_of([&] { Hdf5Reader file{std::filesystem::path(folder.path("no.h5"))}; }),
                 "no.h5: cannot open: No such file or directory"));
  CHECK(contains(message_of([&] { Hdf5Reader file{std::filesystem::path(folder.path())}; }),
                 "Is a directory"));
  CHECK(contains(message_of([&] { Hdf5Reader file{std::filesystem::path("/dev/null")}; }),
                 "/dev/null: expected a regular file"));
}
