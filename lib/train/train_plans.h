// The plans of a training, or of one of its players: built once for each batch size that occurs,
// over one store.
//
// A batch is run whole or in micro-batches. Losses that are means over rows add up over them: k - 1
// runs accumulate gradients and the last applies their mean. Losses that compare rows with each
// other (Task::contrast) are taken over the whole batch all the same (Gao et al. 2021,
// arXiv:2101.06983): each slice gives its features, their gradients are found for all together, and
// each slice is run again to carry its part of them back to the weights. Slices follow from the
// configuration alone.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace atelier {

class TrainPlans {
 public:
  // `context_length`: tokens of a caption, 0: the batches have none. `player`: index into
  // task.players, -1: task.objective. Plans that never run at once may share a workspace.
  TrainPlans(const Task& task, const TrainConfig& config, const Dataset& data, Store& store,
             std::int64_t context_length = 0, int player = -1,
             std::shared_ptr<Workspace> workspace = std::make_shared<Workspace>());

  // One update from a batch; `step` is what noise is drawn by. False if the loss or the gradient
  // was not finite: the store is then as it was before, earlier micro-batches undone, and
  // non_finite() says where it began.
  bool update(const HostBatch& batch, std::int64_t step, double rate);
  const std::string& non_finite() const { return non_finite_; }
  double loss() const { return loss_; }
  double grad_norm() const { return grad_norm_; }
  const std::vector<ReportedTerm>& terms() const { return terms_; }  // of the last update
  const std::string& unit() const { return unit_; }

  Plan& for_rows(std::int64_t rows);  // compiles at the first call
  double flops(std::int64_t rows);    // of one update, 2 x multiply-accumulate
  std::int64_t parameters() const { return parameters_; }
  // Names of the parameters and states that the net has.
  const std::set<std::string>& tensors() const { return tensors_; }
  std::size_t workspace_bytes() const { return workspace_->bytes(); }
  // Names of the tensors that an update writes.
  const std::set<std::string>& written() const { return written_; }

 private:
  enum class Role {
    whole,
    accumulate,  // all micro-batches but the last
    apply,       // the last one
    features,    // a slice forward, for contrast
    contrast,    // the loss of all features, and the gradients in them
    backward,    // all slices but the last
    finish,      // the last one
  };
  Plan& plan(Role role, std::int64_t rows, std::int64_t slices);
  Objective objective(const Scope& root, const Batch& batch);
  Scope part(const Scope& root) const;  // whose parameters are trained
  void name_terms(const Objective& objective);
  void report(Graph& graph, const Objective& objective);
  void apply(Graph& graph, const Scope& root, std::span<const Expr> grads, Expr loss);
  void build_rows(Graph& graph, const Scope& root, const Batch& batch, Role role,
                  std::int64_t slices);
  void build_contrast(Graph& graph, const Scope& root, const Batch& batch, std::int64_t rows);
  void build_slice(Graph& graph, const Scope& root, const Batch& batch, Role role);
  void feed(Plan& plan, const HostBatch& batch, std::int64_t first, std::int64_t rows,
            std::int64_t step, double rate);
  void collect(const Plan& plan, double share);
  bool cached() const;
  std::int64_t feature_slice_rows() const;
  std::int64_t micro_batches(std::int64_t rows) const;  // of a loss that is a mean over rows
  bool run(Plan& plan, bool undo);
  bool update_in_slices(const HostBatch& batch, std::int64_t step, double rate);
  bool update_cached(const HostBatch& batch, std::int64_t step, double rate);
  void keep_states();
  void undo_slices();

  const Task& task_;
  const TrainConfig& config_;
  const Dataset& data_;
  Store& store_;
  std::int64_t context_length_;
  int player_;
  std::shared_ptr<Workspace> workspace_;
  std::map<std::tuple<int, std::int64_t, std::int64_t>, std::unique_ptr<Plan>> plans_;
  std::vector<ReportedTerm> terms_;
  std::map<std::string, std::vector<std::byte>> states_;  // as the first micro-batch finds them
  std::vector<Shape> feature_rows_;                       // shape of one row of each feature
  std::vector<std::vector<float>> features_, slopes_;     // of the whole batch; loss by features
  std::set<std::string> tensors_, written_;
  std::string unit_, non_finite_;
  double loss_ = 0, grad_norm_ = 0;
  std::int64_t rows_ = 0;  // of the batch
  std::int64_t parameters_ = 0;
};

// Inputs of a graph over `rows` pictures of a data set: "image", "label", "ids" and "clock", with
// captions also "tokens" i32 [rows, context_length].
struct GraphInputs {
  Batch batch;
  Noise noise;
};
GraphInputs graph_inputs(Graph& graph, const Dataset& data, std::int64_t rows,
                         std::int64_t context_length = 0);
// The same, with pictures that are f32 0..1 already.
GraphInputs float_inputs(Graph& graph, const Dataset& data, std::int64_t rows,
                         std::int64_t context_length = 0);
// How the pictures of a training are read.
LoaderOptions loader_options(const TrainConfig& config, const TrainData& data);
// Writes the rows [first, first + rows) of a batch to the inputs that the plan has of them.
void feed_rows(Plan& plan, const HostBatch& batch, std::int64_t first, std::int64_t rows);
void write_clock(Plan& plan, std::uint64_t seed, std::int64_t step);

// Rows of a micro-batch of so many: those that cannot be of one size are not made.
std::int64_t slice_rows(const TrainConfig& config, std::int64_t rows);
// Rows of the smallest graph that an epoch of so many pictures trains; 0 without pictures.
std::int64_t least_rows(const TrainConfig& config, std::int64_t pictures);

std::vector<double> parse_decays(const std::string& text);  // "0.999,0.9999"; UsageError

}  // namespace atelier
