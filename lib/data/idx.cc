// idx files through zlib, which reads gzip and plain files alike.
#include "data/idx.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace atelier {
namespace {

constexpr unsigned kMaxRead = 1u << 20;  // zlib counts in unsigned int
constexpr std::int64_t kMaxElements = std::int64_t{1} << 46;

std::size_t size_of_type(std::uint8_t type) {
  switch (type) {
    case 0x08:
    case 0x09:
      return 1;
    case 0x0b:
      return 2;
    case 0x0c:
    case 0x0d:
      return 4;
    case 0x0e:
      return 8;
    default:
      return 0;
  }
}

}  // namespace

bool looks_like_idx(std::span<const std::byte> head) {
  return head.size() >= 4 && head[0] == std::byte{0} && head[1] == std::byte{0} &&
         size_of_type(std::uint8_t(head[2])) != 0 && int(head[3]) >= 1 && int(head[3]) <= 6;
}

struct IdxReader::Impl {
  Impl(Descriptor fd, std::string name) : path(std::move(name)) {
    file = gzdopen(fd.get(), "rb");
    if (!file) throw Error(path + ": cannot read: out of memory");
    fd.release();
    gzbuffer(file, kMaxRead / 4);
  }
  ~Impl() { gzclose(file); }

  // Reads until `into` is full or the file ends; returns the bytes read.
  std::size_t read_up_to(std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
      unsigned want = unsigned(std::min<std::size_t>(kMaxRead, into.size() - done));
      int got = gzread(file, into.data() + done, want);
      if (got < 0) {
        int code = 0;
        std::string_view reason = gzerror(file, &code);
        if (code == Z_ERRNO) throw_errno(path, "cannot read", errno);
        if (reason.starts_with('<')) reason.remove_prefix(reason.find(": ") + 2);  // "<fd:3>: "
        throw Error(fmt::format("{}: is damaged ({})", path, reason));
      }
      if (got == 0) {  // gzread() takes what ends early for an end
        int code = 0;
        gzerror(file, &code);
        if (code == Z_BUF_ERROR) throw Error(path + ": is truncated, its gzip data end early");
        break;
      }
      done += std::size_t(got);
    }
    return done;
  }

  std::string path;
  gzFile file;
  std::uint8_t type = 0;
  std::vector<std::int64_t> dims;
};

IdxReader::IdxReader(const std::string& path) : IdxReader(open_read(path), path) {}

IdxReader::IdxReader(Descriptor file, std::string name)
    : impl_(std::make_unique<Impl>(std::move(file), std::move(name))) {
  std::vector<std::byte> head(4);
  if (impl_->read_up_to(head) != head.size() || !looks_like_idx(head)) {
    throw Error(impl_->path + ": is not an idx file");
  }
  impl_->type = std::uint8_t(head[2]);
  std::vector<std::byte> extents(4 * std::size_t(head[3]));
  if (impl_->read_up_to(extents) != extents.size()) throw Error(impl_->path + ": is truncated");
  std::int64_t count = 1;
  for (std::size_t i = 0; i < extents.size(); i += 4) {
    std::int64_t extent = 0;
    for (std::size_t k = 0; k < 4; ++k) extent = extent << 8 | std::int64_t(extents[i + k]);
    impl_->dims.push_back(extent);
    if (extent > 0 && count > kMaxElements / extent)
      throw Error(impl_->path + ": is damaged (size)");
    count *= extent;
  }
}
IdxReader::~IdxReader() = default;
IdxReader::IdxReader(IdxReader&&) noexcept = default;
IdxReader& IdxReader::operator=(IdxReader&&) noexcept = default;

std::uint8_t IdxReader::type() const { return impl_->type; }
std::size_t IdxReader::element_size() const { return size_of_type(impl_->type); }
const std::vector<std::int64_t>& IdxReader::dims() const { return impl_->dims; }

void IdxReader::read(std::span<std::byte> into) {
  if (impl_->read_up_to(into) != into.size()) {
    throw Error(
        fmt::format("{}: is truncated, its header promises {} items", impl_->path, impl_->dims[0]));
  }
}

void IdxReader::expect_end() {
  std::byte extra;
  if (impl_->read_up_to({&extra, 1}) != 0) {
    throw Error(
        fmt::format("{}: is damaged, bytes follow its {} items", impl_->path, impl_->dims[0]));
  }
}

}  // namespace atelier
