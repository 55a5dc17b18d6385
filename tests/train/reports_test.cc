// What a training tells of itself must not end it.
#include "train/reports.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>

#include "base/error.h"
#include "base/log.h"
#include "nn/losses.h"
#include "train/support.h"

using namespace atelier;
using namespace atelier::testing;

TEST_CASE("judging that fails is asked for once, and the run goes on") {
  SmallSet set(16);
  logging::set_level(logging::Level::error);
  for (bool memory : {false, true}) {
    int asked = 0;
    Task task = small_task();
    task.validation = [](const Scope& scope, const Batch& batch) -> std::vector<Term> {
      return {{"loss", "squares", sum_rows(small_objective(scope, batch).loss * batch.image)}};
    };
    task.judge = [&](std::span<const ReportedTerm>) -> Judgement {
      ++asked;
      if (memory) throw std::bad_alloc();
      throw Error("cannot judge");
    };
    TrainConfig config = small_config();
    config.run_dir.clear();
    config.metrics = "/dev/null";
    config.val_every = "1";
    TrainData data{&set.set, first(8), &set.set, first(16)};
    CHECK(train(task, config, data) == 0);
    CHECK(asked == 1);
  }
  logging::set_level(logging::Level::warning);
}

namespace {

// The records of a run whose samples have these coverages, one after each step.
std::string records_of(const std::filesystem::path& directory,
                       const std::vector<double>& coverages) {
  SmallSet set(8);
  Task task = small_task();
  std::size_t asked = 0;
  task.assess = [&](Store&, const std::string&,
                    const std::function<bool()>&) -> std::vector<ReportedTerm> {
    double coverage = coverages[asked++];
    return {{"frechet", "", 1 - coverage}, {"coverage", "share", coverage, TermRole::coverage}};
  };
  TrainConfig config = small_config();
  config.run_dir = directory.string();
  config.val_every = "1";
  config.steps = std::int64_t(coverages.size());
  TrainData data{&set.set, first(8), nullptr, {}};
  CHECK(train(task, config, data) == 0);
  std::ifstream file(directory / "metrics.jsonl");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("coverage that falls below half of its best is remarked on once, best.h5 named") {
  std::string name = (std::filesystem::temp_directory_path() / "atelier-coverage.XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  std::filesystem::path directory = name;
  std::string quiet = records_of(directory / "quiet", {0.1, 0.6, 0.4, 0.3});
  CHECK(quiet.find("remark") == std::string::npos);
  std::string told = records_of(directory / "told", {0.1, 0.6, 0.29, 0.2});
  CHECK(told.find("coverage 0.290 at step 3 is less than half of 0.600 at step 2: the samples have "
                  "lost kinds of what is trained on; best.h5 is of step 2") != std::string::npos);
  CHECK(told.find("\"remark\"") == told.rfind("\"remark\""));
  std::filesystem::remove_all(directory);
}
