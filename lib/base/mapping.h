// Files as memory, and what happens when a page of one cannot be had any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace atelier {

// Read-only mapping of a file or of a range of it; empty for an empty range. `name` is what errors
// call the file.
class Mapping {
 public:
  Mapping() = default;
  Mapping(int fd, std::uint64_t offset, std::uint64_t bytes, std::string_view name);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Tells the kernel that these bytes are no longer wanted in this process (streaming readers).
  void drop(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  void* base_ = nullptr;
  std::size_t mapped_ = 0;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// A mapped file that somebody cuts short, or whose disk fails, has pages that are gone: one line
// with the program, the file, the size it must have and the size it has, the temporaries unlinked
// and status 1, instead of SIGBUS.
void end_on_lost_pages(std::string_view program);

}  // namespace atelier
