// cpu_time RUNS PROGRAM... : runs each program with --version, in turns, and prints the median of
// its CPU time (user and system) in microseconds, one line a program.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

// Negative if it could not be run or failed.
long microseconds_of(const char* program) {
  posix_spawn_file_actions_t silent;
  posix_spawn_file_actions_init(&silent);
  posix_spawn_file_actions_addopen(&silent, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  std::string name = program, option = "--version";
  char* arguments[] = {name.data(), option.data(), nullptr};
  pid_t child = -1;
  int error = ::posix_spawn(&child, program, &silent, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&silent);
  rusage usage{};
  int status = 0;
  if (error != 0 || ::wait4(child, &status, 0, &usage) != child || status != 0) return -1;
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

}  // namespace

int main(int argc, char** argv) {
  int runs = argc > 2 ? std::atoi(argv[1]) : 0;
  if (runs < 1) return 2;
  std::vector<std::vector<long>> times(static_cast<std::size_t>(argc - 2));
  // The first round fills the caches and does not count.
  for (int run = 0; run <= runs; ++run) {
    for (int i = 2; i < argc; ++i) {
      long time = microseconds_of(argv[i]);
      if (time < 0) {
        fmt::print(stderr, "cpu_time: {} failed\n", argv[i]);
        return 1;
      }
      if (run > 0) times[static_cast<std::size_t>(i - 2)].push_back(time);
    }
  }
  for (int i = 2; i < argc; ++i) {
    std::vector<long>& all = times[static_cast<std::size_t>(i - 2)];
    std::sort(all.begin(), all.end());
    fmt::print("{} {}\n", all[all.size() / 2], argv[i]);
  }
}
