// The flags common to all trainers.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/outputs.h"
#include "base/parse.h"
#include "io/metrics.h"
#include "train/checkpoints.h"
#include "train/run_directory.h"
#include "train/trainer.h"

namespace atelier {

namespace {

// Of links the file that they lead to, whether or not it is there yet.
std::filesystem::path place(const std::string& path) {
  std::error_code error;
  auto absolute = std::filesystem::absolute(path, error);
  auto found = std::filesystem::weakly_canonical(absolute, error);
  return error ? absolute : found;
}

bool is_file(const std::string& path) { return !path.empty() && path != "-"; }

}  // namespace

void TrainConfig::settle(const OptionSources& source) {
  if (source("steps") > source("epochs")) epochs = -1;
  if (source("epochs") > source("steps")) steps = -1;
  // What is typed is meant for this run; a variable or a file may serve several.
  if (source("keep") == OptionSource::typed && run_dir.empty())
    throw UsageError("--keep: needs --run-dir, which holds the checkpoints");
  if (source("save-every") == OptionSource::typed && run_dir.empty() &&
      (output.empty() || output == "-"))
    throw UsageError("--save-every: needs --run-dir or -o FILE");
  if (source("sample-grid") == OptionSource::typed && sample_every == 0)
    throw UsageError("--sample-grid: needs --sample-every, or no grid is drawn");
  if (source("split-by") == OptionSource::typed && val_split == 0)
    throw UsageError("--split-by: needs --val-split, which holds out");
}

void TrainConfig::check_outputs() const {
  if (output == "-" && metrics == "-")
    throw UsageError("-o - and --metrics - both want standard output");
  if (!dry_run && leads_to_terminal(output)) {
    throw UsageError(fmt::format("{} is a terminal; give -o FILE or a pipe", output_name(output)));
  }
  if (is_file(output) && is_file(metrics) && place(output) == place(metrics))
    throw UsageError(fmt::format("--metrics {}: is the file of --output too", metrics));
  refuse_run_file("--output", output);
  refuse_run_file("--metrics", metrics);
  if (dry_run) return;
  std::string state = run_dir.empty() ? beside_output(output, "state") : "";
  if (!state.empty() && is_file(metrics) && place(state) == place(metrics))
    throw UsageError(fmt::format("--metrics {}: is where a stop leaves the state", metrics));
  require_replaceable(output);
  require_replaceable(state);
  require_appendable(metrics);
  require_records(metrics);
  if (!run_dir.empty()) require_records(run_dir + "/metrics.jsonl");
}

void TrainConfig::refuse_run_file(const char* what, const std::string& path) const {
  if (run_dir.empty() || !is_file(path)) return;
  std::filesystem::path run = (place(run_dir) / "any").parent_path();  // without a slash at the end
  // By its own name and by the name that a link leads to: either would be lost.
  std::filesystem::path named = path, folder = named.parent_path();
  std::filesystem::path own = place(folder.empty() ? "." : folder.string()) / named.filename();
  for (const auto& at : {own, place(path)}) {
    if (at.parent_path() != run || !is_run_file(at.filename().string())) continue;
    throw UsageError(
        fmt::format("{} {}: is a file that --run-dir {} keeps itself", what, path, run_dir));
  }
}

Fields TrainConfig::training_fields() {
  return {
      bind(steps, {"steps", "optimizer updates; 0 writes the initialised model", "", {}, 0}),
      bind(epochs, {"epochs", "passes over the training pictures, instead of --steps", "", {}, 0}),
      bind(batch_size,
           {"batch_size", "pictures an update, over all micro-batches", "", {}, 1, 1 << 20}),
      bind(grad_accum_steps,
           {"grad_accum_steps", "micro-batches an update is made of", "", {}, 1, 1 << 16}),
      bind(learning_rate, {"learning_rate", "highest learning rate", "", {}, 0}),
      bind(min_learning_rate,
           {"min_learning_rate", "last learning rate of cosine and linear", "", {}, 0}),
      bind(lr_schedule, {"lr_schedule",
                         "course of the learning rate",
                         "",
                         {"cosine", "constant", "linear", "one-cycle", "step"}}),
      bind(warmup_steps, {"warmup_steps", "updates of linear rise at the start", "", {}, 0}),
      bind(lr_milestones,
           {"lr_milestones", "step schedule: epochs at which the rate falls, as 200,350"}),
      bind(lr_gamma, {"lr_gamma", "step schedule: factor at each milestone", "", {}, 0}),
      bind(adam_beta1,
           {"adam_beta1", "decay of the first moment", "Kingma and Ba 2014 have 0.9", {}, 0, 1}),
      bind(adam_beta2,
           {"adam_beta2", "decay of the second moment", "Kingma and Ba 2014", {}, 0, 1}),
      bind(adam_eps,
           {"adam_eps", "added to the root of the second moment", "Kingma and Ba 2014", {}, 0}),
      bind(weight_decay,
           {"weight_decay", "decoupled decay of matrices, not of biases and norms", "", {}, 0}),
      bind(max_grad_norm,
           {"max_grad_norm", "clip the gradient to this global norm, 0: never", "", {}, 0}),
      bind(ema_decay, {"ema_decay", "decays of running averages of the weights, as 0.999,0.9999"}),
      bind(precision,
           {"precision", "of products; auto is fp32 in this version", "", {"auto", "fp32"}}),
      bind(seed, {"seed", "of weights, noise, order and augmentation", "", {}, 0}),
      bind(hflip, {"hflip", "flip each picture with probability 1/2"}),
      bind(crop_padding,
           {"crop_padding", "random crops after padding by so many pixels", "", {}, 0, 1024}),
      bind(binarize, {"binarize",
                      "pixels to 0 or 1: at 128, sampled once, or sampled each epoch",
                      "",
                      {"none", "threshold", "sample", "dynamic"}}),
      bind(val_split, {"val_split", "share of the pictures held out, by hash", "", {}, 0, 0.9}),
      bind(split_by, {"split_by", "what is hashed to hold out", "", {"name", "caption"}}),
      bind(val_every, {"val_every",
                       "validate every so many updates, or epochs as 2epochs; empty: each epoch"}),
      bind(val_batches, {"val_batches", "batches a validation, 0: all", "", {}, 0}),
      bind(val_importance_samples, {"val_importance_samples",
                                    "samples of the likelihood bound, 0: none",
                                    "Burda et al. 2015",
                                    {},
                                    0,
                                    100000}),
      bind(val_importance_images,
           {"val_importance_images", "held-out pictures the bound is taken on", "", {}, 1}),
      bind(keep_best, {"keep_best", "keeping the checkpoint that validates best as best.h5"}),
  };
}

Fields TrainConfig::reporting_fields() {
  return {
      bind(output, {.name = "output",
                    .help = "final model, - for standard output",
                    .incidental = true,
                    .filled = true}),
      bind(run_dir, {.name = "run_dir",
                     .help = "directory of checkpoints, metrics.jsonl, samples and config.toml",
                     .incidental = true,
                     .filled = true}),
      bind(metrics,
           {.name = "metrics",
            .help = "JSON Lines: a file, or - for standard output; empty: in the run directory",
            .incidental = true}),
      bind(val_data,
           {.name = "val_data", .help = "held-out pictures from another source", .filled = true}),
      bind(max_time, {.name = "max_time",
                      .help = "save and end with status 75 after this time, as 50m",
                      .incidental = true,
                      .filled = true}),
      bind(save_every,
           {"save_every", "save after so many updates, or a time as 30m; 0: only when it ends"}),
      bind(keep, {"keep", "checkpoints kept in the run directory", "", {}, 1}),
      bind(log_every, {"log_every", "updates between records", "", {}, 1}),
      bind(sample_every, {"sample_every", "updates between grids of samples, 0: never", "", {}, 0}),
      bind(sample_grid, {"sample_grid", "columns and rows of these grids"}),
      bind(init,
           {.name = "init", .help = "take weights by name from this checkpoint", .filled = true}),
      bind(dry_run, {.name = "dry_run",
                     .help = "print sizes, memory and measured time, and stop",
                     .incidental = true}),
      bind(force, {.name = "force",
                   .help = "replace the run that the run directory holds",
                   .incidental = true}),
      bind(allow_level_change, {.name = "allow_level_change",
                                .help = "resume at another kernel level; bits may differ",
                                .incidental = true}),
  };
}

}  // namespace atelier
