// Checkpoints: a model's configuration and tensors, and what training needs to go on.
//
// Store names map to HDF5 paths: a name without '/' is a parameter or state of the model and goes
// to /model/<name>; a name with '/' keeps its path: "ema0/<name>", "optimizer/exp_avg/<name>".
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "io/hdf5.h"
#include "tensor/store.h"

namespace atelier {

struct Checkpoint {
  Attributes config;      // /config: `model` first, then one attribute a field
  Attributes preprocess;  // /preprocess: how pictures become inputs (size, crop, background)
  Attributes training;    // /training: resolved training configuration; empty in inference files
  Attributes state;       // /state: step, epoch, seed, loader position, best; empty likewise
  Attributes inputs;      // /inputs: digests of the data and of --init
  // /tokenizer: a model file of SentencePiece (data/tokenizer.h); empty: the model reads no text.
  // Its digest is written to /config and compared when it is read.
  std::vector<std::byte> tokenizer = {};
  // /meta/label_names: of the classes that the model tells apart; empty: they are numbers.
  std::vector<std::string> label_names = {};

  std::string model() const;  // config attribute `model`
};

// Writes `checkpoint` and those tensors of `store` that `wanted` accepts (all but tables if empty).
// Weights and averages that are not finite are never written: Error("x.h5: /model/w holds nan;
// ..").
void write_checkpoint(const std::string& output, const Checkpoint& checkpoint, const Store& store,
                      const std::function<bool(std::string_view name)>& wanted = {});

// "/model/w holds nan" of the first weight or average that is not finite; empty: there is none.
std::string non_finite_weight(const Store& store);

// Reads the attributes and, verified by checksum, the tensors into `store` (created or, if present,
// overwritten after a check of shape and type). Weights and averages must be finite.
Checkpoint read_checkpoint(const Hdf5Reader& file, Store& store,
                           const std::function<bool(std::string_view name)>& wanted = {});
Checkpoint read_checkpoint_attributes(const Hdf5Reader& file);

}  // namespace atelier
