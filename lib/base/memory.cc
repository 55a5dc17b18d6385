// Small blocks come from the heap, large ones from mmap with huge pages advised.
#include "base/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace atelier {
namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;

[[noreturn]] void out_of_memory(std::size_t bytes) {
  throw Error(fmt::format("out of memory: {:.1f} MiB wanted", double(bytes) / (1 << 20)));
}
}  // namespace

Buffer::Buffer(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  if (bytes < kHugePage) {
    std::size_t padded = round_up(bytes, kAlignment);
    data_ = static_cast<std::byte*>(std::aligned_alloc(kAlignment, padded));
    if (!data_) out_of_memory(bytes);
    std::memset(data_, 0, padded);
    return;
  }
  std::size_t want = round_up(bytes, kHugePage);
  std::size_t mapping = want + kHugePage;
  void* base = mmap(nullptr, mapping, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) out_of_memory(bytes);
  auto start = reinterpret_cast<std::uintptr_t>(base);
  auto aligned = round_up(start, kHugePage);
  if (aligned > start) munmap(base, aligned - start);
  auto end = start + mapping;
  if (end > aligned + want) {
    munmap(reinterpret_cast<void*>(aligned + want), end - (aligned + want));
  }
  data_ = reinterpret_cast<std::byte*>(aligned);
  mapped_ = want;
  madvise(data_, mapped_, MADV_HUGEPAGE);  // a wish; small pages are only slower
}

Buffer::~Buffer() {
  if (mapped_) {
    munmap(data_, mapped_);
  } else {
    std::free(data_);
  }
}

}  // namespace atelier
