// The training loop.
#include "train/trainer.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cmath>

#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/parse.h"
#include "io/checkpoint.h"
#include "io/metrics.h"
#include "nn/optimizers.h"
#include "nn/schedules.h"
#include "train/run_directory.h"
#include "train/signals.h"
#include "train/train_plans.h"

namespace atelier {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double rss_mib() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024;
}

class Trainer {
 public:
  Trainer(const Task& task, TrainConfig& config, const TrainData& data)
      : task_(task),
        config_(config),
        data_(data),
        store_(std::uint64_t(config.seed)),
        plans_(task, config, *data.train, store_),
        loader_(*data.train, data.train_indices, loader_options()) {
    if (data.validation && !data.validation_indices.empty() && task.validation) {
      validator_ = std::make_unique<Validator>(task, config, *data.validation,
                                               data.validation_indices, store_);
    }
  }

  int run() {
    prepare();
    if (config_.dry_run) return dry_run();
    start_ = last_save_ = last_record_ = Clock::now();
    open_metrics();
    int status = loop();
    logging::status_line("");
    if (status == 0) {
      save_output(false);
    } else if (run_) {
      save();
    } else {
      save_output(true);
    }
    summary();
    return status;
  }

 private:
  LoaderOptions loader_options() const {
    return {.batch_size = config_.batch_size,
            .seed = config_.seed,
            .hflip = config_.hflip,
            .crop_padding = config_.crop_padding,
            .binarize = config_.binarize};
  }

