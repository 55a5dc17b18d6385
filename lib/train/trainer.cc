// The training loop.
#include "train/trainer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "nn/optimizers.h"
#include "train/average_statistics.h"
#include "train/checkpoints.h"
#include "train/pace.h"
#include "train/reports.h"
#include "train/signals.h"
#include "train/turns.h"
#include "train/validator.h"

namespace atelier {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Updates between two looks at all weights. A look reads them once, an update reads or writes them
// and what belongs to them ten times and more: this stays far below 1 % of the time.
constexpr std::int64_t kCheckEvery = 64;

// Below 0: none is told.
double coverage_of(std::span<const ReportedTerm> terms) {
  auto found = std::ranges::find(terms, TermRole::coverage, &ReportedTerm::role);
  return found == terms.end() ? -1 : found->value;
}

class Trainer {
 public:
  Trainer(const Task& task, const TrainConfig& config, const TrainData& data)
      : task_(task),
        config_(config),
        data_(data),
        store_(std::uint64_t(config.seed)),
        turns_(task, config, *data.train, store_,
               data.captions ? data.captions->context_length() : 0),
        loader_(*data.train, data.train_indices, loader_options(config, data)),
        reports_(task, config, turns_, data.train->noun()) {
    if (has_validation(task, data)) {
      validator_ =
          std::make_unique<Validator>(task, config, *data.validation, data.validation_indices,
                                      store_, data.validation_captions);
    }
  }

  int run() {
    prepare();
    if (config_.dry_run) return dry_run();
    last_save_ = Clock::now();
    reports_.start(now_.step, pace_.total_steps);
    bool done = loop();
    logging::status_line("");
    begin();
    std::string saved = finish(done);
    tell([&] { reports_.summary(now_.step, done); });
    if (!untold_.empty()) {
      if (saved.empty()) throw Error(untold_);
      bool whole = done && !config_.output.empty();
      throw Error(fmt::format("{}; {}", untold_,
                              whole ? config_.output + " is complete" : how_to_go_on(saved)));
    }
    if (done) return 0;
    std::string where = fmt::format("stopped at step {} of {}, seed {}", now_.step,
                                    pace_.total_steps, config_.seed);
    if (saved.empty()) throw Error(where + "; nothing saved: neither -o nor --run-dir was given");
    logging::note(fmt::format("{}; {}", where, how_to_go_on(saved)));
    return 75;
  }

 private:
  // ---- before the first step
  void prepare() {
    pace_ = settle_pace(task_, config_, data_, {loader_.batches_per_epoch(), turns_.batches()});
    checkpoints_.emplace(task_, config_, data_, store_);
    std::string from = checkpoints_->resume_source();
    if (!from.empty()) {
      now_ = checkpoints_->resume(from);
      loader_.seek(now_.position);
    } else {
      checkpoints_->start_anew();
      if (!config_.resume.empty() && checkpoints_->has_run())
        logging::note(config_.run_dir + ": holds no checkpoint to go on from, begins anew");
      checkpoints_->take_weights();
    }
    create_tensors(from.empty() ? config_.init : from);
    if (from.empty()) {
      checkpoints_->settle_weights(turns_.tensors());
    } else {
      checkpoints_->require_whole(from);
      logging::note(fmt::format("resumed from {} at step {}", from, now_.step));
    }
    announce();
    // Before, a file that is a FIFO may hold it up, and there is nothing to save.
    if (!config_.dry_run) save_on_signals();
  }

  // Before anything is written. What could still fail until here must not cost a former run.
  void begin() {
    if (begun_) return;
    begun_ = true;
    if (!config_.metrics.empty()) reports_.open(config_.metrics);
    checkpoints_->begin();
    if (config_.metrics.empty() && checkpoints_->has_run())
      reports_.open(checkpoints_->in_run("metrics.jsonl").string());
  }

  // Those that no checkpoint gave; those that one gave must be of the right shape.
  void create_tensors(const std::string& given) {
    try {
      turns_.compile(std::min(config_.batch_size, loader_.size()));
      statistics_.emplace(task_, config_, data_, store_);
    } catch (const ShapeError& error) {
      if (given.empty()) throw;
      throw Error(fmt::format("{}: {}", given, error.what()));
    }
  }

  void announce() const {
    if (config_.dry_run) return;
    const Dataset& set = *data_.train;
    std::string shape = set.real && !set.latents
                            ? fmt::format("of {}", set.channels)
                            : fmt::format("{}x{}x{}", set.height, set.width, set.channels);
    logging::note(fmt::format("{} {} {} to train on, {} held out; {} parameters; {} steps",
                              data_.train_indices.size(), set.noun(), shape,
                              data_.validation_indices.size(), turns_.parameters(),
                              pace_.total_steps));
  }

  // ---- the loop
  // False: it was to stop.
  bool loop() {
    if (now_.owed) {
      begin();
      if (!finish_step()) return false;
    }
    while (now_.step < pace_.total_steps) {
      if (must_stop()) return false;
      double rate = learning_rate_at(pace_.schedule, now_.step);
      if (!turns_.run(loader_, now_.step, rate)) diverged();
      ++now_.step;
      now_.position = turns_.next();
      if (!worked_ || now_.step % kCheckEvery == 0) check_weights();
      begin();
      worked_ = true;
      tell([&] { reports_.update(now_.step, now_.position.epoch, turns_.rows(), rate); });
      if (!finish_step()) return false;
      if (save_requested() || save_due()) save();
    }
    return true;
  }

