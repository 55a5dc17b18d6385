// What a training reads: the pictures to train on, and those held out of them or given apart; the
// captions of both.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "train/trainer.h"

namespace atelier {

// `data` points into the others: keep them together.
struct TrainSets {
  Dataset train, held_out;
  std::optional<CaptionReader> captions, held_out_captions;
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

// For models that are told the classes, as `option` wants it: Error naming the set, of those
// trained on and of held-out ones from another source, that has no labels or has other classes.
void require_labels(const TrainSets& sets, const std::string& option);

// How captions are trained on: options of trainers that read text, for Task::training.
struct CaptionConfig {
  double caption_drop = 0;
  Fields fields();
};

// For models that read text, after read_train_sets(): makes the readers of captions, whose
// tokenizer is that of the checkpoint which --resume or --init names (see stored_tokenizer) or else
// is learned from the captions trained on. Pictures without a caption are an Error that names the
// first, or with `on_error` skip left out and counted as skipped.
void read_train_captions(const CaptionConfig& captions, std::int64_t vocab_size,
                         std::int64_t context_length, const std::string& on_error,
                         const TrainConfig& config, TrainSets& sets);

// The tokenizer of the checkpoint that --resume names, in a run directory of the newest that can be
// read, else of that of --init. Nothing: there is no such file yet, or it reads no text.
std::optional<Tokenizer> stored_tokenizer(const TrainConfig& config);

}  // namespace atelier
