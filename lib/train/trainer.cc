// The training loop.
#include "train/trainer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "nn/optimizers.h"
#include "nn/schedules.h"
#include "train/checkpoints.h"
#include "train/reports.h"
#include "train/signals.h"
#include "train/train_plans.h"
#include "train/validator.h"

namespace atelier {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Trainer {
 public:
  Trainer(const Task& task, const TrainConfig& config, const TrainData& data)
      : task_(task),
        config_(config),
        data_(data),
        store_(std::uint64_t(config.seed)),
        plans_(task, config, *data.train, store_),
        loader_(*data.train, data.train_indices,
                {.batch_size = config.batch_size,
                 .seed = config.seed,
                 .hflip = config.hflip,
                 .crop_padding = config.crop_padding,
                 .binarize = config.binarize}),
        reports_(task, config, plans_) {
    if (data.validation && !data.validation_indices.empty() && task.validation) {
      validator_ = std::make_unique<Validator>(task, config, *data.validation,
                                               data.validation_indices, store_);
    }
  }

  int run() {
    prepare();
    if (config_.dry_run) return dry_run();
    std::string metrics = config_.metrics;
    if (metrics.empty() && checkpoints_->has_run())
      metrics = checkpoints_->in_run("metrics.jsonl").string();
    last_save_ = Clock::now();
    reports_.open(metrics, now_.step, total_steps_);
    int status = loop();
    logging::status_line("");
    finish(status == 0);
    std::string saved;
    if (status != 0) saved = checkpoints_->has_run() ? checkpoints_->last_good() : config_.output;
    reports_.summary(now_.step, saved);
    return status;
  }

 private:
  // ---- before the first step
  void prepare() {
    check_config();
    install_signal_handlers();
    checkpoints_.emplace(task_, config_, data_, store_);
    std::int64_t per_epoch = loader_.batches_per_epoch();
    total_steps_ = config_.epochs >= 0 ? config_.epochs * per_epoch : config_.steps;
    schedule_ = {parse_lr_schedule(config_.lr_schedule),
                 config_.learning_rate,
                 config_.min_learning_rate,
                 std::max<std::int64_t>(total_steps_, 1),
                 config_.warmup_steps,
                 milestones(per_epoch),
                 config_.lr_gamma};
    if (total_steps_ > 0)
      learning_rate_at(schedule_, 0);  // says what is wrong before anything is built
    std::string from = checkpoints_->resume_source();
    if (!from.empty()) {
      now_ = checkpoints_->resume(from);
      loader_.seek(now_.position);
    } else {
      checkpoints_->start_anew();
      checkpoints_->take_weights();
    }
    create_tensors();
    if (from.empty()) checkpoints_->report_weights();
    checkpoints_->write_config_file();
  }

  // Those that no checkpoint gave; those that one gave must be of the right shape.
  void create_tensors() {
    try {
      plans_.for_rows(std::min(config_.batch_size, loader_.size()));
    } catch (const ShapeError& error) {
      if (config_.init.empty()) throw;
      throw Error(fmt::format("{}: {}", config_.init, error.what()));
    }
  }

  void check_config() {
    if (config_.steps >= 0 && config_.epochs >= 0)
      throw UsageError("--steps and --epochs exclude each other");
    if (config_.steps < 0 && config_.epochs < 0) throw UsageError("give --steps or --epochs");
    if (config_.output.empty() && config_.run_dir.empty() && !config_.dry_run &&
        config_.metrics.empty()) {
      throw UsageError("give -o FILE, --run-dir DIR, or --metrics FILE");
    }
    if (config_.output == "-" && config_.metrics == "-")
      throw UsageError("-o - and --metrics - both want standard output");
    if (!config_.resume.empty() && !config_.init.empty())
      throw UsageError("--resume and --init exclude each other");
    if (config_.resume == "auto" && config_.run_dir.empty())
      throw UsageError("--resume auto needs --run-dir");
    if (config_.batch_size % config_.grad_accum_steps != 0) {
      throw UsageError(fmt::format("--grad-accum-steps {}: does not divide --batch-size {}",
                                   config_.grad_accum_steps, config_.batch_size));
    }
    if (data_.train_indices.empty()) throw Error("no pictures to train on");
    parse_decays(config_.ema_decay);
    if (!config_.max_time.empty()) max_seconds_ = parse_seconds(config_.max_time);
    bool timed = config_.save_every.find_first_of("smhd") != std::string::npos;
    (timed ? save_seconds_ : save_steps_) =
        timed ? parse_seconds(config_.save_every) : double(parse_count(config_.save_every));
    std::int64_t per_epoch = loader_.batches_per_epoch();
    val_every_ = config_.val_every.empty() ? per_epoch : parse_count(config_.val_every);
    if (val_every_ < 1)
      throw UsageError(
          fmt::format("--val-every '{}': expected a count of at least 1", config_.val_every));
  }

  std::vector<std::int64_t> milestones(std::int64_t per_epoch) const {
    std::vector<std::int64_t> steps;
    const std::string& text = config_.lr_milestones;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t comma = std::min(text.find(',', at), text.size());
      steps.push_back(parse_count(text.substr(at, comma - at)) * per_epoch);
      at = comma + 1;
    }
    return steps;
  }

  // ---- the loop
  int loop() {
    if (now_.owed && !finish_step()) return 75;
    while (now_.step < total_steps_) {
      if (must_stop()) return 75;
      HostBatch batch = loader_.next();
      double rate = learning_rate_at(schedule_, now_.step);
      if (!plans_.update(batch, now_.step, rate)) diverged();
      ++now_.step;
      now_.position = batch.next;
      worked_ = true;
      reports_.update(now_.step, now_.position.epoch, batch.rows, rate);
      if (!finish_step()) return 75;
      if (save_requested() || save_due()) save();
    }
    return 0;
  }

