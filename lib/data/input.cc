// Asking inputs what they are, and reading those that are no pictures.
#include "data/input.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace atelier {
namespace {

// At the start of what is read, of the input itself or opened again.
Descriptor descriptor_of(Input& input) {
  if (input.file) return std::move(input.file);
  if (input.reader) throw Error(input.source + ": expected an HDF5 file, found pictures");
  return open_read(input.source);
}

}  // namespace

std::string kind_of(const Input& input) {
  if (input.format != SourceFormat::hdf5) return "";
  Descriptor opened = input.file ? Descriptor() : open_read(input.source);
  int file = input.file ? input.file.get() : opened.get();
  off_t start = ::lseek(file, 0, SEEK_CUR);
  std::string kind = Hdf5Stream(file, input.source).next()->kind();
  if (start < 0 || ::lseek(file, start, SEEK_SET) < 0)
    throw_errno(input.source, "cannot seek", errno);
  return kind;
}

Hdf5Reader take_hdf5(Input input) {
  Descriptor file = descriptor_of(input);
  return only_image(file.get(), input.source);
}

Vectors take_vectors(Input input) {
  Descriptor file = descriptor_of(input);
  return read_all_vectors(file.get(), input.source);
}

}  // namespace atelier
