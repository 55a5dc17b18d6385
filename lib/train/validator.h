// Held-out figures of the model that is being trained.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/pixels.h"
#include "train/train_plans.h"
#include "train/trainer.h"

namespace atelier {

class Validator {
 public:
  // `captions`: of `data`, read as they are in epoch 0; null: the model needs none.
  Validator(const Task& task, const TrainConfig& config, const Dataset& data,
            std::vector<std::int64_t> indices, Store& store,
            const CaptionReader* captions = nullptr);

  // Means over the held-out rows of the task's terms, in the task's order; then, if asked for,
  // "importance_nll" (nats/image, --val-importance-samples draws) and "active_units" (Burda et al.
  // 2015) of a task with a latent. Empty if `stop` said so before the end.
  std::vector<ReportedTerm> run(const std::string& store_prefix, const std::function<bool()>& stop);

  // Time of a whole run(), from one batch that is run for it.
  double expected_seconds(const std::string& store_prefix);
  std::size_t workspace_bytes() const { return workspace_->bytes(); }

 private:
  struct Built {
    std::unique_ptr<Plan> plan;
    std::vector<ReportedTerm> terms;  // names and units
  };
  Built& build(const std::string& prefix, std::int64_t rows);
  // Held-out rows of which the likelihood bound is taken; none if nobody asked for it.
  std::size_t bounded_rows() const;
  bool means(const std::string& prefix, std::span<const std::int64_t> indices,
             const std::function<bool()>& stop, std::vector<ReportedTerm>& result,
             std::vector<float>& latents);
  std::vector<double> bounds(const std::string& prefix, std::span<const std::int64_t> indices,
                             const std::function<bool()>& stop);

  const Task& task_;
  const TrainConfig& config_;
  const Dataset& data_;
  std::vector<std::int64_t> indices_;
  Store& store_;
  const CaptionReader* captions_;
  std::shared_ptr<Workspace> workspace_ = std::make_shared<Workspace>();
  std::map<std::pair<std::string, std::int64_t>, std::unique_ptr<Built>> built_;
};

}  // namespace atelier
