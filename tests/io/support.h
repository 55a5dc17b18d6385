// What the tests of files share: folders that go, bytes, small files of ours and of strangers.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/hdf5.h"
#include "io/image.h"

namespace atelier::test {

using Bytes = std::vector<std::byte>;
using Dims = std::vector<std::int64_t>;

// A folder that goes when it does.
class Folder {
 public:
  Folder();
  ~Folder();
  std::string path(std::string_view name = "") const;
  std::string write(std::string_view name, std::span<const std::byte> bytes) const;
  std::size_t entries() const;

 private:
  std::filesystem::path root_;
};

Bytes read_bytes(const std::string& path);
Bytes bytes_of(std::string_view text);
Bytes from_hex(std::string_view digits);

// The message of the Error that `action` throws; "" if it throws none.
std::string message_of(const std::function<void()>& action);
inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// A checkpoint of a few hundred numbers with every group, text, list and element type in use.
void write_small(const std::string& path);

// All that a reader can see of a file: names, attributes, types, shapes and bytes of datasets.
std::string contents(const Hdf5Reader& file);

// Opens and verifies; contents(), or throws.
std::string verified_contents(const std::string& path);

}  // namespace atelier::test
