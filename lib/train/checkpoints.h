// What a training keeps on disk: the run directory's checkpoints, the best of them, the output
// file; and how a training goes on from one of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "data/loader.h"
#include "io/checkpoint.h"
#include "tensor/store.h"
#include "train/run_directory.h"
#include "train/trainer.h"

namespace atelier {

// Where a training stands, beside its tensors.
struct Progress {
  std::int64_t step = 0;
  LoaderPosition position;  // of the next batch
  double best_loss = 0;
  std::int64_t best_step = -1;
  double best_coverage = -1;  // of the samples; below 0: none was told
  std::int64_t best_coverage_step = -1;
  // The update of `step` is done; its validation and its picture are still to come.
  bool owed = false;
  friend bool operator==(const Progress&, const Progress&) = default;
};

// Where a training without a run directory keeps what is no result: beside -o FILE, as FILE.KIND.h5
// without the suffix of FILE. Nobody asked for it in the place of a model. Empty: FILE is no file.
std::string beside_output(const std::string& output, const char* kind);

class Checkpoints {
 public:
  // Locks the run directory, if there is one; Error if another job holds it.
  Checkpoints(const Task& task, const TrainConfig& config, const TrainData& data, Store& store);

  bool has_run() const { return bool(run_); }
  std::filesystem::path in_run(const std::string& name) const { return run_->path() / name; }
  // A run directory that holds states of another run, its records (unless --resume is to continue
  // them) or a configuration of somebody's own is refused (UsageError), or with --force emptied by
  // begin(): later steps would be taken for this run's newest. So is, without one, the state of a
  // stopped training beside the output.
  void start_anew();
  // Called before anything is written, when the run is known to work: removes what --force said
  // and writes config.toml. Until then the run directory is as it was found.
  void begin();
  bool replaces_run() const { return removes_from_ == 0; }  // and has not done so yet

  // The file that --resume means; empty: none, start anew. Broken ones are passed over with a
  // warning when the run directory decides; Error if all are broken, unless --force is to replace
  // them.
  std::string resume_source() const;
  // Fills the store. Error if the file holds no training state or belongs to another training. A
  // run directory that holds another run, or later steps of this one, is treated as by start_anew.
  Progress resume(const std::string& path);
  // When the plans have created what the training needs. Error if any of it was not in the file.
  void require_whole(const std::string& path) const;

  // --init: takes the tensors of a model; afterwards drops those that are not in `net`, and says
  // so and what was missing.
  void take_weights();
  void settle_weights(const std::set<std::string>& net);

  // Writes the state, to the run directory unless its newest checkpoint holds it already, without
  // one beside -o FILE, as "state", and says where it is. Empty: there is neither, or only standard
  // output or a pipe, which can take but one file.
  std::string save(const Progress& progress);
  // The state before an update that failed; without a run directory beside -o FILE, as "last-good".
  std::string save_last_good(const Progress& progress);
  // The newest checkpoint of this run; empty: none.
  std::string newest() const { return saved_ ? run_->checkpoint(saved_->step).string() : beside_; }
  void save_best(const Progress& progress) const;
  // -o FILE: the model with its averages when the training is over, else everything. The model
  // takes the place of a state beside it that this training wrote.
  void save_output(const Progress& progress, bool resumable) const;

 private:
  Checkpoint describe() const;
  Checkpoint with_state(const Progress& progress) const;
  std::string save_beside(const Progress& progress, const char* kind);
  void make_way(const std::string& path, std::int64_t step);
  void spare_state_beside() const;
  void compare(const std::string& path, const Attributes& stored, const Attributes& now,
               const char* what) const;

  const Task& task_;
  const TrainConfig& config_;
  const TrainData& data_;
  Store& store_;
  std::unique_ptr<RunDirectory> run_;
  std::optional<Progress> saved_;
  std::string beside_;  // the state that was written beside -o FILE; empty: none
  // Checkpoints of this step and after are to go; 0: the whole former run.
  std::optional<std::int64_t> removes_from_;
  std::set<std::string> resumed_;
  std::vector<std::string> taken_;
  std::string init_digest_;  // of the tensors that the training began with; empty: no --init
};

}  // namespace atelier
