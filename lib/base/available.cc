// /proc/meminfo and the memory controllers of both versions of control groups.
#include "base/available.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace atelier {
namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

// The number at the start of a file, or behind `key` in it; `otherwise` if there is none ("max").
std::int64_t number_in(const std::string& path, const std::string& key, std::int64_t otherwise) {
  std::ifstream file(path);
  std::string word;
  while (!key.empty() && word != key) {
    if (!(file >> word)) return otherwise;
  }
  std::int64_t value = 0;
  return file >> value ? value : otherwise;
}

// What a group has left; pages of files that it can drop count as free.
std::int64_t left_in(const std::string& folder, const char* limit, const char* usage,
                     const char* droppable) {
  std::int64_t most = number_in(folder + limit, "", kUnlimited);
  if (most == kUnlimited) return kUnlimited;
  std::int64_t used =
      number_in(folder + usage, "", 0) - number_in(folder + "/memory.stat", droppable, 0);
  return std::max<std::int64_t>(0, most - std::max<std::int64_t>(0, used));
}

// The group and those above it, in its hierarchy mounted at `root`.
std::int64_t left_up_from(const std::string& root, std::string group, const char* limit,
                          const char* usage, const char* droppable) {
  std::int64_t left = kUnlimited;
  for (;;) {
    left = std::min(left, left_in(root + group, limit, usage, droppable));
    if (group.empty()) return left;
    group.resize(std::min(group.rfind('/'), group.size() - 1));
  }
}

}  // namespace

std::int64_t available_memory() {
  std::int64_t free = number_in("/proc/meminfo", "MemAvailable:", kUnlimited / 1024);
  std::int64_t left = free == kUnlimited / 1024 ? kUnlimited : free * 1024;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "0::/user.slice", "5:memory:/job"
    std::size_t name = line.find(':'), path = line.find(':', name + 1);
    if (path == std::string::npos) continue;
    std::string controllers = line.substr(name + 1, path - name - 1), group = line.substr(path + 1);
    if (controllers.empty()) {
      left = std::min(left, left_up_from("/sys/fs/cgroup", group, "/memory.max", "/memory.current",
                                         "inactive_file"));
    } else if (controllers == "memory") {
      left = std::min(left, left_up_from("/sys/fs/cgroup/memory", group, "/memory.limit_in_bytes",
                                         "/memory.usage_in_bytes", "total_inactive_file"));
    }
  }
  return left;
}

std::size_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  if (!(file >> pages >> resident)) return 0;
  return resident * std::size_t(sysconf(_SC_PAGESIZE));
}

}  // namespace atelier
