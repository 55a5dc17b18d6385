// Trial and error: permissions, read-only mounts and quotas are not guessed at.
#include "base/outputs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/error.h"

namespace atelier {
namespace {

std::atomic<bool (*)()> g_stop_asked{nullptr};

bool is_taken_for_granted(const std::string& path) { return path.empty() || path == "-"; }

}  // namespace

void require_replaceable(const std::string& path) {
  if (is_taken_for_granted(path)) return;
  struct stat found {};
  // Opening a FIFO or a device would be noticed at its other end.
  if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) {
    if (::access(path.c_str(), W_OK) != 0) throw_errno(path, "cannot write", errno);
    return;
  }
  AtomicFile trial(path);  // goes with its scope
}

void require_appendable(const std::string& path) {
  if (is_taken_for_granted(path)) return;
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return require_replaceable(path);
  if (S_ISDIR(found.st_mode)) throw_errno(path, "cannot write", EISDIR);
  if (::access(path.c_str(), W_OK) != 0) throw_errno(path, "cannot write", errno);
}

bool leads_to_terminal(const std::string& output) {
  if (output == "-") return is_terminal(STDOUT_FILENO);
  struct stat found {};
  if (::stat(output.c_str(), &found) != 0 || !S_ISCHR(found.st_mode)) return false;
  Descriptor device(::open(output.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  return device && is_terminal(device.get());
}

void refuse_terminal(const std::string& output) {
  if (!leads_to_terminal(output)) return;
  throw UsageError(
      fmt::format("{} is a terminal; give -o FILE, a pipe, or --force", output_name(output)));
}

Descriptor open_write(const std::filesystem::path& path, int flags) {
  for (;;) {
    struct stat found {};
    bool fifo = ::stat(path.c_str(), &found) == 0 && S_ISFIFO(found.st_mode);
    int how = O_WRONLY | O_NOCTTY | O_CLOEXEC | flags | (fifo ? O_NONBLOCK : 0);
    Descriptor file(::open(path.c_str(), how, 0666));
    if (file) {
      if (fifo && ::fcntl(file.get(), F_SETFL, flags & O_APPEND) != 0)
        throw_errno(path, "cannot write", errno);
      return file;
    }
    if (!fifo || (errno != ENXIO && errno != EINTR)) throw_errno(path, "cannot write", errno);
    if (auto asked = g_stop_asked.load(); asked && asked())
      throw Error(fmt::format("{}: cannot write: stopped before anybody read it", path.string()));
    timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

void stop_waiting_when(bool (*asked)()) { g_stop_asked = asked; }

}  // namespace atelier
