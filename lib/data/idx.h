// The idx format of MNIST: two zero bytes, a type, the rank, big-endian extents, the values;
// plain or gzip (http://yann.lecun.com/exdb/mnist/).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace atelier {

class IdxReader {
 public:
  explicit IdxReader(const std::string& path);   // reads the header; Error if it is none
  IdxReader(Descriptor file, std::string name);  // from where the descriptor stands
  ~IdxReader();
  IdxReader(IdxReader&&) noexcept;
  IdxReader& operator=(IdxReader&&) noexcept;

  std::uint8_t type() const;  // 0x08 u8, 0x09 i8, 0x0b i16, 0x0c i32, 0x0d f32, 0x0e f64
  std::size_t element_size() const;
  const std::vector<std::int64_t>& dims() const;
  void read(std::span<std::byte> into);  // big-endian as stored; Error if truncated
  void expect_end();                     // Error if bytes follow, or gzip data end early

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

bool looks_like_idx(std::span<const std::byte> head);  // at least 4 bytes

}  // namespace atelier
