// Three sets of histograms filled in one pass and used in another.
#include "eval/histograms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace atelier {
namespace {

constexpr std::size_t kLevels = 256, kSteps = 16;

// Counts of levels for a number of conditions.
struct Counts {
  std::vector<std::uint32_t> of;      // [conditions, kLevels]
  std::vector<std::uint32_t> totals;  // [conditions]

  explicit Counts(std::size_t conditions) : of(conditions * kLevels), totals(conditions) {}
  void add(std::size_t condition, std::size_t level) {
    ++of[condition * kLevels + level];
    ++totals[condition];
  }
  double bits(std::size_t condition, std::size_t level) const {
    return std::log2((totals[condition] + 0.5 * kLevels) / (of[condition * kLevels + level] + 0.5));
  }
};

std::vector<std::uint8_t> levels_of(std::span<const float> values) {
  std::vector<std::uint8_t> levels;
  for (float v : values)
    levels.push_back(std::uint8_t(std::lround(255 * std::clamp(v, 0.0f, 1.0f))));
  return levels;
}

}  // namespace

HistogramBits histogram_bits(const Table& train, const Table& test, std::int64_t width,
                             std::int64_t channels) {
  std::int64_t line = width * channels;
  if (train.rows < 1 || test.rows < 1 || line < 1 || train.columns != test.columns ||
      train.columns % line != 0) {
    throw Error(
        fmt::format("histograms: {} rows of {} numbers and {} of {} are no pictures of "
                    "width {}",
                    train.rows, train.columns, test.rows, test.columns, width));
  }
  std::size_t d = std::size_t(train.columns), c = std::size_t(channels), l = std::size_t(line);
  Counts whole(c), place(d), context(c * kSteps * kSteps);
  // body(channel, place, context, level) of each number.
  auto visit = [&](const Table& table, const auto& body) {
    for_each_piece(table, [&](std::int64_t, std::int64_t, std::span<float> rows) {
      std::vector<std::uint8_t> levels = levels_of(rows);
      for (std::size_t i = 0; i < levels.size(); ++i) {
        std::size_t j = i % d;
        std::size_t left = j % l >= c ? levels[i - c] / kSteps : 0;
        std::size_t above = j >= l ? levels[i - l] / kSteps : 0;
        body(j % c, j, (j % c * kSteps + left) * kSteps + above, levels[i]);
      }
    });
  };
  visit(train, [&](std::size_t channel, std::size_t j, std::size_t pair, std::size_t level) {
    whole.add(channel, level);
    place.add(j, level);
    context.add(pair, level);
  });
  HistogramBits bits;
  visit(test, [&](std::size_t channel, std::size_t j, std::size_t pair, std::size_t level) {
    bits.whole += whole.bits(channel, level);
    bits.place += place.bits(j, level);
    bits.context += context.bits(pair, level);
  });
  double numbers = double(test.rows) * double(d);
  return {bits.whole / numbers, bits.place / numbers, bits.context / numbers};
}

}  // namespace atelier
