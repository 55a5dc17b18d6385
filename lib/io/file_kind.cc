// The signature of HDF5, and the kind that its first image names.
#include "io/file_kind.h"

#include <array>
#include <cstring>
#include <filesystem>

#include "io/hdf5.h"

namespace atelier {
namespace {

constexpr std::array<unsigned char, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

bool is_hdf5(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::array<std::byte, kSignature.size()> start{};
  Descriptor file = open_read(path);
  return read_some(file.get(), start, path) == start.size() &&
         std::memcmp(start.data(), kSignature.data(), start.size()) == 0;
}

}  // namespace

std::string kind_of_file(const std::string& path) {
  if (path == "-" || !is_hdf5(path)) return "";
  Descriptor file = open_read(path);
  return Hdf5Stream(file.get(), path).next()->kind();
}

}  // namespace atelier
