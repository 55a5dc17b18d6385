// POSIX calls with their errors kept: EINTR is repeated, short transfers go on.
#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/outputs.h"
#include "base/temporaries.h"

namespace atelier {

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void throw_errno(const std::filesystem::path& path, std::string_view what, int error) {
  std::string name = path.empty() ? "''" : path.string();
  throw Error(fmt::format("{}: {}: {}", name, what, std::strerror(error)));
}

std::string input_name(const std::string& path) { return path == "-" ? "standard input" : path; }

std::string output_name(const std::string& path) { return path == "-" ? "standard output" : path; }

Descriptor open_read(const std::filesystem::path& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_errno(path, "cannot open", errno);
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(fd);
    throw_errno(path, "cannot read", EISDIR);
  }
  return Descriptor(fd);
}

void write_all(int fd, std::span<const std::byte> bytes, std::string_view name) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(name, "cannot write", errno);
    if (n == 0) throw_errno(name, "cannot write", ENOSPC);
    bytes = bytes.subspan(std::size_t(n));
  }
}

void write_all(int fd, std::string_view text, std::string_view name) {
  write_all(fd, std::as_bytes(std::span(text)), name);
}

std::size_t read_some(int fd, std::span<std::byte> into, std::string_view name) {
  for (;;) {
    ssize_t n = ::read(fd, into.data(), into.size());
    if (n >= 0) return std::size_t(n);
    if (errno != EINTR) throw_errno(name, "cannot read", errno);
  }
}

std::string read_text(const std::filesystem::path& path, std::size_t limit) {
  Descriptor fd = open_read(path);
  std::string text;
  char buffer[65536];
  while (std::size_t n =
             read_some(fd.get(), std::as_writable_bytes(std::span(buffer)), path.string())) {
    text.append(buffer, n);
    if (text.size() > limit)
      throw Error(fmt::format("{}: larger than {} bytes", path.string(), limit));
  }
  return text;
}

namespace {

std::string spool_directory() {
  const char* variable = std::getenv("TMPDIR");
  return variable && *variable ? variable : "/tmp";
}

}  // namespace

std::string in_spool(std::string_view name) {
  return fmt::format("{} (spool in {})", name, spool_directory());
}

Descriptor open_spool() {
  std::string directory = spool_directory();
  // Without a name from the start, so that a kill leaves nothing; a few file systems cannot.
  int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
    std::string path = directory + "/atelier-spool-XXXXXX";
    fd = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(path.c_str());
  }
  if (fd < 0) throw_errno(directory, "cannot make a spool", errno);
  return Descriptor(fd);
}

void write_spool(int spool, int fd, std::string_view name) {
  if (::lseek(spool, 0, SEEK_SET) != 0) throw_errno(name, "cannot rewind the spool", errno);
  std::vector<std::byte> buffer(1 << 20);
  while (std::size_t n = read_some(spool, buffer, name))
    write_all(fd, std::span(buffer).first(n), name);
}

namespace {

// A lock of the open file description, which vanishes with the last process that has it open.
bool lock_whole(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// ".NAME" of ".NAME.PID.N.tmp"; empty if it is no temporary.
std::string_view stem_in(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(".tmp")) return "";
  name.remove_suffix(4);
  for (int part = 0; part < 2; ++part) {
    auto digits = name.find_last_not_of("0123456789");
    if (digits == name.npos || digits == 0 || name[digits] != '.' || digits + 1 == name.size())
      return "";
    name.remove_suffix(name.size() - digits);
  }
  return name.size() > 1 ? name : "";
}

// Where links end, whether or not anything is there.
std::filesystem::path without_links(std::filesystem::path path) {
  std::error_code error;
  // As many as the system follows: others may be at work on them.
  for (int links = 0; links < 40 && std::filesystem::is_symlink(path, error); ++links) {
    std::filesystem::path next = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / next;
  }
  return path;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  struct stat old {};
  bool exists = ::stat(path_.c_str(), &old) == 0;
  if (!exists && errno != ENOENT) throw_errno(path_, "cannot write", errno);
  if (exists && S_ISDIR(old.st_mode)) throw_errno(path_, "cannot write", EISDIR);
  target_ = without_links(path_);
  if (exists) {
    // /dev/stdout may lead to a file that has lost its name.
    struct stat named {};
    bool replaceable = S_ISREG(old.st_mode) && ::lstat(target_.c_str(), &named) == 0 &&
                       named.st_ino == old.st_ino && named.st_dev == old.st_dev;
    if (!replaceable) {
      node_ = open_write(path_, 0);
      fd_ = open_spool();
      return;
    }
    mode_ = old.st_mode & 0777;
  }
  remove_stale_temporaries_of(target_);
  // Again if a dead process of the same number, as containers have them, left this name, or if
  // somebody who tidied up removed the file before it was locked.
  while (!create()) {
  }
  if (mode_ && ::fchown(fd(), old.st_uid, old.st_gid) != 0) {
    // Only root gives files away; those of others become ours, as with any new file.
  }
}

namespace {

constexpr std::size_t kMostOfName = 200;  // bytes of NAME in a temporary's

// ".NAME". A name of 255 bytes leaves no room for more; no character is cut in two.
std::string temporary_stem(const std::filesystem::path& target) {
  std::string name = target.filename().string();
  std::size_t kept = std::min(name.size(), kMostOfName);
  while (kept > 1 && kept < name.size() && (name[kept] & 0xc0) == 0x80) --kept;
  return "." + name.substr(0, kept);
}

}  // namespace

bool AtomicFile::create() {
  static std::atomic<int> counter{0};
  std::string name = fmt::format("{}.{}.{}.tmp", temporary_stem(target_), ::getpid(), counter++);
  temporary_ = target_.parent_path() / name;
  int fd = -1, error = 0;
  register_temporary(temporary_.native(), [&] {
    // Never open to more people than the old file; its own mode comes at the end.
    fd = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_ ? 0600 : 0666);
    error = errno;
    return fd >= 0;
  });
  if (fd < 0 && error == EEXIST) return false;
  if (fd < 0) throw_errno(path_, "cannot write", error);
  fd_ = Descriptor(fd);
  lock_whole(fd);  // where locks are unknown, nobody can take the file for a dead one either
  struct stat status {};
  if (::fstat(fd, &status) != 0 || status.st_nlink > 0) return true;
  forget_temporary(temporary_.native());
  return false;
}

