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
#include "support/near.h"
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

namespace {

// The values of a key in the records, in order.
std::vector<double> values_of(const std::string& records, const std::string& key) {
  std::vector<double> values;
  std::string mark = "\"" + key + "\":";
  for (std::size_t at = records.find(mark); at != std::string::npos;
       at = records.find(mark, at + 1)) {
    values.push_back(std::stod(records.substr(at + mark.size())));
  }
  return values;
}

}  // namespace

TEST_CASE("a term with weights is the mean over what they weigh, and not told where that is none") {
  std::string name = (std::filesystem::temp_directory_path() / "atelier-weights.XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  // Pictures 1 to 10, in batches of 4, 4 and 2: those above 4, and those above 10.
  SmallSet set(10);
  auto above = [](const Batch& batch, double edge) {
    Expr level = sum_rows(batch.image) / 4.0;
    Expr ones = broadcast(level.graph->constant(1), level.shape());
    return std::pair(level, where(less(level, edge), 0.0, ones));
  };
  auto terms = [&](const Batch& batch) {
    std::vector<Term> terms;
    for (double edge : {4.5, 10.5}) {
      auto [level, weight] = above(batch, edge);
      terms.push_back({edge < 5 ? "high" : "none", "", level, TermRole::other, weight});
    }
    return terms;
  };
  for (std::int64_t slices : {1, 2}) {
    INFO("slices ", slices);
    Task task = small_task();
    auto loss = [](const Scope& scope, const Batch& batch) {
      Expr y = linear(scope / "map", reshape(batch.image, {batch.image.shape()[0], 4}), 3);
      return reshape(mean(square(y)), {});
    };
    task.objective = [&](const Scope& scope, const Batch& batch) {
      return Objective{loss(scope, batch), "squares", terms(batch)};
    };
    task.validation = [&](const Scope& scope, const Batch& batch) {
      std::vector<Term> all = terms(batch);
      all.insert(all.begin(), {"loss", "squares", loss(scope, batch)});
      return all;
    };
    TrainConfig config = small_config();
    config.run_dir = name + "/" + std::to_string(slices);
    config.batch_size = 4;
    config.grad_accum_steps = slices;
    config.steps = 6;
    config.log_every = 6;
    config.val_every = "6";
    CHECK(train(task, config, {&set.set, first(10), &set.set, first(10)}) == 0);
    std::ifstream file(config.run_dir + "/metrics.jsonl");
    std::string records{std::istreambuf_iterator<char>(file), {}};
    // Two epochs: each picture twice.
    REQUIRE(values_of(records, "high").size() == 1);
    CHECK(values_of(records, "high")[0] == testing::near(7.5));
    REQUIRE(values_of(records, "val_high").size() == 1);
    CHECK(values_of(records, "val_high")[0] == testing::near(7.5));
    CHECK(values_of(records, "none").empty());
    CHECK(values_of(records, "val_none").empty());
  }
  std::filesystem::remove_all(name);
}
