// Bytes of a descriptor with look-ahead, for what must be recognised before it is read.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace atelier {

class ByteReader {
 public:
  // `fd` stays the caller's if it is standard input; otherwise pass ownership with `owned`.
  ByteReader(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  ByteReader(Descriptor owned, std::string name)
      : owned_(std::move(owned)), fd_(owned_.get()), name_(std::move(name)) {}

  // At least `bytes` bytes from here on, fewer only at the end; valid until the next call.
  std::span<const std::byte> peek(std::size_t bytes);
  void skip(std::size_t bytes);  // of what was peeked
  const std::string& name() const { return name_; }
  // Everything that is left, as a descriptor that can seek and stands at its beginning: the same
  // file if it is one, else an unlinked temporary copy.
  Descriptor seekable();

 private:
  Descriptor owned_;
  int fd_;
  std::string name_;
  std::vector<std::byte> buffer_;
  std::size_t first_ = 0;  // unread bytes are buffer_[first_, end)
  bool ended_ = false;
};

}  // namespace atelier