AtomicFile::~AtomicFile() {
  if (temporary_.empty()) return;
  if (fd_) ::unlink(temporary_.c_str());
  forget_temporary(temporary_.native());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_all(fd(), bytes, node_ ? in_spool(path_.string()) : path_.string());
}
void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  if (node_) {
    write_spool(fd(), node_.get(), path_.string());
    if (::close(node_.release()) != 0) throw_errno(path_, "cannot write", errno);
    fd_ = Descriptor();
    return;
  }
  if (mode_) ::fchmod(fd(), *mode_);  // fails where files have no modes
  if (::fsync(fd()) != 0) throw_errno(path_, "cannot write", errno);
  // Keeps the lock until the temporary name is gone.
  Descriptor locked(::fcntl(fd(), F_DUPFD_CLOEXEC, 0));
  // A failed close may be the first sign of a full disk on network file systems.
  if (::close(fd_.release()) != 0) {
    int error = errno;
    ::unlink(temporary_.c_str());
    throw_errno(path_, "cannot write", error);
  }
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    int error = errno;
    ::unlink(temporary_.c_str());
    throw_errno(path_, "cannot replace", error);
  }
  forget_temporary(temporary_.native());
  std::filesystem::path directory = target_.parent_path().empty() ? "." : target_.parent_path();
  Descriptor parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || (::fsync(parent.get()) != 0 && errno != EINVAL))
    throw_errno(path_, "replaced, but its directory cannot be synced", errno);
}

namespace {
void unlink_if_unlocked(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file && lock_whole(file.get())) ::unlink(path.c_str());
}
}  // namespace

void remove_stale_temporaries(const std::filesystem::path& directory) {
  std::error_code error;
  auto walk = std::filesystem::recursive_directory_iterator(directory, error);
  for (; !error && walk != std::filesystem::end(walk); walk.increment(error)) {
    if (!stem_in(walk->path().filename().string()).empty()) unlink_if_unlocked(walk->path());
  }
  if (error) throw_errno(directory, "cannot list", error.value());
}

void remove_stale_temporaries_of(const std::filesystem::path& file) {
  std::filesystem::path target = without_links(file), directory = target.parent_path();
  if (directory.empty()) directory = ".";
  std::string own = temporary_stem(target);
  std::error_code error;
  auto walk = std::filesystem::directory_iterator(directory, error);
  for (; !error && walk != std::filesystem::end(walk); walk.increment(error)) {
    if (stem_in(walk->path().filename().string()) == own) unlink_if_unlocked(walk->path());
  }
  // One that may be written to but not listed keeps what is in it, as does one that is not there.
  if (error && error != std::errc::permission_denied &&
      error != std::errc::no_such_file_or_directory)
    throw_errno(directory, "cannot list", error.value());
}

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

void require_one_stdin(std::span<const std::string> inputs) {
  if (std::ranges::count(inputs, "-") > 1)
    throw UsageError("'-' twice: standard input can be read once only");
}

void refuse_overwriting(const std::string& output, std::span<const std::string> inputs,
                        std::string_view option) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path target = fs::canonical(output, error);
  if (error || output == "-" || !fs::is_regular_file(target, error)) return;
  for (const std::string& input : inputs) {
    fs::path source = fs::canonical(input, error);
    if (error || input == "-") continue;
    bool below = fs::is_directory(source, error) &&
                 std::mismatch(source.begin(), source.end(), target.begin(), target.end()).first ==
                     source.end();
    if (!below && !fs::equivalent(source, target, error)) continue;
    throw UsageError(
        fmt::format("{} {}: would replace {}", option, output,
                    below ? "a file of " + input + ", which is read" : "what is read"));
  }
}

}  // namespace atelier
