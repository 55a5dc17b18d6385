// What a training tells of itself must not end it.
#include "train/reports.h"

#include <doctest/doctest.h>

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
