// Joining the images of a stream of vectors.
#include "io/vectors_input.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "base/error.h"

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

template <class T>
void append(std::vector<T>& to, const std::vector<T>& more, const char* what,
            const std::string& file) {
  if (to.empty() != more.empty()) {
    throw Error(fmt::format("{}: vectors {} {}, unlike those before", file,
                            more.empty() ? "without" : "with", what));
  }
  to.insert(to.end(), more.begin(), more.end());
}

void join(Vectors& all, Vectors more, const std::string& file) {
  if (all.dim == 0) {
    all = std::move(more);
    return;
  }
  if (more.dim != all.dim || more.model != all.model || more.metric != all.metric ||
      more.normalized != all.normalized) {
    throw Error(fmt::format("{}: vectors [{}] of {}, but those before are [{}] of {}", file,
                            more.dim, more.model, all.dim, all.model));
  }
  append(all.labels, more.labels, "labels", file);
  append(all.ids, more.ids, "ids", file);
  all.values.insert(all.values.end(), more.values.begin(), more.values.end());
}

}  // namespace

Vectors read_vectors_input(const std::string& input) {
  Vectors all;
  for_each_vectors(
      input, [&](const std::string& name, Vectors part) { join(all, std::move(part), name); });
  return all;
}

std::string kind_of_file(const std::string& path) {
  if (path == "-" || !is_hdf5(path)) return "";
  Descriptor file = open_read(path);
  return Hdf5Stream(file.get(), path).next()->kind();
}

}  // namespace atelier
