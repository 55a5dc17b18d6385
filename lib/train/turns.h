// The updates of a step: one, or, of parts that are trained in turns, those of each player in their
// order. Those before the last player have a batch each; its own, which in a GAN looks at no
// pictures, is that of the update before, so that an epoch shows every picture to a discriminator.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "train/train_plans.h"

namespace atelier {

class Turns {
 public:
  // As TrainPlans.
  Turns(const Task& task, const TrainConfig& config, const Dataset& data, Store& store,
        std::int64_t context_length = 0);

  std::int64_t batches() const;  // that a step reads

  // Step number `step`, from 0, with the next batches of the loader. False if a loss or a gradient
  // was not finite: the store is then as it was before, and non_finite() says where it began.
  bool run(Loader& loader, std::int64_t step, double rate);
  // That the last step read; as GANs are compared, by what their discriminators see.
  std::int64_t rows() const { return rows_; }
  const LoaderPosition& next() const { return next_; }  // where the step after it begins
  const std::string& non_finite() const { return non_finite_; }

  // Of the last step. Players' losses but the last's are terms, "discriminator_loss"; what a player
  // says several times in a step is the mean.
  double loss() const { return plans_.back()->loss(); }
  const std::string& unit() const { return plans_.back()->unit(); }
  double grad_norm() const { return plans_.back()->grad_norm(); }
  const std::vector<ReportedTerm>& terms() const { return terms_; }

  void compile(std::int64_t rows);  // the plans for such batches: creates what the store lacks
  double flops(std::int64_t rows);  // of a step, 2 x multiply-accumulate
  std::int64_t parameters() const;  // of all parts
  std::set<std::string> tensors() const;  // names of the parameters and states that the net has
  std::size_t bytes(std::int64_t rows);   // of memory that the plans work in

 private:
  std::size_t readers() const { return std::max<std::size_t>(plans_.size() - 1, 1); }
  void keep();
  void restore();
  void begin_terms();
  void collect(std::size_t player, double share);

  const Task& task_;
  Store& store_;
  std::vector<std::unique_ptr<TrainPlans>> plans_;  // one a player
  std::vector<std::int64_t> updates_;               // of each in a step
  std::int64_t rows_ = 0;
  LoaderPosition next_;
  std::vector<ReportedTerm> terms_;
  std::map<std::string, std::vector<std::byte>> kept_;  // what earlier turns of a step have written
  std::string non_finite_;
};

}  // namespace atelier
