// Running statistics of averaged weights. An average of weights is a network that no batch has gone
// through, and the statistics of the one that is trained do not fit its batch norms: they are taken
// anew, over batches that go through the average itself (Izmailov et al. 2018, arXiv:1803.05407,
// section 3.2; the "standing statistics" of Brock et al. 2018, arXiv:1809.11096).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "train/train_plans.h"

namespace atelier {

class AverageStatistics {
 public:
  // Creates what the store lacks of the averages' states, where `task` averages weights of parts
  // that move states: the weights must be there. The others must outlive it.
  AverageStatistics(const Task& task, const TrainConfig& config, const TrainData& data,
                    Store& store);

  // Makes the states of all averages the means over kStatisticsBatches training batches, the same
  // each time, with noise of their own. They follow from the averaged weights and the configuration
  // alone: not from when or how often this was called.
  void estimate();

 private:
  using Build = std::function<Objective(const Scope& root, const Batch&)>;
  struct Average {
    std::string prefix;
    Build build;
    std::vector<std::string> states;  // names in the store
    std::unique_ptr<Plan> plan;       // made when it is first needed
  };
  void add(const std::string& part, const Build& build, std::size_t averages);
  Plan& plan_of(Average& average);

  const Dataset& data_;
  Store& store_;
  std::int64_t seed_, rows_, context_length_;
  std::vector<Average> averages_;
  std::unique_ptr<Loader> loader_;  // null: there is nothing to estimate
  std::shared_ptr<Workspace> workspace_ = std::make_shared<Workspace>();
};

inline constexpr std::int64_t kStatisticsBatches = 32;

}  // namespace atelier
