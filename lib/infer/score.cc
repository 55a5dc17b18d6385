// Scoring: means over rows, logits row by row.
#include "infer/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace atelier {
std::vector<ScoredTerm> validation_terms(const Loaded& loaded, const Dataset& data,
                                         std::span<const std::int64_t> indices,
                                         std::int64_t batch_size, std::int64_t seed) {
  const Model& model = loaded.model();
  if (!model.validation) {
    throw Error(fmt::format("{}: this model has no terms of validation", loaded.name()));
  }
  std::vector<ScoredTerm> result;
  loaded.for_each_row(
      data, indices, batch_size,
      [&](const Scope& scope, const Batch& batch) {
        std::int64_t rows = batch.image.shape()[0];
        std::vector<Expr> columns;
        result.clear();
        for (const Term& term : model.validation(scope, batch)) {
          columns.push_back(reshape(broadcast(term.value, {rows}), {rows, 1}));
          result.push_back({term.name, term.unit, 0, term.role});
        }
        return concat(columns, 1);
      },
      [&](std::int64_t, std::span<const float> row) {
        for (std::size_t t = 0; t < row.size(); ++t) result[t].value += double(row[t]);
      },
      seed);
  for (ScoredTerm& term : result) term.value /= double(indices.size());
  return result;
}

Logits classify(const Loaded& loaded, const Dataset& data, std::span<const std::int64_t> indices,
                std::int64_t batch_size) {
  const Model& model = loaded.model();
  if (!model.classify) throw Error(fmt::format("{}: this model has no classes", loaded.name()));
  Logits logits;
  loaded.for_each_row(
      data, indices, batch_size,
      [&](const Scope& scope, const Batch& batch) { return model.classify(scope, batch.image); },
      [&](std::int64_t, std::span<const float> row) {
        if (!std::ranges::all_of(row, [](float v) { return std::isfinite(v); })) {
          throw Error(
              fmt::format("{}: its logits of {} are not finite", loaded.name(), data.source));
        }
        logits.classes = std::int64_t(row.size());
        logits.values.insert(logits.values.end(), row.begin(), row.end());
      });
  return logits;
}

}  // namespace atelier
