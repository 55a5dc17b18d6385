// Weights of attention as distances and maps.
#include "infer/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "infer/rows.h"

namespace atelier {
namespace {

// Few pictures at once: the weights of all blocks of a ViT-B/16 take 22 MB a picture.
constexpr std::int64_t kPicturesAtOnce = 4;

constexpr const char* kNone = "this model has no attention";

std::string layer_name(std::size_t layer) { return fmt::format("layer{}", layer); }

}  // namespace

AttentionMeter::AttentionMeter(const Loaded& model) : model_(model) {
  try {
    if (!model.model().attention) throw UsageError(kNone);
    // Of some models it depends on the configuration: then building it says so.
    Shape weights = model.shape(1, [&](const Scope& scope) { return build(scope, 1); });
    heads_ = weights[1];
    tokens_ = weights[2];
    grid_ = model.model().token_grid();
    before_ = tokens_ - grid_.rows * grid_.columns;
  } catch (const UsageError& error) {
    throw Error(fmt::format("{}: {}", model.name(), error.what()));
  }
  std::int64_t patches = grid_.rows * grid_.columns;
  for (std::int64_t a = 0; a < patches; ++a) {
    for (std::int64_t b = 0; b < patches; ++b) {
      double down = double(a / grid_.columns - b / grid_.columns);
      double across = double(a % grid_.columns - b % grid_.columns);
      lengths_.push_back(double(grid_.patch_size) * std::hypot(down, across));
    }
  }
}

// All blocks become outputs; the last is given back.
Expr AttentionMeter::build(const Scope& scope, std::int64_t rows) {
  DataShape shape = model_.data_shape();
  Graph& graph = scope.graph();
  Expr image = graph.input("image", DType::f32, {rows, shape.height, shape.width, shape.channels});
  std::vector<Expr> blocks = model_.model().attention(scope, image);
  if (blocks.empty()) throw UsageError(kNone);
  for (std::size_t i = 0; i < blocks.size(); ++i) graph.output(layer_name(i), blocks[i]);
  sums_.resize(blocks.size(), std::vector<double>(std::size_t(blocks[0].shape()[1]), 0));
  return blocks.back();
}

void AttentionMeter::prepare(std::int64_t rows) {
  if (plan_ && rows <= rows_) return;
  rows_ = rows;
  plan_.reset();
  plan_.emplace(model_.plan(rows, [&](const Scope& scope) { return build(scope, rows); }));
}

// Adds the distances of the first `rows` pictures, each on its own, so that batches do not matter.
void AttentionMeter::measure(std::span<const float> weights, std::int64_t layer,
                             std::int64_t rows) {
  if (!all_finite(weights)) {
    throw Error(
        fmt::format("{}: its attention in layer {} is not finite", model_.name(), layer + 1));
  }
  std::int64_t patches = grid_.rows * grid_.columns, before = before_;
  for (std::int64_t i = 0; i < rows * heads_; ++i) {
    double sum = 0;
    std::int64_t seeing = 0;  // patches that look at the grid at all
    for (std::int64_t query = 0; query < patches; ++query) {
      auto row = weights.subspan(std::size_t((i * tokens_ + before + query) * tokens_ + before),
                                 std::size_t(patches));
      auto length = std::span(lengths_).subspan(std::size_t(query * patches), row.size());
      double total = 0, far = 0;
      for (std::size_t key = 0; key < row.size(); ++key) {
        total += double(row[key]);
        far += double(row[key]) * length[key];
      }
      if (!(total > 0)) continue;
      ++seeing;
      sum += far / total;
    }
    sums_[std::size_t(layer)][std::size_t(i % heads_)] += seeing > 0 ? sum / double(seeing) : 0;
  }
}

void AttentionMeter::map(std::span<const float> weights, std::int64_t row,
                         std::span<float> into) const {
  std::int64_t patches = grid_.rows * grid_.columns, before = before_;
  std::int64_t last = before > 0 ? 1 : tokens_;
  std::vector<double> sum(std::size_t(patches), 0);
  for (std::int64_t head = 0; head < heads_; ++head) {
    for (std::int64_t query = 0; query < last; ++query) {
      std::int64_t at = ((row * heads_ + head) * tokens_ + query) * tokens_ + before;
      for (std::int64_t key = 0; key < patches; ++key)
        sum[std::size_t(key)] += double(weights[std::size_t(at + key)]);
    }
  }
  double most = *std::ranges::max_element(sum);
  for (std::size_t key = 0; key < sum.size(); ++key)
    into[key] = most > 0 ? float(sum[key] / most) : 0;
}

void AttentionMeter::add(std::span<const Item> items, std::span<const std::int64_t> places,
                         const Maps& maps) {
  for (std::size_t first = 0; first < items.size(); first += std::size_t(kPicturesAtOnce)) {
    std::size_t count = std::min(items.size() - first, std::size_t(kPicturesAtOnce));
    prepare(std::int64_t(count));
    write_pictures(*plan_, items.subspan(first, count), places.subspan(first, count),
                   model_.binarize());
    plan_->run();
    std::size_t patches = std::size_t(grid_.rows * grid_.columns);
    std::vector<float> drawn(maps ? count * sums_.size() * patches : 0);
    for (std::size_t layer = 0; layer < sums_.size(); ++layer) {
      std::span<const float> weights = plan_->output(layer_name(layer));
      measure(weights, std::int64_t(layer), std::int64_t(count));
      if (!maps) continue;
      for (std::size_t i = 0; i < count; ++i) {
        map(weights, std::int64_t(i),
            std::span(drawn).subspan((i * sums_.size() + layer) * patches, patches));
      }
    }
    pictures_ += std::int64_t(count);
    std::size_t each = sums_.size() * patches;
    for (std::size_t i = 0; maps && i < count; ++i)
      maps(first + i, std::span<const float>(drawn).subspan(i * each, each));
  }
}

double AttentionMeter::distance(std::int64_t layer, std::int64_t head) const {
  double sum = sums_[std::size_t(layer)][std::size_t(head)];
  return pictures_ > 0 ? sum / double(pictures_) : 0;
}

double AttentionMeter::distance(std::int64_t layer) const {
  double sum = 0;
  for (std::int64_t head = 0; head < heads_; ++head) sum += distance(layer, head);
  return heads_ > 0 ? sum / double(heads_) : 0;
}

double rank_correlation_with_depth(const AttentionMeter& meter) {
  std::int64_t n = meter.layers();
  if (n < 2) return 0;
  // Ranks of equal distances are their mean.
  std::vector<double> ranks;
  for (std::int64_t a = 0; a < n; ++a) {
    double below = 0, equal = 0;
    for (std::int64_t b = 0; b < n; ++b) {
      below += meter.distance(b) < meter.distance(a);
      equal += meter.distance(b) == meter.distance(a);
    }
    ranks.push_back(below + (equal - 1) / 2);
  }
  double middle = double(n - 1) / 2, both = 0, depth = 0, rank = 0;
  for (std::int64_t a = 0; a < n; ++a) {
    double x = double(a) - middle, y = ranks[std::size_t(a)] - middle;
    both += x * y;
    depth += x * x;
    rank += y * y;
  }
  return rank > 0 ? both / std::sqrt(depth * rank) : 0;
}

}  // namespace atelier
