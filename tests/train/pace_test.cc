// Flags that are read as text, and combinations that would have no effect.
#include "train/pace.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.h"
#include "train/support.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

constexpr std::int64_t kPerEpoch = 7;

struct Run {
  SmallSet data{20};
  Task task = small_task();
  TrainConfig config = small_config();
  bool held_out = true;

  Run() {
    task.validation = [](const Scope&, const Batch&) { return std::vector<Term>{}; };
    task.log_weight = [](const Scope&, const Batch& batch) { return batch.image; };
    task.sample_grid = [](Store&, const std::string&, const std::string&,
                          const std::function<bool()>&) { return true; };
  }
  Pace pace() const {
    TrainData sets;
    sets.train = sets.validation = &data.set;
    sets.train_indices = first(20);
    if (held_out) sets.validation_indices = first(3);
    return settle_pace(task, config, sets, {kPerEpoch, 1});
  }
  std::string refusal() const {
    try {
      pace();
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
};

}  // namespace

TEST_CASE("what happens when is counted in updates") {
  Run run;
  CHECK(run.pace().val_every == kPerEpoch);
  CHECK(run.pace().total_steps == 10);
  CHECK(run.pace().save_seconds == 1800);
  run.config.steps = -1;
  run.config.epochs = 3;
  CHECK(run.pace().total_steps == 3 * kPerEpoch);
  run.config.val_every = "2epochs";
  run.config.save_every = "5";
  run.config.max_time = "2m";
  run.config.lr_schedule = "step";
  run.config.lr_milestones = "1,2";
  Pace pace = run.pace();
  CHECK(pace.val_every == 2 * kPerEpoch);
  CHECK(pace.save_every == 5);
  CHECK(pace.save_seconds == 0);
  CHECK(pace.max_seconds == 120);
  CHECK(pace.schedule.milestones == std::vector<std::int64_t>{kPerEpoch, 2 * kPerEpoch});
  run.config.val_every = "1epoch";
  CHECK(run.pace().val_every == kPerEpoch);
}

TEST_CASE("flags that cannot be meant are refused by name before the training") {
  struct {
    const char* starts;
    void (*spoil)(Run&);
  } rows[] = {
      {"--steps and --epochs exclude", [](Run& r) { r.config.epochs = 2; }},
      {"give --steps or --epochs", [](Run& r) { r.config.steps = -1; }},
      {"give -o FILE", [](Run& r) { r.config.run_dir.clear(); }},
      {"--sample-every: needs --run-dir",
       [](Run& r) {
         r.config.run_dir.clear();
         r.config.output = "x.h5";
         r.config.sample_every = 5;
       }},
      {"--sample-every: this model draws no pictures",
       [](Run& r) {
         r.config.sample_every = 5;
         r.task.sample_grid = nullptr;
       }},
      {"--sample-grid '0x3': expected columns x rows",
       [](Run& r) { r.config.sample_grid = "0x3"; }},
      {"--sample-grid '4': expected", [](Run& r) { r.config.sample_grid = "4"; }},
      {"--sample-grid '8x': expected", [](Run& r) { r.config.sample_grid = "8x"; }},
      {"--sample-grid '': expected", [](Run& r) { r.config.sample_grid = ""; }},
      {"--sample-grid 257x256: has 65792 cells, at most 65536 are drawn",
       [](Run& r) { r.config.sample_grid = "257x256"; }},
      {"--val-importance-samples: this model",
       [](Run& r) {
         r.config.val_importance_samples = 5;
         r.task.log_weight = nullptr;
       }},
      {"--val-importance-samples: nothing is held out",
       [](Run& r) {
         r.config.val_importance_samples = 5;
         r.held_out = false;
       }},
      {"--val-every: nothing is held out",
       [](Run& r) {
         r.config.val_every = "5";
         r.held_out = false;
       }},
      {"--val-every '0': expected", [](Run& r) { r.config.val_every = "0"; }},
      {"--val-every 'epoch': expected", [](Run& r) { r.config.val_every = "epoch"; }},
      {"--val-every '5x': expected", [](Run& r) { r.config.val_every = "5x"; }},
      {"--max-time '0s': expected a time above 0", [](Run& r) { r.config.max_time = "0s"; }},
      {"--max-time '5x': expected a time", [](Run& r) { r.config.max_time = "5x"; }},
      {"--save-every '5x': expected updates such as 500, or a time such as 30m",
       [](Run& r) { r.config.save_every = "5x"; }},
      {"--save-every '5mm': expected updates such as 500, or a time",
       [](Run& r) { r.config.save_every = "5mm"; }},
      {"--lr-milestones: only", [](Run& r) { r.config.lr_milestones = "2"; }},
      {"--lr-milestones 'x': expected a count",
       [](Run& r) {
         r.config.lr_schedule = "step";
         r.config.lr_milestones = "2,x";
       }},
      {"--epochs 9000000000000000: too many epochs, of 7 updates each",
       [](Run& r) {
         r.config.steps = -1;
         r.config.epochs = 9'000'000'000'000'000;
       }},
      {"--val-every 4000000000000000: too many epochs",
       [](Run& r) { r.config.val_every = "4e15epochs"; }},
      {"--lr-milestones 4000000000000000: too many epochs",
       [](Run& r) {
         r.config.lr_schedule = "step";
         r.config.lr_milestones = "2,4e15";
       }},
      {"--lr-milestones '': expected a count",
       [](Run& r) {
         r.config.lr_schedule = "step";
         r.config.lr_milestones = "2,";
       }},
      {"--lr-schedule step: needs --lr-milestones", [](Run& r) { r.config.lr_schedule = "step"; }},
      {"--lr-gamma 0.5: only", [](Run& r) { r.config.lr_gamma = 0.5; }},
      {"--min-learning-rate 0.002: is above --learning-rate 0.001",
       [](Run& r) { r.config.min_learning_rate = 0.002; }},
      {"--min-learning-rate 1e-05: --lr-schedule constant does not fall to it",
       [](Run& r) {
         r.config.min_learning_rate = 1e-5;
         r.config.lr_schedule = "constant";
       }},
      {"--min-learning-rate 1e-05: --lr-schedule one-cycle",
       [](Run& r) {
         r.config.min_learning_rate = 1e-5;
         r.config.lr_schedule = "one-cycle";
       }},
      {"--val-batches 3: nothing is held out",
       [](Run& r) {
         r.config.val_batches = 3;
         r.held_out = false;
       }},
      {"--ema-decay '0.9,': expected a decay", [](Run& r) { r.config.ema_decay = "0.9,"; }},
      {"--warmup-steps 11: the run has 10 steps", [](Run& r) { r.config.warmup_steps = 11; }},
      {"--adam-beta1 1: expected", [](Run& r) { r.config.adam_beta1 = 1; }},
      {"--adam-beta2 1: expected", [](Run& r) { r.config.adam_beta2 = 1; }},
      {"--resume auto needs --run-dir",
       [](Run& r) {
         r.config.run_dir.clear();
         r.config.output = "x.h5";
         r.config.resume = "auto";
       }},
      {"--resume=FILE and --init exclude",
       [](Run& r) {
         r.config.resume = "x.h5";
         r.config.init = "y.h5";
       }},
  };
  for (const auto& row : rows) {
    Run run;
    CHECK(run.refusal().empty());
    row.spoil(run);
    std::string refusal = run.refusal();
    INFO(refusal);
    CHECK(refusal.starts_with(row.starts));
  }
  Run queued;
  queued.config.resume = "auto";
  queued.config.init = "y.h5";
  CHECK(queued.refusal().empty());
}

TEST_CASE("how to save is refused where nothing is saved, if it was typed") {
  auto refusal = [](const char* named, OptionSource source, const char* output) -> std::string {
    TrainConfig config;
    config.output = output;
    try {
      config.settle(
          [&](std::string_view option) { return option == named ? source : OptionSource::usual; });
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(refusal("keep", OptionSource::typed, "x.h5").starts_with("--keep: needs --run-dir"));
  CHECK(refusal("keep", OptionSource::file, "x.h5") == "");
  CHECK(refusal("save-every", OptionSource::typed, "-")
            .starts_with("--save-every: needs --run-dir or -o FILE"));
  CHECK(refusal("save-every", OptionSource::typed, "x.h5") == "");
}

TEST_CASE("of --steps and --epochs the one from nearer by holds") {
  using enum OptionSource;
  auto settled = [](OptionSource steps, OptionSource epochs) {
    TrainConfig config;
    if (steps != usual) config.steps = 5;
    config.settle([&](std::string_view option) {
      return option == "steps" ? steps : option == "epochs" ? epochs : usual;
    });
    return std::pair(config.steps, config.epochs);
  };
  using Both = std::pair<std::int64_t, std::int64_t>;
  CHECK(settled(usual, usual) == Both(-1, 40));
  CHECK(settled(typed, usual) == Both(5, -1));
  CHECK(settled(typed, file) == Both(5, -1));   // a flag over the file's
  CHECK(settled(file, typed) == Both(-1, 40));  // and the other way round
  CHECK(settled(typed, typed) == Both(5, 40));  // which settle_pace refuses
}
