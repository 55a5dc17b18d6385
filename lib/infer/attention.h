// How far a transformer's attention looks, and where.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "infer/infer.h"

namespace atelier {

// The mean attention distance (Dosovitskiy et al. 2020, arXiv:2010.11929, appendix D.7): the
// distance in pixels from a patch to what it looks at, weighted by how much it does, averaged over
// patches and pictures. Tokens that lie nowhere are left out and the other weights scaled up to 1.
class AttentionMeter {
 public:
  // Error("x.h5: this model has no attention"). The model must outlive it.
  AttentionMeter(const Loaded& model);
  std::int64_t layers() const { return std::int64_t(sums_.size()); }
  std::int64_t heads() const { return heads_; }
  const TokenGrid& grid() const { return grid_; }

  // `maps`, if asked for, takes one map a layer of each item, [layers, rows, columns], 0..1: what
  // the first token before the grid looks at, or without one what the patches do on average; mean
  // over the heads, the strongest place of each map being 1.
  using Maps = std::function<void(std::size_t item, std::span<const float> maps)>;
  void add(std::span<const Item> items, std::span<const std::int64_t> places,
           const Maps& maps = {});
  double distance(std::int64_t layer, std::int64_t head) const;  // pixels
  double distance(std::int64_t layer) const;                     // mean over its heads

 private:
  Expr build(const Scope& scope, std::int64_t rows);
  void prepare(std::int64_t rows);
  void measure(std::span<const float> weights, std::int64_t layer, std::int64_t rows);
  void map(std::span<const float> weights, std::int64_t row, std::span<float> into) const;
  const Loaded& model_;
  std::optional<Plan> plan_;
  std::int64_t rows_ = 0, heads_ = 0, tokens_ = 0, pictures_ = 0;
  TokenGrid grid_;
  std::int64_t before_ = 0;                // tokens that lie nowhere, before those of the grid
  std::vector<double> lengths_;            // [grid, grid], pixels
  std::vector<std::vector<double>> sums_;  // [layers][heads]
};

// Spearman's rank correlation of depth and distance, -1..1; 0 for fewer than two layers.
double rank_correlation_with_depth(const AttentionMeter& meter);

}  // namespace atelier
