// Aligned memory that kernels may use: 64-byte aligned, padded to whole cache lines, zeroed.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace atelier {

inline constexpr std::size_t kAlignment = 64;

constexpr std::size_t round_up(std::size_t n, std::size_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// Owns one block. Blocks of 2 MiB and more are mapped, aligned to 2 MiB and offered to the kernel
// as huge pages, so they cost nothing until touched. Throws Error when memory cannot be had; blocks
// of 64 MiB and more also when the machine has not so much left, all that is promised taken off.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Buffer();

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

  template <class T>
  std::span<T> as() const {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
  }
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;  // bytes of the mapping, or 0 if the block came from the heap
};

}  // namespace atelier
