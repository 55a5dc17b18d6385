// Handles that close themselves, and element types in libhdf5's terms.
#pragma once

#include <hdf5.h>

#include <string>
#include <utility>

#include "io/hdf5.h"

namespace atelier {

// One libhdf5 identifier of any kind.
class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(id) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Handle() { close(); }
  void close() {
    if (id_ >= 0 && H5Iis_valid(id_) > 0) H5Idec_ref(id_);
    id_ = -1;
  }
  operator hid_t() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
};

Handle type_of(FileType type);   // little-endian file type; f16 and bf16 as custom floats
FileType file_type(hid_t type);  // FileType::other for what we do not read
bool is_boolean(hid_t type);     // an enumeration of FALSE 0 and TRUE 1 in one byte, as of h5py
Handle text_type(std::size_t bytes);  // fixed length, UTF-8, padded with zeros

}  // namespace atelier
