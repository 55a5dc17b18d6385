// Batches: a seeded permutation an epoch, augmentation keyed by example, prefetched by a thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "data/caption_reader.h"
#include "data/dataset.h"

namespace atelier {

struct LoaderOptions {
  std::int64_t batch_size = 64;
  std::int64_t seed = 0;
  bool shuffle = true;
  bool hflip = false;  // each example flipped with probability 1/2, by (seed, epoch, index)
  std::int64_t crop_padding = 0;  // random crop after padding by edge pixels on every side
  std::string binarize =
      "none";  // none, threshold (>= 128), sample (once, by seed), dynamic (each epoch)
  const CaptionReader* captions = nullptr;  // of the same data set; null: no tokens
};

// Where the next batch begins; saved in checkpoints.
struct LoaderPosition {
  std::int64_t epoch = 0, index = 0;  // index: examples of the epoch already given
  friend bool operator==(const LoaderPosition&, const LoaderPosition&) = default;
};

struct HostBatch {
  std::int64_t rows = 0;
  std::span<const std::byte> images;       // [rows, row_bytes], dtype of the data set
  std::span<const std::int32_t> labels;    // [rows], -1 without labels
  std::span<const std::int32_t> ids;       // [rows] place in the global batch (row index)
  std::span<const std::int64_t> examples;  // [rows] index in the data set
  std::span<const std::int32_t> tokens;    // [rows, T] of the captions, empty without
  LoaderPosition position;                 // of this batch's first example
  LoaderPosition next;                     // of the batch after it
};

// The last batch of an epoch may be smaller. Batches never span epochs.
class Loader {
 public:
  Loader(const Dataset& dataset, std::vector<std::int64_t> indices, LoaderOptions options);
  ~Loader();
  std::int64_t size() const;  // examples an epoch
  std::int64_t batches_per_epoch() const;
  void seek(LoaderPosition position);
  // Valid until the next call. Never ends: epoch follows epoch.
  HostBatch next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier
