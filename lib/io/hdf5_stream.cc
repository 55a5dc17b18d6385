// Superblocks, and streams of images laid back to back.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "io/hdf5.h"
#include "io/hdf5_superblock.h"
#include "io/image.h"

namespace atelier {
namespace {

std::uint64_t little(std::span<const std::byte> bytes, std::size_t at, int width) {
  std::uint64_t value = 0;
  for (int i = width - 1; i >= 0; --i)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + std::size_t(i)]);
  return value;
}

bool has_signature(std::span<const std::byte> bytes) {
  return bytes.size() >= 8 && std::memcmp(bytes.data(), "\x89HDF\r\n\x1a\n", 8) == 0;
}

}  // namespace

std::optional<std::uint64_t> image_length(std::span<const std::byte> b) {
  if (!has_signature(b) || b.size() < 64) return std::nullopt;
  int version = std::to_integer<int>(b[8]);
  if (version == 0 || version == 1) {
    std::size_t base = version == 0 ? 24 : 28;
    if (b[13] != std::byte{8} || b[14] != std::byte{8} || little(b, base, 8) != 0)
      return std::nullopt;
    return little(b, base + 16, 8);
  }
  if (version == 2 || version == 3) {
    if (b[9] != std::byte{8} || b[10] != std::byte{8} || little(b, 12, 8) != 0) return std::nullopt;
    return little(b, 28, 8);
  }
  return std::nullopt;
}

std::string describe_bytes(std::span<const std::byte> b) {
  if (b.empty()) return "nothing";
  for (std::size_t at = 512; at + 8 <= b.size(); at *= 2) {
    if (has_signature(b.subspan(at))) return "one behind a user block, which is not read";
  }
  switch (sniff_picture(b)) {
    case PictureFormat::png:
      return "a PNG picture";
    case PictureFormat::jpeg:
      return "a JPEG picture";
    case PictureFormat::webp:
      return "a WebP picture";
    case PictureFormat::bmp:
      return "a BMP picture";
    case PictureFormat::pnm:
      return "a PNM picture";
    case PictureFormat::unknown:
      break;
  }
  auto starts = [&](std::string_view magic) {
    return b.size() >= magic.size() && std::memcmp(b.data(), magic.data(), magic.size()) == 0;
  };
  if (starts("\x1f\x8b")) return "gzip data";
  if (starts("PK")) return "a zip archive";
  if (b.size() >= 262 && std::memcmp(b.data() + 257, "ustar", 5) == 0) return "a tar archive";
  bool text = std::all_of(b.begin(), b.end(), [](std::byte c) {
    return c >= std::byte{32} || c == std::byte{10} || c == std::byte{9} || c == std::byte{13};
  });
  return text ? "text" : "other data";
}

void check_superblock(int fd, std::uint64_t size, const std::string& name) {
  std::byte start[2048 + 8] = {};  // three sizes of user blocks
  ssize_t n = ::pread(fd, start, sizeof start, 0);
  if (n < 0) throw_errno(name, "cannot read", errno);
  std::span<const std::byte> bytes(start, std::size_t(n));
  if (n == 0) throw Error(fmt::format("{}: the file is empty", name));
  if (!has_signature(bytes))
    throw Error(fmt::format("{}: expected an HDF5 file, found {}", name, describe_bytes(bytes)));
  auto length = image_length(bytes);
  if (!length)
    throw Error(fmt::format("{}: truncated, or an HDF5 superblock of an unknown kind", name));
  if (*length > size)
    throw Error(fmt::format("{}: truncated: {} bytes of {}", name, size, *length));
  if (*length < size) {
    throw Error(fmt::format("{}: expected one HDF5 file, found {} bytes behind its end", name,
                            size - *length));
  }
}

Hdf5Stream::Hdf5Stream(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

bool Hdf5Stream::ended() {
  std::byte next{};
  if (pending_.empty() && read_some(fd_, {&next, 1}, name_) == 1) pending_.push_back(next);
  return pending_.empty();
}

std::optional<Hdf5Reader> Hdf5Stream::next() {
  struct stat status {};
  if (index_ == 0 && ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode) &&
      ::lseek(fd_, 0, SEEK_CUR) == 0 && status.st_size > 0) {
    // One image in a regular file is opened where it is, and what is none is named there.
    std::byte start[kSuperblockBytes] = {};
    ssize_t n = ::pread(fd_, start, sizeof start, 0);
    auto length = n > 0 ? image_length(std::span(start, std::size_t(n))) : std::nullopt;
    if (!length || *length >= std::uint64_t(status.st_size)) {
      ++index_;
      ::lseek(fd_, 0, SEEK_END);
      return Hdf5Reader(Descriptor(::dup(fd_)), name_);
    }
  }
  std::vector<std::byte> head = std::move(pending_);
  pending_.clear();
  while (head.size() < kSuperblockBytes) {
    std::size_t at = head.size();
    head.resize(kSuperblockBytes);
    std::size_t n = read_some(fd_, std::span(head).subspan(at), name_);
    head.resize(at + n);
    if (n == 0) break;
  }
  if (head.empty() && index_ > 0) return std::nullopt;
  std::string label = index_ == 0 ? name_ : fmt::format("{} (image {})", name_, index_ + 1);
  ++index_;
  if (head.empty()) throw Error(fmt::format("{}: nothing arrived", label));
  if (!has_signature(head))
    throw Error(fmt::format("{}: expected an HDF5 image, found {}", label, describe_bytes(head)));
  auto length = image_length(head);
  if (!length)
    throw Error(fmt::format("{}: truncated, or an HDF5 superblock of an unknown kind", label));
  Descriptor spool = open_spool();
  const std::string held = in_spool(label);
  std::uint64_t have = std::min<std::uint64_t>(head.size(), *length);
  write_all(spool.get(), std::span(head).first(have), held);
  pending_.assign(head.begin() + std::ptrdiff_t(have), head.end());
  std::vector<std::byte> buffer(1 << 20);
  while (have < *length) {
    auto want = std::min<std::uint64_t>(buffer.size(), *length - have);
    std::size_t n = read_some(fd_, std::span(buffer).first(want), label);
    if (n == 0) throw Error(fmt::format("{}: truncated: {} bytes of {}", label, have, *length));
    write_all(spool.get(), std::span(buffer).first(n), held);
    have += n;
  }
  return Hdf5Reader(std::move(spool), label);
}

Hdf5Reader only_image(int file, const std::string& name) {
  Hdf5Stream stream(file, name);
  Hdf5Reader first = std::move(*stream.next());
  if (!stream.ended()) throw Error(name + ": expected one HDF5 image, found more behind it");
  return first;
}

Hdf5Reader open_hdf5(const std::string& input) {
  if (input == "-") return only_image(STDIN_FILENO, "standard input");
  struct stat status {};
  bool piped = ::stat(input.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
  if (!piped) return Hdf5Reader(std::filesystem::path(input));
  Descriptor file = open_read(input);
  return only_image(file.get(), input);
}

}  // namespace atelier
