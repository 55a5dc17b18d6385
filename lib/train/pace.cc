// Checks of a training's flags, before anything is built.
#include "train/pace.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/parse.h"
#include "io/picture_sink.h"
#include "train/train_plans.h"

namespace atelier {
namespace {

// Runs `read`; its UsageError gets the flag's name in front.
template <class Read>
auto named(const char* flag, const Read& read) {
  try {
    return read();
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{} {}", flag, error.what()));
  }
}

constexpr std::int64_t kLeastAssessed = 200;  // updates, unless others are asked for
// As many as an option counts (base/parse.h): beyond that products overflow.
constexpr std::int64_t kMostUpdates = 9'000'000'000'000'000;

std::int64_t updates_in(std::int64_t epochs, EpochLength epoch) {
  if (epochs <= kMostUpdates / std::max<std::int64_t>(epoch.batches, 1))
    return (epochs * epoch.batches + epoch.batches_per_step - 1) / epoch.batches_per_step;
  throw UsageError(
      fmt::format("{}: too many epochs, of {} updates each", epochs, updates_in(1, epoch)));
}

void check_ways_to_save(const TrainConfig& c) {
  if (c.output.empty() && c.run_dir.empty() && !c.dry_run && c.metrics.empty())
    throw UsageError("give -o FILE, --run-dir DIR, or --metrics FILE");
  c.check_outputs();
  if (!c.resume.empty() && c.resume != "auto" && !c.init.empty())
    throw UsageError("--resume=FILE and --init exclude each other");
  if (c.resume == "auto" && c.run_dir.empty()) throw UsageError("--resume auto needs --run-dir");
}

void check_samples(const Task& task, const TrainConfig& c) {
  if (c.sample_grid.empty()) throw UsageError("--sample-grid '': expected columns x rows, as 8x4");
  parse_grid(c.sample_grid, "--sample-grid");
  if (c.sample_every == 0) return;
  if (c.run_dir.empty()) throw UsageError("--sample-every: needs --run-dir, which holds the grids");
  if (!task.sample_grid) throw UsageError("--sample-every: this model draws no pictures");
}

void check_validation(const Task& task, const TrainConfig& c, bool validates) {
  const char* lacking = task.assess ? "samples are judged, there is no loss of held-out pictures"
                                    : "nothing is held out; give --val-split or --val-data";
  if (!c.val_every.empty() && !validates && !task.assess)
    throw UsageError(fmt::format("--val-every: {}", lacking));
  if (c.val_batches > 0 && !validates)
    throw UsageError(fmt::format("--val-batches {}: {}", c.val_batches, lacking));
  if (c.val_importance_samples == 0) return;
  if (!task.log_weight)
    throw UsageError("--val-importance-samples: this model bounds no likelihood");
  if (!validates) throw UsageError(fmt::format("--val-importance-samples: {}", lacking));
}

// Values that are not the default only: a file that repeats a run holds them all.
void check_schedule(const TrainConfig& c) {
  const TrainConfig usual;
  bool steps = c.lr_schedule == "step";
  if (steps && c.lr_milestones.empty())
    throw UsageError("--lr-schedule step: needs --lr-milestones, or nothing changes");
  if (!steps && !c.lr_milestones.empty())
    throw UsageError("--lr-milestones: only --lr-schedule step has milestones");
  if (!steps && c.lr_gamma != usual.lr_gamma) {
    throw UsageError(
        fmt::format("--lr-gamma {}: only --lr-schedule step has milestones", c.lr_gamma));
  }
  if (c.min_learning_rate == 0) return;
  if (c.lr_schedule != "cosine" && c.lr_schedule != "linear") {
    throw UsageError(fmt::format("--min-learning-rate {}: --lr-schedule {} does not fall to it",
                                 c.min_learning_rate, c.lr_schedule));
  }
  if (c.min_learning_rate > c.learning_rate) {
    throw UsageError(fmt::format("--min-learning-rate {}: is above --learning-rate {}",
                                 c.min_learning_rate, c.learning_rate));
  }
}

// "500" updates, "1epoch", "2epochs".
std::int64_t updates_of(const std::string& text, EpochLength epoch) {
  if (text.empty()) return updates_in(1, epoch);
  std::string_view count = text;
  bool epochs = false;
  for (std::string_view suffix : {"epochs", "epoch"}) {
    if (!count.ends_with(suffix)) continue;
    count.remove_suffix(suffix.size());
    epochs = true;
    break;
  }
  std::int64_t counted = 0;
  try {
    counted = parse_count(count);
  } catch (const UsageError&) {
  }
  if (counted < 1) {
    throw UsageError(
        fmt::format("'{}': expected a count of at least 1, such as 500 or 2epochs", text));
  }
  return epochs ? updates_in(counted, epoch) : updates_in(counted, {1, 1});
}

std::vector<std::int64_t> milestones_of(const std::string& text, EpochLength epoch) {
  std::vector<std::int64_t> steps;
  if (text.empty()) return steps;
  for (std::string_view piece : split(text, ',')) {
    std::int64_t step = updates_in(parse_count(piece), epoch);
    if (!steps.empty() && step <= steps.back())
      throw UsageError(fmt::format("'{}': expected rising epochs", text));
    steps.push_back(step);
  }
  return steps;
}

}  // namespace

bool has_validation(const Task& task, const TrainData& data) {
  return data.validation && !data.validation_indices.empty() && task.validation;
}

Pace settle_pace(const Task& task, const TrainConfig& c, const TrainData& data, EpochLength epoch) {
  if (c.steps >= 0 && c.epochs >= 0) throw UsageError("--steps and --epochs exclude each other");
  if (c.steps < 0 && c.epochs < 0) throw UsageError("give --steps or --epochs");
  check_ways_to_save(c);
  check_samples(task, c);
  check_validation(task, c, has_validation(task, data));
  if (c.batch_size % c.grad_accum_steps != 0) {
    throw UsageError(fmt::format("--grad-accum-steps {}: does not divide --batch-size {}",
                                 c.grad_accum_steps, c.batch_size));
  }
  if (data.train_indices.empty()) throw Error("no pictures to train on");
  parse_decays(c.ema_decay);
  check_schedule(c);
  auto check_beta = [](const char* flag, double beta) {  // of 1: the moment stays 0, over 0
    if (beta < 1) return;
    throw UsageError(fmt::format("{} {}: expected at least 0 and below 1", flag, beta));
  };
  check_beta("--adam-beta1", c.adam_beta1);
  check_beta("--adam-beta2", c.adam_beta2);

  Pace pace;
  pace.total_steps = c.steps;
  if (c.epochs >= 0)
    pace.total_steps = named("--epochs", [&] { return updates_in(c.epochs, epoch); });
  pace.val_every = named("--val-every", [&] { return updates_of(c.val_every, epoch); });
  // Drawing samples and judging them takes as long for few pictures as for many.
  if (c.val_every.empty() && task.assess) pace.val_every = std::max(pace.val_every, kLeastAssessed);
  if (!c.max_time.empty()) {
    pace.max_seconds = named("--max-time", [&] { return parse_seconds(c.max_time); });
    if (pace.max_seconds <= 0)
      throw UsageError(fmt::format("--max-time '{}': expected a time above 0", c.max_time));
  }
  try {
    if (c.save_every.find_first_of("smhd") != std::string::npos) {
      pace.save_seconds = parse_seconds(c.save_every);
    } else {
      pace.save_every = parse_count(c.save_every);
    }
  } catch (const UsageError&) {
    throw UsageError(fmt::format(
        "--save-every '{}': expected updates such as 500, or a time such as 30m", c.save_every));
  }
  if (pace.total_steps > 0 && c.warmup_steps > pace.total_steps) {
    throw UsageError(
        fmt::format("--warmup-steps {}: the run has {} steps; expected at most as many (a preset "
                    "may have set it)",
                    c.warmup_steps, pace.total_steps));
  }
  pace.schedule = {parse_lr_schedule(c.lr_schedule),
                   c.learning_rate,
                   c.min_learning_rate,
                   std::max<std::int64_t>(pace.total_steps, 1),
                   c.warmup_steps,
                   named("--lr-milestones", [&] { return milestones_of(c.lr_milestones, epoch); }),
                   c.lr_gamma};
  if (pace.total_steps > 0) learning_rate_at(pace.schedule, 0);  // says what is wrong with it
  return pace;
}

}  // namespace atelier