  // ---- before the first step
  void prepare() {
    check_config();
    install_signal_handlers();
    if (!config_.run_dir.empty() && !config_.dry_run)
      run_ = std::make_unique<RunDirectory>(config_.run_dir);
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
    std::string from = resume_source();
    if (!from.empty()) {
      resume(from);
    } else {
      if (run_ && !run_->steps().empty() && !config_.force) {
        throw UsageError(fmt::format(
            "--run-dir {}: holds a run already; give --resume to go on or --force to start anew",
            config_.run_dir));
      }
      if (!config_.init.empty()) take_weights(config_.init);
    }
    plans_.for_rows(std::min(config_.batch_size, loader_.size()));  // creates what is missing
    if (!config_.init.empty() && from.empty()) report_init();
    if (run_ && !task_.resolved_toml.empty()) {
      AtomicFile file(run_->path() / "config.toml");
      file.write(task_.resolved_toml);
      file.commit();
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

  // ---- checkpoints
  Checkpoint checkpoint() const {
    Checkpoint c;
    c.config = task_.config;
    c.preprocess = task_.preprocess;
    c.training = to_attributes(config_.training_fields());
    c.inputs = {{"train_digest", fmt::format("{:016x}", data_.train->digest)},
                {"train_examples", std::int64_t(data_.train_indices.size())}};
    if (validator_) {
      c.inputs.emplace_back("val_digest", fmt::format("{:016x}", data_.validation->digest));
      c.inputs.emplace_back("val_examples", std::int64_t(data_.validation_indices.size()));
    }
    c.inputs.emplace_back("level", std::string(name(host_level())));
    c.inputs.emplace_back("precision", std::string("fp32"));
    return c;
  }
  Checkpoint full_checkpoint() const {
    Checkpoint c = checkpoint();
    c.state = {
        {"step", step_},      {"epoch", position_.epoch}, {"epoch_index", position_.index},
        {"best_loss", best_}, {"best_step", best_step_},  {"validation_owed", validation_owed_}};
    return c;
  }

  void save() {
    if (!run_) return save_output(true);
    if (saved_step_ == step_) return;
    write_checkpoint(run_->checkpoint(step_).string(), full_checkpoint(), store_);
    saved_step_ = step_;
    run_->prune(config_.keep);
    last_save_ = Clock::now();
  }

  // The model alone when the run is over; with everything if it is to be resumed from here.
  void save_output(bool resumable) {
    if (config_.output.empty()) {
      if (run_) save();
      return;
    }
    if (resumable) {
      write_checkpoint(config_.output, full_checkpoint(), store_);
    } else {
      if (run_) save();
      write_checkpoint(config_.output, checkpoint(), store_, [](std::string_view name) {
        return !name.starts_with("optimizer/") && !name.starts_with("train/");
      });
    }
    last_save_ = Clock::now();
  }

  std::string resume_source() {
    if (config_.resume.empty()) return "";
    if (config_.resume != "auto") return config_.resume;
    if (!run_) return "";
    auto steps = run_->steps();
    for (std::size_t i = steps.size(); i-- > 0;) {
      std::string path = run_->checkpoint(steps[i]).string();
      try {
        Hdf5Reader file{std::filesystem::path(path)};
        read_checkpoint_attributes(file);
        file.verify_all();
        return path;
      } catch (const Error& error) {
        logging::warning(fmt::format("{} (passed over)", error.what()));
      }
    }
    return "";
  }

  void resume(const std::string& path) {
    Hdf5Reader file = open_hdf5(path);
    Checkpoint c = read_checkpoint(file, store_);
    if (c.state.empty())
      throw Error(fmt::format(
          "{}: holds a finished model, not the state of a training; --init takes its weights",
          path));
    auto compare = [&](const Attributes& stored, const Attributes& now, const char* what) {
      for (const auto& [key, value] : now) {
        const Scalar* before = find(stored, key);
        if (before && to_text(*before) == to_text(value)) continue;
        bool allowed = (key == "level" && config_.allow_level_change);
        if (allowed) {
          logging::warning(fmt::format("{}: {} changes from {} to {}; bits will differ", path, key,
                                       before ? to_text(*before) : "nothing", to_text(value)));
          continue;
        }
        throw Error(fmt::format("{}: {} '{}' was {}, is {}", path, what, key,
                                before ? to_text(*before) : "absent", to_text(value)));
      }
    };
    compare(c.config, task_.config, "model option");
    compare(c.training, to_attributes(config_.training_fields()), "training option");
    compare(c.inputs, checkpoint().inputs, "input");
    auto whole = [&](const char* key) { return std::get<std::int64_t>(*find(c.state, key)); };
    for (const char* key : {"step", "epoch", "epoch_index", "best_step", "best_loss"}) {
      if (!find(c.state, key)) throw Error(fmt::format("{}: /state has no {}", path, key));
    }
    step_ = saved_step_ = whole("step");
    position_ = {whole("epoch"), whole("epoch_index")};
    best_ = std::get<double>(*find(c.state, "best_loss"));
    best_step_ = whole("best_step");
    if (const Scalar* owed = find(c.state, "validation_owed"))
      validation_owed_ = std::get<bool>(*owed);
    if (const Scalar* owed = find(c.state, "validation_owed"))
      validation_owed_ = std::get<bool>(*owed);
    loader_.seek(position_);
    logging::note(fmt::format("resumed from {} at step {}", path, step_));
  }

  void take_weights(const std::string& path) {
    Hdf5Reader file = open_hdf5(path);
    read_checkpoint(file, store_,
                    [](std::string_view name) { return name.find('/') == name.npos; });
    initialised_ = store_.names();
  }
  void report_init() {
    std::size_t fresh = 0;
    for (const std::string& name : store_.names()) {
      fresh += name.find('/') == name.npos &&
               std::find(initialised_.begin(), initialised_.end(), name) == initialised_.end();
    }
    logging::note(fmt::format("{}: {} tensors taken, {} initialised anew", config_.init,
                              initialised_.size(), fresh));
  }

  // ---- the loop
  int loop() {
    if (validation_owed_ && validator_ && !validate()) return 75;
    while (step_ < total_steps_) {
      if (stop_requested() || (max_seconds_ > 0 && seconds_since(start_) >= max_seconds_))
        return 75;
      HostBatch batch = loader_.next();
      double rate = learning_rate_at(schedule_, step_);
      if (!plans_.update(batch, step_, rate)) diverged();
      ++step_;
      position_ = batch.next;
      images_ += batch.rows;
      account(rate);
      bool validate_now = validator_ && (step_ % val_every_ == 0 || step_ == total_steps_);
      if (validate_now && !validate()) return 75;
      if (task_.sample_grid && run_ && config_.sample_every > 0 &&
          step_ % config_.sample_every == 0)
        draw_grid();
      if (save_requested() || save_due()) save();
    }
    return 0;
  }

  bool save_due() const {
    if (save_steps_ > 0 && step_ % std::int64_t(save_steps_) == 0) return true;
    return save_seconds_ > 0 && seconds_since(last_save_) >= save_seconds_ && config_.output != "-";
  }

  [[noreturn]] void diverged() {
    logging::status_line("");
    std::string last =
        run_ && !run_->steps().empty()
            ? fmt::format("; last good state: {}", run_->checkpoint(run_->steps().back()).string())
            : "";
    throw Error(fmt::format("diverged at step {}: loss or gradient is not finite, first in {}{}",
                            step_ + 1, plans_.non_finite(), last));
  }

  void account(double rate) {
    loss_sum_ += plans_.loss();
    ++loss_count_;
    if (step_ % config_.log_every != 0 && step_ != total_steps_) {
      progress();
      return;
    }
    double elapsed = std::chrono::duration<double>(Clock::now() - last_record_).count();
    speed_ = elapsed > 0 ? double(images_) / elapsed : 0;
    Attributes record = {
        {"step", step_}, {"epoch", position_.epoch}, {"loss", loss_sum_ / double(loss_count_)}};
    for (const ReportedTerm& term : plans_.terms()) record.emplace_back(term.name, term.value);
    record.insert(record.end(), {{"learning_rate", rate},
                                 {"grad_norm", plans_.grad_norm()},
                                 {"images_per_second", speed_},
                                 {"seconds", seconds_since(start_)},
                                 {"rss_mib", rss_mib()}});
    metrics_.record(record);
    if (!is_terminal(STDERR_FILENO))
      logging::info(fmt::format("step {}/{}: loss {:.4f} {}, {:.0f} pictures/s", step_,
                                total_steps_, loss_sum_ / double(loss_count_), plans_.unit(),
                                speed_));
    loss_sum_ = 0;
    loss_count_ = 0;
    images_ = 0;
    last_record_ = Clock::now();
    progress();
  }

  void progress() {
    if (!is_terminal(STDERR_FILENO) || logging::level() < logging::Level::warning ||
        seconds_since(last_progress_) < 0.1)
      return;
    last_progress_ = Clock::now();
    double per_step =
        seconds_since(start_) /
        double(std::max<std::int64_t>(1, step_ - std::max<std::int64_t>(0, saved_step_)));
    logging::status_line(fmt::format("step {}/{}  loss {:.4f} {}  {:.0f} pictures/s  {} left",
                                     step_, total_steps_, plans_.loss(), plans_.unit(), speed_,
                                     format_seconds(per_step * double(total_steps_ - step_))));
  }

  std::string weights_prefix() const { return count_emas(store_) > 0 ? ema_prefix(0) : ""; }

  bool validate() {
    auto begin = Clock::now();
    bool overdue = false;
    auto stop = [&] {
      overdue = stop_requested() || (max_seconds_ > 0 && seconds_since(start_) >= max_seconds_);
      return overdue;
    };
    std::vector<ReportedTerm> terms = validator_->run(weights_prefix(), stop);
    // The update is kept; its validation runs first after resuming.
    validation_owed_ = overdue;
    if (overdue) return false;
    Attributes record = {{"step", step_}, {"epoch", position_.epoch}}, plain;
    std::string line;
    for (const ReportedTerm& term : terms) {
      record.emplace_back("val_" + term.name, term.value);
      plain.emplace_back(term.name, term.value);
      line +=
          fmt::format("{}{} {:.4f} {}", line.empty() ? "" : ", ", term.name, term.value, term.unit);
    }
    record.emplace_back("seconds", seconds_since(start_));
    metrics_.record(record);
    logging::status_line("");
    logging::note(fmt::format("step {}: held out: {}", step_, line));
    if (task_.remarks) remark(plain);
    if (config_.keep_best && run_ && !terms.empty() && (best_step_ < 0 || terms[0].value < best_)) {
      best_ = terms[0].value;
      best_step_ = step_;
      write_checkpoint((run_->path() / "best.h5").string(), full_checkpoint(), store_);
    }
    // Validation is no training time.
    last_record_ += Clock::now() - begin;
    return true;
  }

  void remark(const Attributes& validation) {
    for (const Remark& r : task_.remarks(validation)) {
      if (std::find(remarked_.begin(), remarked_.end(), r.key) != remarked_.end()) continue;
      remarked_.push_back(r.key);
      logging::note("remark: " + r.text);
      metrics_.record({{"step", step_}, {"remark", r.key}, {"text", r.text}});
    }
  }

  void draw_grid() {
    std::filesystem::path directory = run_->path() / "samples";
    std::filesystem::create_directories(directory);
    task_.sample_grid(store_, weights_prefix(),
                      (directory / fmt::format("step-{:08}.png", step_)).string());
  }

  // ---- reports
  void open_metrics() {
    std::string to = config_.metrics;
    if (to.empty() && run_) to = (run_->path() / "metrics.jsonl").string();
    if (to.empty()) return;
    metrics_ = MetricsWriter(to);
    Attributes units = {{"program", task_.program},
                        {"threads", std::int64_t(num_threads())},
                        {"level", std::string(name(host_level()))},
                        {"cpu", cpu_model()},
                        {"seed", config_.seed},
                        {"parameters", plans_.parameters()},
                        {"unit.loss", plans_.unit()}};
    for (const ReportedTerm& term : plans_.terms())
      units.emplace_back("unit." + term.name, term.unit);
    metrics_.record(units);
  }

  void summary() {
    if (total_steps_ > 0)
      logging::note(fmt::format("{} steps, seed {}, {}", step_, config_.seed,
                                format_seconds(seconds_since(start_))));
    metrics_.record({{"step", step_},
                     {"images_per_second", speed_},
                     {"seconds", seconds_since(start_)},
                     {"rss_mib", rss_mib()},
                     {"done", step_ >= total_steps_}});
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
    line(fmt::format("peak memory so far: {}", format_bytes(rss_mib() * 1048576)));
    line(fmt::format("seconds a step: {:.4g}", per_step));
    line(fmt::format("steps: {}", total_steps_));
    line(fmt::format("time of the run: {}", format_seconds(per_step * double(total_steps_))));
    return 0;
  }

  const Task& task_;
  TrainConfig& config_;
  const TrainData& data_;
  Store store_;
  TrainPlans plans_;
  Loader loader_;
  std::unique_ptr<Validator> validator_;
  std::unique_ptr<RunDirectory> run_;
  MetricsWriter metrics_;
  ScheduleArgs schedule_;
  LoaderPosition position_;
  std::int64_t step_ = 0, saved_step_ = -1, total_steps_ = 0, val_every_ = 1, best_step_ = -1,
               images_ = 0, loss_count_ = 0;
  double best_ = 0, loss_sum_ = 0, speed_ = 0, max_seconds_ = 0, save_seconds_ = 0, save_steps_ = 0;
  bool validation_owed_ = false;
  std::vector<std::string> remarked_, initialised_;
  Clock::time_point start_, last_save_, last_record_, last_progress_;
};

}  // namespace

int train(const Task& task, TrainConfig& config, const TrainData& data) {
  return Trainer(task, config, data).run();
}

}  // namespace atelier
