// What a training reads: the pictures to train on, and those held out of them or given apart.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "train/trainer.h"

namespace atelier {

// `data` points into the two sets: keep all three together.
struct TrainSets {
  Dataset train, held_out;
  TrainData data;

  TrainSets() = default;
  TrainSets(const TrainSets&) = delete;
  TrainSets& operator=(const TrainSets&) = delete;

  bool skipped() const { return train.skipped + held_out.skipped > 0; }
};

// Reads `sources`, and config.val_data or the share config.val_split of them as held out. Warns of
// held-out pictures that are trained on too. UsageError if both are given, Error if the held-out
// pictures have another shape or type.
void read_train_sets(const std::vector<std::string>& sources, const ReadOptions& reading,
                     const TrainConfig& config, TrainSets& sets);

}  // namespace atelier
