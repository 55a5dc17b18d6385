// A fixed table of what is mapped, because a handler may neither allocate nor lock.
#include "base/mapping.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "base/temporaries.h"

namespace atelier {
namespace {

enum State { kFree, kChanging, kMapped };

struct Entry {
  std::atomic<int> state{kFree};
  const std::byte* base = nullptr;
  std::size_t bytes = 0;
  std::uint64_t end = 0;  // of the range in the file
  char name[1024] = {};
};
constinit Entry g_table[64];
char g_program[64];

// Copies as much as fits, with the zero at the end.
template <std::size_t size>
void copy(char (&into)[size], std::string_view text) {
  std::size_t count = std::min(size - 1, text.size());
  std::memcpy(into, text.data(), count);
  into[count] = '\0';
}

// More mappings than the table holds are made all the same, and end without their name.
void add(const void* base, std::size_t bytes, std::uint64_t end, std::string_view name) {
  for (Entry& entry : g_table) {
    int expected = kFree;
    if (!entry.state.compare_exchange_strong(expected, kChanging)) continue;
    entry.base = static_cast<const std::byte*>(base);
    entry.bytes = bytes;
    entry.end = end;
    copy(entry.name, name);
    entry.state = kMapped;
    return;
  }
}

void remove(const void* base) {
  for (Entry& entry : g_table) {
    if (entry.state == kMapped && entry.base == base) entry.state = kFree;
  }
}

const Entry* mapping_at(const void* address) {
  auto* at = static_cast<const std::byte*>(address);
  for (const Entry& entry : g_table) {
    if (entry.state == kMapped && at >= entry.base && at < entry.base + entry.bytes) return &entry;
  }
  return nullptr;
}

// One line on stderr, put together and written by calls that a handler may make.
class Line {
 public:
  Line& operator<<(std::string_view text) {
    std::size_t count = std::min(text.size(), sizeof text_ - size_);
    std::memcpy(text_ + size_, text.data(), count);
    size_ += count;
    return *this;
  }
  Line& operator<<(std::uint64_t number) {
    char digits[20];
    return *this << std::string_view(digits,
                                     std::to_chars(digits, digits + sizeof digits, number).ptr);
  }
  ~Line() { [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, text_, size_); }

 private:
  char text_[2048];
  std::size_t size_ = 0;
};

void report(const void* address) {
  Line line;
  line << g_program << ": ";
  const Entry* entry = mapping_at(address);
  if (!entry) {
    line << "a mapped file or shared memory segment was cut short, or its disk failed\n";
    return;
  }
  struct stat about {};
  line << entry->name << ": ";
  if (::stat(entry->name, &about) == 0 && std::uint64_t(about.st_size) < entry->end) {
    line << "was cut short while it was read: expected at least " << entry->end << " bytes, found "
         << std::uint64_t(about.st_size) << "\n";
  } else {
    line << "was cut short while it was read, or its disk failed\n";
  }
}

void on_lost_page(int signal, siginfo_t* info, void*) {
  if (info->si_code == BUS_ADRERR) {  // not: sent by kill, misaligned, broken memory
    unlink_temporaries();
    report(info->si_addr);
    ::_exit(1);
  }
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

void end_on_lost_pages(std::string_view program) {
  copy(g_program, program);
  struct sigaction action {};
  sigfillset(&action.sa_mask);
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = on_lost_page;
  ::sigaction(SIGBUS, &action, nullptr);
}

Mapping::Mapping(int fd, std::uint64_t offset, std::uint64_t bytes, std::string_view name)
    : size_(bytes) {
  if (bytes == 0) return;
  std::uint64_t page = std::uint64_t(::sysconf(_SC_PAGESIZE)), start = offset / page * page;
  mapped_ = bytes + (offset - start);
  base_ = ::mmap(nullptr, mapped_, PROT_READ, MAP_PRIVATE, fd, off_t(start));
  if (base_ == MAP_FAILED) {
    base_ = nullptr;
    throw_errno(name, "cannot map", errno);
  }
  add(base_, mapped_, offset + bytes, name);
  data_ = static_cast<const std::byte*>(base_) + (offset - start);
}

Mapping::Mapping(Mapping&& other) noexcept { *this = std::move(other); }
Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(mapped_, other.mapped_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}
Mapping::~Mapping() {
  if (!base_) return;
  remove(base_);
  ::munmap(base_, mapped_);
}

void Mapping::drop(std::uint64_t offset, std::uint64_t bytes) const {
  std::uint64_t page = std::uint64_t(::sysconf(_SC_PAGESIZE));
  auto first = (reinterpret_cast<std::uintptr_t>(data_) + offset + page - 1) / page * page;
  auto last = (reinterpret_cast<std::uintptr_t>(data_) + offset + bytes) / page * page;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace atelier
