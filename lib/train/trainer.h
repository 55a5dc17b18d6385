// The training loop: steps, schedules, averages, validation, checkpoints, metrics, signals. It
// trains whatever a Task describes and knows no model.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "data/loader.h"
#include "eval/remarks.h"
#include "nn/objective.h"
#include "nn/scope.h"
#include "run/plan.h"

namespace atelier {

// Flags common to all trainers (interface.md 2.2); one field each.
struct TrainConfig {
  // duration
  std::int64_t steps = -1, epochs = 40;  // one of them, the other -1
  std::string max_time;                  // "50m": save and end with status 75 then
  // optimization
  std::int64_t batch_size = 64, grad_accum_steps = 1;
  double learning_rate = 1e-3, min_learning_rate = 0;
  std::string lr_schedule = "cosine";  // cosine constant linear one-cycle step
  std::int64_t warmup_steps = 0;
  std::string lr_milestones;  // step: "200,350" in epochs; factor lr_gamma at each
  double lr_gamma = 0.1;
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_eps = 1e-8, weight_decay = 0;
  AdamArgs adam_args() const { return {adam_beta1, adam_beta2, adam_eps, weight_decay}; }
  double max_grad_norm = 0;        // 0: no clipping
  std::string ema_decay;           // "0.999,0.9999": several averages; empty: none
  std::string precision = "auto";  // auto fp32
  std::int64_t seed = 0;
  // augmentation
  bool hflip = false;
  std::int64_t crop_padding = 0;
  std::string binarize = "none";
  // validation
  double val_split = 0;
  std::string split_by = "name", val_data;
  std::string val_every;  // "500" steps or "2epochs"; empty: every epoch
  std::int64_t val_batches = 0, val_importance_samples = 0, val_importance_images = 2000;
  bool keep_best = true;
  // reporting and saving: no recorded options; of `init` and `val_data` a model records digests
  std::string run_dir, output, metrics;
  std::int64_t log_every = 50, sample_every = 0;
  std::string sample_grid = "8x8", save_every = "30m";
  std::int64_t keep = 2;
  std::string resume, init;  // resume: empty off, "auto", or a path
  bool dry_run = false, force = false, allow_level_change = false;

  // Before the configuration is resolved: of --steps and --epochs the one holds that comes from
  // nearer by (OptionSource): a flag over a file's, that over the default. UsageError if the
  // command line says how to save what is saved nowhere.
  void settle(const OptionSources& source);
  Fields training_fields();   // recorded in checkpoints: they decide the bytes
  Fields reporting_fields();  // the rest
  // Before anything is read: UsageError if two results would go to one place, or the model to a
  // terminal; Error if one of them cannot be written, which must not show after days of training.
  void check_outputs() const;
  // UsageError if that is a file that the run directory keeps for itself, and would replace; `what`
  // names it.
  void refuse_run_file(const char* what, const std::string& path) const;
};

struct Judgement {
  std::vector<ReportedTerm> baselines;
  std::vector<Remark> remarks;
};

// One of several parts that are trained in turns, and how.
struct TrainedPlayer : Player {
  double rate_factor = 1;       // of the learning rate and its schedule
  AdamArgs adam = {};           // in the place of the options of the training
  bool bias_correction = true;  // of its moments
};

struct Task {
  std::string program;  // "vae-train"
  Attributes config;    // of the model, `model` first
  Attributes preprocess;
  Attributes training = {};                   // options of the program's own that decide the bytes
  std::vector<std::byte> tokenizer = {};      // of the captions (data/tokenizer.h); empty: none
  std::vector<std::string> label_names = {};  // of the classes it tells apart; may be empty
  std::function<Objective(const Scope&, const Batch&)> objective;
  // Instead of the objective: parts that are trained in turns. A step is an update of the last one.
  std::vector<TrainedPlayer> players = {};
  // The objective in two steps, as Model has it; both may be empty.
  std::function<std::vector<Expr>(const Scope&, const Batch&)> features;
  std::function<Objective(const Scope&, std::span<const Expr>, const Batch&)> contrast;
  std::function<std::vector<Term>(const Scope&, const Batch&)> validation;  // may be empty
  std::function<Expr(const Scope&, const Batch&)> log_weight;               // may be empty
  // In the place of a validation: figures of what the weights read through `store_prefix` draw, the
  // first being the one that "best" is chosen by; empty if `stop` said so first. May be empty.
  std::function<std::vector<ReportedTerm>(Store&, const std::string& store_prefix,
                                          const std::function<bool()>& stop)>
      assess;
  // What active units are counted in: f32 [N, ..] of a picture; may be empty.
  std::function<Expr(const Scope&, Expr image)> latent;
  // Writes the grid of fixed seeds for the weights read through `store_prefix`; false: `stop` said
  // so first. May be empty.
  std::function<bool(Store&, const std::string& store_prefix, const std::string& path,
                     const std::function<bool()>& stop)>
      sample_grid;
  // Judges the validation results of a run's second half, or its training terms if nothing is held
  // out, against baselines of the user's own data, which are recorded too; may be empty.
  std::function<Judgement(std::span<const ReportedTerm>)> judge;
  // Figures of the data that are known before the training: told first, and at the head of the
  // metrics.
  std::vector<ReportedTerm> baselines = {};
  std::string resolved_toml;  // config.toml of the run directory; its comments are warnings
  // What --max-time counts from: the start of the tool, before it read the pictures.
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

struct TrainData {
  const Dataset* train = nullptr;
  std::vector<std::int64_t> train_indices;
  const Dataset* validation = nullptr;  // may be the same set
  std::vector<std::int64_t> validation_indices;
  // Of the two sets, if the model reads captions; held-out ones lose no clauses.
  const CaptionReader *captions = nullptr, *validation_captions = nullptr;
};

// Runs the whole training. Returns the exit status: 0 done, 75 saved on request. Throws Error for
// everything else: stopped with nowhere to save to; diverged (names the first step and call site
// that was not finite, and the file that holds the state before). Signals are obeyed if the tool
// began with install_signal_handlers().
int train(const Task& task, const TrainConfig& config, const TrainData& data);

}  // namespace atelier