  // A limit shorter than the start-up still lets one update, or one validation, through: otherwise
  // a job that is run again and again would never end.
  bool must_stop() const {
    if (stop_requested() || !untold_.empty()) return true;
    return worked_ && pace_.max_seconds > 0 && seconds_since(task_.started) >= pace_.max_seconds;
  }

  // Where a record or a grid cannot be written, what was learned is not lost for it: the training
  // ends as if it had been asked to stop, and fails.
  template <class Tell>
  void tell(const Tell& tell) {
    try {
      tell();
    } catch (const Error& error) {
      if (untold_.empty()) untold_ = error.what();
    }
  }

  // Validation and pictures that belong to the last update. False if it was to stop first: the
  // update is kept, and this is done first after resuming.
  bool finish_step() {
    auto start = Clock::now();
    bool validate =
        validates() && (now_.step % pace_.val_every == 0 || now_.step == pace_.total_steps);
    bool draw = task_.sample_grid && checkpoints_->has_run() && config_.sample_every > 0 &&
                now_.step % config_.sample_every == 0;
    now_.owed = false;
    if (draw || validate) settle_averages();
    // First, as it leaves no record: doing it again after a stop shows nowhere.
    if (draw && !draw_grid()) {
      now_.owed = true;
      return false;
    }
    if (validate) {
      logging::detail(fmt::format("phase validate: step {}", now_.step));
      auto terms = figures();
      if (terms.empty()) {
        now_.owed = true;
        return false;
      }
      take_validation(terms);
      remark_on_coverage(terms);
      worked_ = true;
    }
    if (validate || draw) {
      logging::detail(fmt::format("phase train: after step {}", now_.step));
      reports_.pause(start);
    }
    return true;
  }

  bool validates() const { return validator_ || task_.assess; }

  // Held-out figures, or those of what the model draws; empty if it was to stop first.
  std::vector<ReportedTerm> figures() {
    auto stop = [this] { return must_stop(); };
    return validator_ ? validator_->run(weights_prefix(), stop)
                      : task_.assess(store_, weights_prefix(), stop);
  }

  void take_validation(const std::vector<ReportedTerm>& terms) {
    tell([&] { reports_.validation(now_.step, now_.position.epoch, terms); });
    note_coverage(terms);
    double loss = terms[0].value;
    bool best = std::isfinite(loss) && (now_.best_step < 0 || loss < now_.best_loss);
    if (!best || !config_.keep_best) return;
    check_weights();
    now_.best_loss = loss;
    now_.best_step = now_.step;
    checkpoints_->save_best(now_);
  }

  // Adversaries may collapse at any time, and their losses do not tell.
  void note_coverage(std::span<const ReportedTerm> terms) {
    double coverage = coverage_of(terms);
    if (coverage < 0 || coverage < now_.best_coverage) return;
    now_.best_coverage = coverage;
    now_.best_coverage_step = now_.step;
  }

  void remark_on_coverage(std::span<const ReportedTerm> terms) {
    double coverage = coverage_of(terms);
    if (coverage < 0 || 2 * coverage >= now_.best_coverage) return;
    bool kept = config_.keep_best && checkpoints_->has_run() && now_.best_step >= 0;
    Remark remark{
        "coverage",
        fmt::format(
            "coverage {:.3f} at step {} is less than half of {:.3f} at step {}: the samples have "
            "lost kinds of what is trained on; {}",
            coverage, now_.step, now_.best_coverage, now_.best_coverage_step,
            kept ? fmt::format("best.h5 is of step {}", now_.best_step) : "no best.h5 is kept")};
    tell([&] { reports_.remark(now_.step, remark); });
  }

  bool draw_grid() {
    bool drawn = false;
    tell([&] {
      std::filesystem::path directory = checkpoints_->in_run("samples");
      std::error_code error;
      std::filesystem::create_directories(directory, error);
      if (error) throw_errno(directory, "cannot create", error.value());
      std::string path = (directory / fmt::format("step-{:08}.png", now_.step)).string();
      logging::detail(fmt::format("phase draw: {}", path));
      drawn = task_.sample_grid(store_, weights_prefix(), path, [this] { return must_stop(); });
    });
    return drawn;
  }

  // Before averages are looked at or written.
  void settle_averages() {
    if (settled_ == now_.step) return;
    statistics_->estimate();
    settled_ = now_.step;
  }

  std::string weights_prefix() const { return count_emas(store_) > 0 ? ema_prefix(0) : ""; }

  bool save_due() const {
    if (pace_.save_every > 0 && now_.step % pace_.save_every == 0) return true;
    return pace_.save_seconds > 0 && seconds_since(last_save_) >= pace_.save_seconds;
  }

