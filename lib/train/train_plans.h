// The plans of a training: built once for each batch size that occurs, over one store.
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
  TrainPlans(const Task& task, const TrainConfig& config, const Dataset& data, Store& store);

  // One update from a batch. False if the loss or the gradient was not finite: the store is then as
  // it was before, earlier micro-batches undone, and non_finite() says where it began.
  bool update(const HostBatch& batch, std::int64_t step, double rate);
  const std::string& non_finite() const { return non_finite_; }
  double loss() const { return loss_; }
  double grad_norm() const { return grad_norm_; }
  const std::vector<ReportedTerm>& terms() const { return terms_; }  // of the last update
  const std::string& unit() const { return unit_; }

  Plan& for_rows(std::int64_t rows);  // compiles at the first call
  std::int64_t parameters() const { return parameters_; }
  // Names of the parameters and states that the net has.
  const std::set<std::string>& tensors() const { return tensors_; }
  std::size_t workspace_bytes() const { return workspace_->bytes(); }

 private:
  enum class Role { whole, accumulate, apply };
  Plan& plan(Role role, std::int64_t rows, std::int64_t slices);
  void feed(Plan& plan, const HostBatch& batch, std::int64_t first, std::int64_t rows,
            std::int64_t step, double rate);
  void collect(const Plan& plan, double share);
  void keep_states();
  void undo_slices();

  const Task& task_;
  const TrainConfig& config_;
  const Dataset& data_;
  Store& store_;
  std::shared_ptr<Workspace> workspace_ = std::make_shared<Workspace>();
  std::map<std::tuple<int, std::int64_t, std::int64_t>, std::unique_ptr<Plan>> plans_;
  std::vector<ReportedTerm> terms_;
  std::map<std::string, std::vector<std::byte>> states_;  // as the first micro-batch finds them
  std::set<std::string> tensors_;
  std::string unit_, non_finite_;
  double loss_ = 0, grad_norm_ = 0;
  std::int64_t parameters_ = 0;
};

// Inputs of a graph over `rows` pictures of a data set: "image", "label", "ids" and "clock".
struct GraphInputs {
  Batch batch;
  Noise noise;
};
GraphInputs graph_inputs(Graph& graph, const Dataset& data, std::int64_t rows);
// The same, with pictures that are f32 0..1 already.
GraphInputs float_inputs(Graph& graph, const Dataset& data, std::int64_t rows);
void write_clock(Plan& plan, std::uint64_t seed, std::int64_t step);

// Rows of the smallest graph that an epoch of so many pictures trains; 0 without pictures.
std::int64_t least_rows(const TrainConfig& config, std::int64_t pictures);

std::vector<double> parse_decays(const std::string& text);  // "0.999,0.9999"; UsageError

}  // namespace atelier
