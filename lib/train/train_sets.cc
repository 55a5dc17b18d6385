// What a training reads.
#include "train/train_sets.h"

#include <fmt/format.h>

#include <numeric>

#include "base/error.h"
#include "base/log.h"

namespace atelier {
namespace {

void hold_out_file(const std::string& path, const ReadOptions& reading, TrainSets& sets) {
  std::vector<std::string> source{path};
  sets.held_out = read_dataset(source, reading);
  const Dataset &ours = sets.train, &theirs = sets.held_out;
  if (theirs.height != ours.height || theirs.width != ours.width ||
      theirs.channels != ours.channels || theirs.dtype != ours.dtype) {
    throw Error(path + ": its pictures have another shape than those trained on");
  }
  sets.data.validation = &sets.held_out;
  sets.data.validation_indices.resize(std::size_t(theirs.size));
  std::iota(sets.data.validation_indices.begin(), sets.data.validation_indices.end(), 0);
}

}  // namespace

void read_train_sets(const std::vector<std::string>& sources, const ReadOptions& reading,
                     const TrainConfig& config, TrainSets& sets) {
  if (!config.val_data.empty() && config.val_split > 0)
    throw UsageError("--val-data and --val-split exclude each other");
  sets.train = read_dataset(sources, reading);
  sets.data.train = sets.data.validation = &sets.train;
  Split split = split_dataset(sets.train, config.val_split, config.split_by);
  sets.data.train_indices = split.train;
  sets.data.validation_indices = split.held_out;
  std::int64_t duplicates = split.duplicates;
  if (!config.val_data.empty()) {
    hold_out_file(config.val_data, reading, sets);
    duplicates = count_duplicates(sets.held_out, sets.data.validation_indices, sets.train,
                                  sets.data.train_indices);
  }
  if (duplicates == 0) return;
  logging::warning(fmt::format("{} held-out pictures are also among those trained on", duplicates));
}

}  // namespace atelier
