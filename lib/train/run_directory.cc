// Locks are of the open file description (fcntl OFD): they vanish with the process.
#include "train/run_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/error.h"

namespace atelier {
namespace {

std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with("step-") || !name.ends_with(".h5")) return {};
  std::int64_t step = 0;
  const char *first = name.data() + 5, *last = name.data() + name.size() - 3;
  auto [end, bad] = std::from_chars(first, last, step);
  if (bad != std::errc{} || end != last) return {};
  return step;
}

std::filesystem::path checkpoint_at(const std::filesystem::path& directory, std::int64_t step) {
  return directory / fmt::format("step-{:08}.h5", step);
}

// Ascending. A directory that cannot be listed must not pass for one without checkpoints.
std::vector<std::int64_t> steps_in(const std::filesystem::path& directory) {
  std::vector<std::int64_t> found;
  std::error_code error;
  auto entries = std::filesystem::directory_iterator(directory, error);
  for (; !error && entries != std::filesystem::end(entries); entries.increment(error)) {
    if (auto step = step_of(entries->path().filename().string())) found.push_back(*step);
  }
  if (error) throw_errno(directory, "cannot list", error.value());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) return found;
  auto steps = steps_in(directory);
  for (std::size_t i = steps.size(); i-- > 0;) found.push_back(checkpoint_at(directory, steps[i]));
  return found;
}

std::vector<std::filesystem::path> states_in(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> found = checkpoints_in(directory);
  std::error_code error;
  std::filesystem::path best = directory / "best.h5";
  if (found.empty() && std::filesystem::exists(best, error)) found.push_back(best);
  return found;
}

bool is_run_file(const std::string& name) {
  for (const char* own : {"best.h5", "metrics.jsonl", "config.toml", "run.lock"})
    if (name == own) return true;
  return step_of(name).has_value();
}

RunDirectory::RunDirectory(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) throw_errno(path_, "cannot create", error.value());
  std::filesystem::path file = path_ / "run.lock";
  int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) throw_errno(file, "cannot open", errno);
  lock_ = Descriptor(fd);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) throw_errno(file, "cannot lock", errno);
    char holder[256] = "";
    ssize_t n = ::pread(fd, holder, sizeof holder - 1, 0);
    std::string who(holder, std::size_t(std::max<ssize_t>(0, n)));
    while (!who.empty() && who.back() == '\n') who.pop_back();
    throw Error(fmt::format("{}: in use by {}", path_.string(), who.empty() ? "another job" : who));
  }
  char host[256] = "this host";
  ::gethostname(host, sizeof host - 1);
  std::string who = fmt::format("process {} on {}\n", ::getpid(), host);
  if (::ftruncate(fd, 0) != 0) throw_errno(file, "cannot write", errno);
  write_all(fd, who, file.string());
  remove_stale_temporaries(path_);
}

std::filesystem::path RunDirectory::checkpoint(std::int64_t step) const {
  return checkpoint_at(path_, step);
}

std::vector<std::int64_t> RunDirectory::steps() const { return steps_in(path_); }

void RunDirectory::prune(std::int64_t keep, std::int64_t step) const {
  auto all = steps();
  std::erase_if(all, [&](std::int64_t s) { return s > step; });
  for (std::size_t i = 0; std::int64_t(i) + keep < std::int64_t(all.size()); ++i) {
    std::error_code error;
    std::filesystem::remove(checkpoint(all[i]), error);
  }
}

void RunDirectory::remove_after(std::int64_t step) const {
  for (std::int64_t s : steps()) {
    std::error_code error;
    if (s > step) std::filesystem::remove(checkpoint(s), error);
  }
}

void RunDirectory::clear() const {
  remove_after(-1);
  std::error_code error;
  for (const char* name : {"best.h5", "metrics.jsonl"})
    std::filesystem::remove(path_ / name, error);
  // Only what trainings put there: the directory itself goes if nothing else is in it.
  std::vector<std::filesystem::path> pictures;
  for (auto entry = std::filesystem::directory_iterator(path_ / "samples", error);
       !error && entry != std::filesystem::end(entry); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".png")) pictures.push_back(entry->path());
  }
  for (const auto& picture : pictures) std::filesystem::remove(picture, error);
  std::filesystem::remove(path_ / "samples", error);
}

}  // namespace atelier
