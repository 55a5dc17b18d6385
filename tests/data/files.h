// Files that the tests of data sets read, made here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "io/image.h"

namespace atelier::test {

// A folder that goes when it does.
class Folder {
 public:
  Folder();
  ~Folder();
  std::string path(std::string_view name = "") const;
  std::string write(std::string_view name, std::span<const std::byte> bytes) const;
  std::string write(std::string_view name, std::string_view text) const;
  std::string png(std::string_view name, const Picture& picture) const;  // makes folders too

 private:
  std::filesystem::path root_;
};

// Pixels that differ from one seed to the next.
Picture make_picture(std::int64_t height, std::int64_t width, std::int64_t channels, int seed);
Picture plain(std::int64_t height, std::int64_t width, std::vector<std::uint8_t> colour);

using Members = std::vector<std::pair<std::string, std::vector<std::byte>>>;
std::vector<std::byte> bytes_of(std::string_view text);
// filter: none, gzip, zstd, xz.
void write_tar(const std::string& path, const Members& members, const std::string& filter);

// An idx file of u8, gzipped if the name says so.
void write_idx(const std::string& path, std::vector<std::int64_t> dims,
               std::span<const std::uint8_t> values, std::uint8_t type = 0x08);

std::vector<std::byte> read_bytes(const std::string& path);

// Standard input is a pipe that these bytes come through, until it goes.
class PipedInput {
 public:
  explicit PipedInput(std::vector<std::byte> bytes);
  ~PipedInput();

 private:
  int saved_;
  std::thread writer_;
};

// All items of a source.
std::vector<Item> read_items(const std::string& source, const ReadOptions& options = {},
                             std::int64_t* skipped = nullptr);
Dataset read(const std::string& source, const ReadOptions& options = {});

// The message of what `action` throws; "" if it throws nothing.
template <class Thrown, class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Thrown& error) {
    return error.what();
  }
  return "";
}
inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// 16x8 grey, left half black, marked by EXIF to be turned clockwise: 8x16, upper half black.
std::vector<std::byte> turned_jpeg();

}  // namespace atelier::test