  // A limit shorter than the start-up still lets one update, or one validation, through: otherwise
  // a job that is run again and again would never end.
  bool must_stop() const {
    if (stop_requested()) return true;
    return worked_ && max_seconds_ > 0 && reports_.seconds() >= max_seconds_;
  }

  // Validation and pictures that belong to the last update. False if it was to stop first: the
  // update is kept, and this is done first after resuming.
  bool finish_step() {
    auto start = Clock::now();
    bool validate = validator_ && (now_.step % val_every_ == 0 || now_.step == total_steps_);
    bool draw = task_.sample_grid && checkpoints_->has_run() && config_.sample_every > 0 &&
                now_.step % config_.sample_every == 0;
    now_.owed = false;
    if (validate) {
      logging::detail(fmt::format("phase validate: step {}", now_.step));
      auto terms = validator_->run(weights_prefix(), [this] { return must_stop(); });
      if (terms.empty()) {
        now_.owed = true;
        return false;
      }
      take_validation(terms);
      worked_ = true;
    }
    if (draw) draw_grid();
    if (validate || draw) {
      logging::detail(fmt::format("phase train: after step {}", now_.step));
      reports_.pause(start);
    }
    return true;
  }

  void take_validation(const std::vector<ReportedTerm>& terms) {
    reports_.validation(now_.step, now_.position.epoch, terms);
    if (now_.best_step >= 0 && !(terms[0].value < now_.best_loss)) return;
    if (!config_.keep_best) return;
    now_.best_loss = terms[0].value;
    now_.best_step = now_.step;
    checkpoints_->save_best(now_);
  }

  void draw_grid() {
    std::filesystem::path directory = checkpoints_->in_run("samples");
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) throw_errno(directory, "cannot create", error.value());
    std::string path = (directory / fmt::format("step-{:08}.png", now_.step)).string();
    logging::detail(fmt::format("phase draw: {}", path));
    task_.sample_grid(store_, weights_prefix(), path);
  }

  std::string weights_prefix() const { return count_emas(store_) > 0 ? ema_prefix(0) : ""; }

  bool save_due() const {
    if (save_steps_ > 0 && now_.step % std::int64_t(save_steps_) == 0) return true;
    return save_seconds_ > 0 && seconds_since(last_save_) >= save_seconds_ && config_.output != "-";
  }

  void save() {
    auto start = Clock::now();
    if (checkpoints_->has_run()) {
      checkpoints_->save(now_);
    } else if (!config_.output.empty() && config_.output != "-") {
      checkpoints_->save_output(now_, true);
    }
    logging::detail(fmt::format("phase train: after step {}", now_.step));
    last_save_ = Clock::now();
    reports_.pause(start);
  }

  // A finished run leaves its state in the run directory too; a stopped one writes the output only
  // if there is no run directory to go on from.
  void finish(bool done) {
    if (checkpoints_->has_run()) checkpoints_->save(now_);
    if (config_.output.empty() || (!done && checkpoints_->has_run())) return;
    checkpoints_->save_output(now_, !done);
  }

  [[noreturn]] void diverged() {
    logging::status_line("");
    std::string last = checkpoints_->last_good();
    throw Error(fmt::format("diverged at step {}: loss or gradient is not finite, first in {}{}",
                            now_.step + 1, plans_.non_finite(),
                            last.empty() ? "" : "; last good state: " + last));
  }

  int dry_run() {
    std::int64_t rows = std::min(config_.batch_size, loader_.size());
    Plan& plan = plans_.for_rows(rows);
    double flops =
        plan.flops() * double(rows % config_.grad_accum_steps == 0 ? config_.grad_accum_steps : 1);
    plans_.update(loader_.next(), 0, 0);  // touches the memory
    auto begin = Clock::now();
    int timed = 0;
    while (timed < 3 || (seconds_since(begin) < 1 && timed < 50))
      plans_.update(loader_.next(), 0, 0), ++timed;
    double per_step = seconds_since(begin) / timed;
    auto line = [](const std::string& text) {
      write_all(STDOUT_FILENO, text + "\n", "standard output");
    };
    line(fmt::format("parameters: {}", plans_.parameters()));
    line(fmt::format("multiply-accumulates a step: {:.4g}", flops / 2));
    line(fmt::format("memory of a step: {}",
                     format_bytes(double(plans_.workspace_bytes() + plan.packed_bytes()))));
    line(fmt::format("peak memory so far: {}", format_bytes(peak_rss_mib() * 1048576)));
    line(fmt::format("seconds a step: {:.4g}", per_step));
    line(fmt::format("steps: {}", total_steps_));
    line(fmt::format("time of the run: {}", format_seconds(per_step * double(total_steps_))));
    return 0;
  }

  const Task& task_;
  const TrainConfig& config_;
  const TrainData& data_;
  Store store_;
  TrainPlans plans_;
  Loader loader_;
  Reports reports_;
  std::unique_ptr<Validator> validator_;
  std::optional<Checkpoints> checkpoints_;
  ScheduleArgs schedule_;
  Progress now_;
  std::int64_t total_steps_ = 0, val_every_ = 1;
  double max_seconds_ = 0, save_seconds_ = 0, save_steps_ = 0;
  bool worked_ = false;  // this process has got the training further
  Clock::time_point last_save_;
};

}  // namespace

int train(const Task& task, const TrainConfig& config, const TrainData& data) {
  return Trainer(task, config, data).run();
}

}  // namespace atelier
