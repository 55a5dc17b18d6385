// What an encoder says of pictures, batch by batch, with flat memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/picture_reader.h"
#include "infer/infer.h"

namespace atelier {

struct EncodeOptions {
  EncodeArgs args;
  bool normalize = false;  // rows of length 1
};

// Of one model; rows do not depend on the batch that they are in. The model must outlive it.
class Encoder {
 public:
  // Error("x.h5: this model has no encoder"); UsageError for a pool or a layer that it lacks.
  Encoder(const Loaded& model, EncodeOptions options = {});
  std::int64_t dim() const { return dim_; }
  // How vectors record it: resolved_pool() of what was asked for.
  std::string pool() const { return resolved_pool(model_.model(), options_.args.pool); }
  // Rows of prepared pictures, [items, dim], valid until the next call; `places` identify them.
  // Throws Error naming an item whose row cannot be normalized.
  std::span<const float> encode(std::span<const Item> items, std::span<const std::int64_t> places);

 private:
  Expr build(const Scope& scope, std::int64_t rows) const;
  const Loaded& model_;
  EncodeOptions options_;
  std::int64_t dim_ = 0, rows_ = 0;
  std::optional<Plan> plan_;
  std::vector<float> values_;
};

// Gives the pictures of a reader in batches, which `use` may only look at; returns their digest, 16
// hexadecimal digits: a sum modulo 2^64, so that digests of blocks add up to that of the whole.
std::string for_each_batch(
    const Loaded& model, PictureReader& reader, std::int64_t batch_size,
    const std::function<void(std::span<const Item>, std::span<const std::int64_t> places)>& use);

}  // namespace atelier
