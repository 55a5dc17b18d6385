// Scoring: means over rows, logits row by row.
#include "infer/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "infer/rows.h"

namespace atelier {

std::vector<std::int32_t> labels_for(const Loaded& loaded, const Dataset& data) {
  std::vector<std::int32_t> labels = data.labels;
  std::int64_t classes = loaded.data_shape().num_classes;
  if (labels.empty() || classes == 0) return labels;
  const std::vector<std::string>& known = loaded.checkpoint().label_names;
  bool by_name = !known.empty() && !data.label_names.empty();
  for (std::int32_t& label : labels) {
    std::int64_t place = label;
    if (by_name)
      place = std::ranges::find(known, data.label_names[std::size_t(label)]) - known.begin();
    if (place < 0 || place >= classes) {
      throw Error(fmt::format(
          "{}: has the class {}, which {} does not know", data.source,
          by_name ? data.label_names[std::size_t(label)] : std::to_string(label), loaded.name()));
    }
    label = std::int32_t(place);
  }
  return labels;
}

std::vector<ScoredTerm> validation_terms(const Loaded& loaded, const Dataset& data,
                                         std::span<const std::int64_t> indices,
                                         std::int64_t batch_size, std::int64_t seed) {
  const Model& model = loaded.model();
  if (!model.validation) {
    throw Error(fmt::format("{}: this model has no terms of validation", loaded.name()));
  }
  if (model.context_length) {
    throw Error(
        fmt::format("{}: this model compares pictures with texts, it has no likelihood of "
                    "pictures",
                    loaded.name()));
  }
  bool conditional = model.denoise && loaded.data_shape().num_classes > 0;
  if ((model.classify || conditional) && data.labels.empty())
    throw Error(fmt::format("{}: expected labels for {}, found none", data.source, loaded.name()));
  std::vector<ScoredTerm> result;
  loaded.for_each_row(
      data, indices, batch_size,
      [&](const Scope& scope, const Batch& batch) {
        std::int64_t rows = batch.image.shape()[0];
        std::vector<Expr> columns;
        result.clear();
        for (const Term& term : model.validation(scope, batch)) {
          Expr weight = term.weight ? term.weight : scope.graph().constant(1);
          for (Expr column : {term.weighed(), weight})
            columns.push_back(reshape(broadcast(column, {rows}), {rows, 1}));
          result.push_back({term.name, term.unit, 0, term.role});
        }
        return concat(columns, 1);
      },
      [&](std::int64_t, std::span<const float> row) {
        for (std::size_t t = 0; t < result.size(); ++t) {
          result[t].value += double(row[2 * t]);
          result[t].weight += double(row[2 * t + 1]);
        }
      },
      seed);
  for (ScoredTerm& term : result) {
    term.value /= term.weight;
    if (std::isfinite(term.value) || term.weight == 0) continue;
    throw Error(
        fmt::format("{}: its {} of {} is not finite", loaded.name(), term.name, data.source));
  }
  return result;
}

Logits classify(const Loaded& loaded, const Dataset& data, std::span<const std::int64_t> indices,
                std::int64_t batch_size) {
  const Model& model = loaded.model();
  if (!model.classify) throw Error(fmt::format("{}: this model classifies nothing", loaded.name()));
  Logits logits;
  loaded.for_each_row(
      data, indices, batch_size,
      [&](const Scope& scope, const Batch& batch) { return model.classify(scope, batch.image); },
      [&](std::int64_t, std::span<const float> row) {
        if (!all_finite(row)) {
          throw Error(
              fmt::format("{}: its logits of {} are not finite", loaded.name(), data.source));
        }
        logits.classes = std::int64_t(row.size());
        logits.values.insert(logits.values.end(), row.begin(), row.end());
      });
  return logits;
}

}  // namespace atelier