  void save() {
    auto start = Clock::now();
    settle_averages();
    check_weights();
    checkpoints_->save(now_);
    logging::detail(fmt::format("phase train: after step {}", now_.step));
    last_save_ = Clock::now();
    reports_.pause(start);
  }

  // Finite gradients do not make finite weights: without --adam-eps a moment of 0 is divided by 0,
  // and relu hides what is not a number from the loss. The update has been done, so that only
  // what was saved before it is good.
  void check_weights() const {
    std::string found = non_finite_weight(store_);
    if (found.empty()) return;
    logging::status_line("");
    std::string good = checkpoints_->newest();
    throw Error(fmt::format("diverged by step {}: {}; {}", now_.step, found,
                            good.empty() ? "nothing saved" : good + " is the last good state"));
  }

  // A finished run leaves its state in the run directory too; a stopped one leaves -o FILE alone,
  // which may hold a model, unless that is a stream. Says where the state is, empty: nowhere.
  std::string finish(bool done) {
    settle_averages();
    check_weights();
    std::string saved = checkpoints_->has_run() || !done ? checkpoints_->save(now_) : "";
    if (config_.output.empty() || (!done && !saved.empty())) return saved;
    checkpoints_->save_output(now_, !done);
    return config_.output;
  }

  std::string how_to_go_on(const std::string& saved) const {
    if (saved == config_.output) {
      return fmt::format("{} holds the state: keep it in a file and go on with --resume=FILE",
                         output_name(saved));
    }
    return fmt::format("{} holds the state: go on with {}", saved,
                       checkpoints_->has_run() ? "--resume" : "--resume=" + saved);
  }

  // Standard output gets nothing: what reads it would take a state for a result.
  [[noreturn]] void diverged() {
    logging::status_line("");
    std::string kept = "nothing saved";
    try {
      if (!checkpoints_->replaces_run()) begin();
      settle_averages();
      std::string saved = checkpoints_->save_last_good(now_);
      if (!saved.empty()) kept = saved + " holds the state before";
    } catch (const Error& error) {
      kept += fmt::format(" ({})", error.what());
    }
    throw Error(fmt::format("diverged at step {}: loss or gradient is not finite, first in {}; {}",
                            now_.step + 1, turns_.non_finite(), kept));
  }

  // With the statistics of averages, which are taken before. What is drawn is judged twice: the
  // first time makes what later ones find made.
  double seconds_of_validation() {
    auto begin = Clock::now();
    statistics_->estimate();
    double settling = seconds_since(begin);
    if (validator_) return settling + validator_->expected_seconds(weights_prefix());
    figures();
    begin = Clock::now();
    figures();
    return settling + seconds_since(begin);
  }

  int dry_run() {
    std::int64_t rows = std::min(config_.batch_size, loader_.size());
    double flops = turns_.flops(rows);
    turns_.run(loader_, 0, 0);  // touches the memory
    auto begin = Clock::now();
    int timed = 0;
    while (timed < 3 || (seconds_since(begin) < 1 && timed < 50))
      turns_.run(loader_, 0, 0), ++timed;
    double per_step = seconds_since(begin) / timed;
    auto line = [](const std::string& text) {
      write_all(STDOUT_FILENO, text + "\n", "standard output");
    };
    line(fmt::format("parameters: {}", turns_.parameters()));
    line(fmt::format("multiply-accumulates a step: {:.4g}", flops / 2));
    line(fmt::format("memory of a step: {}", format_bytes(double(turns_.bytes(rows)))));
    double validations = 0;
    if (validates()) {
      double each = seconds_of_validation();
      std::int64_t count =
          pace_.total_steps / pace_.val_every + (pace_.total_steps % pace_.val_every != 0 ? 1 : 0);
      validations = each * double(count);
      if (validator_) {
        line(fmt::format("memory of a validation: {}",
                         format_bytes(double(validator_->workspace_bytes()))));
      }
      line(fmt::format("seconds a validation: {:.4g}", each));
      line(fmt::format("validations: {}", count));
    }
    // Every kind of plan has run by now; what a run adds is the rest of a mapped data set.
    line(fmt::format("memory of the run: {}", format_bytes(peak_rss_mib() * 1048576)));
    line(fmt::format("seconds a step: {:.4g}", per_step));
    line(fmt::format("steps: {}", pace_.total_steps));
    line(fmt::format("time of the run: {}",
                     format_seconds(per_step * double(pace_.total_steps) + validations)));
    return 0;
  }

  const Task& task_;
  const TrainConfig& config_;
  const TrainData& data_;
  Store store_;
  Turns turns_;
  Loader loader_;
  Reports reports_;
  std::unique_ptr<Validator> validator_;
  std::optional<Checkpoints> checkpoints_;
  std::optional<AverageStatistics> statistics_;
  std::int64_t settled_ = -1;  // the step whose averages have statistics
  Pace pace_;
  Progress now_;
  bool begun_ = false;
  std::string untold_;   // why a record or a grid could not be written
  bool worked_ = false;  // this process has got the training further
  Clock::time_point last_save_;
};

}  // namespace

int train(const Task& task, const TrainConfig& config, const TrainData& data) {
  return Trainer(task, config, data).run();
}

}  // namespace atelier
