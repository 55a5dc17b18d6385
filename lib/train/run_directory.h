// A run directory: one job at a time, checkpoints by step, the newest whole one found again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"

namespace atelier {

// A name that a run directory uses for itself: step-*.h5, best.h5, metrics.jsonl, ..
bool is_run_file(const std::string& name);

// The checkpoints by step of a directory that may be in use or not there yet; newest first.
std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& directory);

// What a run can go on from there, newest first: the checkpoints, or where there are none the best
// model, which a job that is killed before its first checkpoint leaves alone.
std::vector<std::filesystem::path> states_in(const std::filesystem::path& directory);

// Creates the directory if needed, locks it for the life of this object, removes temporaries that
// dead jobs left. Throws Error("run: in use by process 123 on host") if another job holds it.
class RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path path);
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint(std::int64_t step) const;  // step-00000042.h5
  std::vector<std::int64_t> steps() const;                    // of the checkpoints there, ascending
  // Removes all but the newest `keep` of the checkpoints up to `step`. Later ones, which could not
  // be read when the run was resumed, stay until it has overtaken them.
  void prune(std::int64_t keep, std::int64_t step) const;
  void remove_after(std::int64_t step) const;
  // Removes the checkpoints, the best one, the metrics and the pictures of samples/.
  void clear() const;

 private:
  std::filesystem::path path_;
  Descriptor lock_;
};

}  // namespace atelier
