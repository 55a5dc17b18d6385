// Checkpoints of a run directory: which stay.
#include "train/run_directory.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <fstream>

using namespace atelier;

namespace {

struct Directory {
  std::filesystem::path path;
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "atelier-run.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  void put(const std::string& name) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name) << "x";
  }
  bool has(const std::string& name) const { return std::filesystem::exists(path / name); }
};

}  // namespace

TEST_CASE("pruning keeps the newest up to a step, and what lies beyond") {
  Directory directory;
  RunDirectory run(directory.path);
  for (std::int64_t step : {10, 20, 30, 40, 90})
    directory.put(run.checkpoint(step).filename().string());
  run.prune(2, 40);
  CHECK(run.steps() == std::vector<std::int64_t>{30, 40, 90});
  run.prune(1, 95);
  CHECK(run.steps() == std::vector<std::int64_t>{90});
  directory.put(run.checkpoint(50).filename().string());
  run.remove_after(50);
  CHECK(run.steps() == std::vector<std::int64_t>{50});
}

TEST_CASE("clearing takes what a training wrote and nothing else") {
  Directory directory;
  RunDirectory run(directory.path);
  for (const char* name :
       {"step-00000003.h5", "best.h5", "metrics.jsonl", "samples/step-00000002.png", "notes.txt"}) {
    directory.put(name);
  }
  run.clear();
  CHECK(run.steps().empty());
  for (const char* name : {"best.h5", "metrics.jsonl", "samples"}) CHECK(!directory.has(name));
  CHECK(directory.has("notes.txt"));
  directory.put("samples/step-00000002.png");
  directory.put("samples/mine.png");
  run.clear();
  CHECK(!directory.has("samples/step-00000002.png"));
  CHECK(directory.has("samples/mine.png"));
}

TEST_CASE("the names that a run directory uses") {
  for (const char* name : {"step-00000003.h5", "step-123456789.h5", "best.h5", "metrics.jsonl",
                           "config.toml", "run.lock"}) {
    CHECK(is_run_file(name));
  }
  for (const char* name : {"step-.h5", "step-3x.h5", "step-3.png", "final.h5", "notes.txt"})
    CHECK(!is_run_file(name));
}
