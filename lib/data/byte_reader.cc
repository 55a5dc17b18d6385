// Look-ahead on a descriptor.
#include "data/byte_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace atelier {
namespace {

constexpr std::size_t kBlock = 64 << 10;

}  // namespace

std::span<const std::byte> ByteReader::peek(std::size_t bytes) {
  while (!ended_ && buffer_.size() - first_ < bytes) {
    if (first_ > 0 && first_ >= buffer_.size() / 2) {
      buffer_.erase(buffer_.begin(), buffer_.begin() + std::ptrdiff_t(first_));
      first_ = 0;
    }
    std::size_t held = buffer_.size();
    buffer_.resize(held + std::max(kBlock, std::min(bytes - (held - first_), held)));
    std::size_t got = read_some(fd_, std::span(buffer_).subspan(held), name_);
    buffer_.resize(held + got);
    ended_ = got == 0;
  }
  return std::span<const std::byte>(buffer_).subspan(first_);
}

void ByteReader::skip(std::size_t bytes) { first_ += std::min(bytes, buffer_.size() - first_); }

Descriptor ByteReader::seekable() {
  struct stat status {};
  if (::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
    off_t unread = off_t(buffer_.size() - first_);
    Descriptor same(::fcntl(fd_, F_DUPFD_CLOEXEC, 0));
    if (!same || ::lseek(same.get(), -unread, SEEK_CUR) < 0) {
      throw_errno(name_, "cannot seek", errno);
    }
    return same;
  }
  Descriptor spool = open_spool();
  const std::string held = in_spool(name_);
  for (auto block = peek(1); !block.empty(); block = peek(1)) {
    write_all(spool.get(), block, held);
    skip(block.size());
  }
  if (::lseek(spool.get(), 0, SEEK_SET) != 0) throw_errno(name_, "cannot seek", errno);
  return spool;
}

}  // namespace atelier
