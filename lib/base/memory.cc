// Small blocks come from the heap, large ones from mmap with huge pages advised.
#include "base/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/available.h"
#include "base/error.h"

namespace atelier {
namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;

// From this size on a block is compared with what the machine has left: the system would grant it,
// and end the process without a word once it is written to.
constexpr std::size_t kCompared = std::size_t{64} << 20;

std::atomic<std::size_t> mapped_bytes{0};  // of all large blocks, written to or not

double mib(std::size_t bytes) { return double(bytes) / (1 << 20); }

[[noreturn]] void out_of_memory(std::size_t bytes) {
  throw Error(fmt::format("out of memory: {:.1f} MiB wanted", mib(bytes)));
}

void require_available(std::size_t bytes) {
  if (bytes < kCompared) return;
  std::size_t in_use = resident_memory(), taken = mapped_bytes.load();
  // What was granted and is not written to yet is still counted as available.
  std::size_t owed = taken > in_use ? taken - in_use : 0;
  std::int64_t left = available_memory();
  if (bytes + owed <= std::size_t(left)) return;
  std::size_t room = owed < std::size_t(left) ? std::size_t(left) - owed : 0;
  throw Error(
      fmt::format("out of memory: {:.1f} MiB wanted, {:.1f} MiB available", mib(bytes), mib(room)));
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
  require_available(bytes);
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
  mapped_bytes += want;
  madvise(data_, mapped_, MADV_HUGEPAGE);  // a wish; small pages are only slower
}

Buffer::~Buffer() {
  if (mapped_) {
    munmap(data_, mapped_);
    mapped_bytes -= mapped_;
  } else {
    std::free(data_);
  }
}

}  // namespace atelier
