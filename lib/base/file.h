// POSIX files without surprises: EINTR and short transfers handled, errno kept, replacement atomic.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace atelier {

// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

// "images.h5: cannot open: No such file or directory" with errno's text.
[[noreturn]] void throw_errno(const std::filesystem::path& path, std::string_view what, int error);

// What messages call a file that an option or operand names: "-" is standard input or output.
std::string input_name(const std::string& path);
std::string output_name(const std::string& path);

Descriptor open_read(const std::filesystem::path& path);  // O_CLOEXEC; throws Error
void write_all(int fd, std::span<const std::byte> bytes, std::string_view name);
void write_all(int fd, std::string_view text, std::string_view name);
std::size_t read_some(int fd, std::span<std::byte> into, std::string_view name);  // 0 at the end
std::string read_text(const std::filesystem::path& path, std::size_t limit = 64 << 20);

// An unlinked temporary file in $TMPDIR (or /tmp): spools for pipes. Its path is gone; libhdf5
// reaches it through our own driver by descriptor.
Descriptor open_spool();
// "x.h5 (spool in /tmp)": for messages about the spool that holds what `name` will or did.
std::string in_spool(std::string_view name);
// Writes all of a spool, from its start, to `fd`.
void write_spool(int spool, int fd, std::string_view name);

// Replaces `path` whole or not at all: the bytes go to a temporary name in the same directory,
// commit() does fsync, rename and fsync of the directory; without commit() the temporary is
// unlinked. Of a link the file that it leads to is replaced; the new file has the mode of the old.
// What cannot be replaced (a device, FIFO or socket, /dev/stdout) is written to: the bytes go to a
// spool and commit() sends them. Failures throw Error("vae.h5: cannot write: No space left on
// device") and leave the old file as it was.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  int fd() const { return fd_.get(); }
  const std::filesystem::path& path() const { return path_; }
  // Empty if nothing is replaced.
  const std::filesystem::path& temporary() const { return temporary_; }
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  bool create();

  std::filesystem::path path_, target_, temporary_;
  std::optional<mode_t> mode_;  // of the old file
  Descriptor fd_, node_;        // `node_`: what is written to at the end
};

// SIGINT, SIGTERM, SIGHUP and SIGPIPE unlink the temporaries of this process that are open and then
// end it as they do by default. Those that are ignored, as under nohup, stay ignored.
void unlink_temporaries_on_signals();

// UsageError if writing `output`, the value of `option`, would replace one of `inputs`, or a file
// below an input folder; "-", "" and outputs that do not exist yet are nobody's input.
void refuse_overwriting(const std::string& output, std::span<const std::string> inputs,
                        std::string_view option = "--output");

// UsageError if more than one of the paths is "-".
void require_one_stdin(std::span<const std::string> inputs);

// The paths of all options that read, given as strings and as lists of strings:
// paths_of(sources, reading.labels, config.init).
template <class... Inputs>
std::vector<std::string> paths_of(const Inputs&... inputs) {
  std::vector<std::string> paths;
  auto add = [&](const auto& input) {
    if constexpr (std::is_convertible_v<decltype(input), std::string>) {
      paths.emplace_back(input);
    } else {
      paths.insert(paths.end(), std::begin(input), std::end(input));
    }
  };
  (add(inputs), ...);
  return paths;
}

// Temporaries of AtomicFile are named ".NAME.PID.N.tmp", with the start of a long NAME, and
// locked while they are written; removes those in `directory` and below that nobody has locked.
// Called when a run directory has been locked.
void remove_stale_temporaries(const std::filesystem::path& directory);
// Those of `file` alone, which need not exist, in its directory; none of one that is not there or
// may not be listed. Whoever writes FILE again does so.
void remove_stale_temporaries_of(const std::filesystem::path& file);

bool is_terminal(int fd);

}  // namespace atelier
