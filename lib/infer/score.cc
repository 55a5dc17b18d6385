// Scoring: one plan of a batch, padded by its first row.
#include "infer/score.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace atelier {
namespace {

void write_row_inputs(Plan& plan, const Dataset& data, std::span<const std::int64_t> rows,
                      std::int64_t seed) {
  if (plan.has_input("ids")) {
    auto ids = plan.input<std::int32_t>("ids");
    for (std::size_t i = 0; i < rows.size(); ++i) ids[i] = std::int32_t(rows[i]);
    auto clock = plan.input<std::int32_t>("clock");
    clock[0] = std::int32_t(seed & 0xffffffff);
    clock[1] = std::int32_t(seed >> 32);
    clock[2] = 0;
  }
  if (plan.has_input("label")) {
    auto labels = plan.input<std::int32_t>("label");
    for (std::size_t i = 0; i < rows.size(); ++i) labels[i] = data.labels[std::size_t(rows[i])];
  }
}

// Gives the row of output "y" of each picture.
void for_each_row(const Loaded& loaded, const Dataset& data, std::span<const std::int64_t> indices,
                  std::int64_t batch_size, std::int64_t seed,
                  const std::function<Expr(const Scope&, Expr image)>& build,
                  const std::function<void(std::span<const float> row)>& give) {
  loaded.require_shape(data);
  std::int64_t rows = std::min<std::int64_t>(batch_size, std::int64_t(indices.size()));
  if (rows < 1) return;
  PixelReader pixels = loaded.pixels(data);
  Plan plan = loaded.plan(rows, [&](const Scope& scope) {
    Shape shape{rows, data.height, data.width, data.channels};
    return build(scope, scope.graph().input("image", DType::f32, shape));
  });
  for (std::size_t first = 0; first < indices.size(); first += std::size_t(rows)) {
    std::size_t count = std::min(std::size_t(rows), indices.size() - first);
    std::vector<std::int64_t> batch(std::size_t(rows), indices[first]);
    std::copy_n(indices.begin() + std::ptrdiff_t(first), count, batch.begin());
    pixels.read(batch, plan.input("image"));
    write_row_inputs(plan, data, batch, seed);
    plan.run();
    std::span<const float> y = plan.output("y");
    std::size_t row = y.size() / std::size_t(rows);
    for (std::size_t i = 0; i < count; ++i) give(y.subspan(i * row, row));
  }
}

}  // namespace

std::vector<ScoredTerm> validation_terms(const Loaded& loaded, const Dataset& data,
                                         std::span<const std::int64_t> indices,
                                         std::int64_t batch_size, std::int64_t seed) {
  const Model& model = loaded.model();
  if (!model.validation) {
    throw Error(fmt::format("{}: this model has no terms of validation", loaded.name()));
  }
  std::vector<ScoredTerm> result;
  for_each_row(
      loaded, data, indices, batch_size, seed,
      [&](const Scope& scope, Expr image) {
        std::int64_t rows = image.shape()[0];
        Batch batch{.image = image};
        if (data.num_classes() > 0) {
          batch.label = scope.graph().input("label", DType::i32, {rows});
        }
        std::vector<Expr> columns;
        result.clear();
        for (const Term& term : model.validation(scope, batch)) {
          columns.push_back(reshape(broadcast(term.value, {rows}), {rows, 1}));
          result.push_back({term.name, term.unit, 0, term.role});
        }
        return concat(columns, 1);
      },
      [&](std::span<const float> row) {
        for (std::size_t t = 0; t < row.size(); ++t) result[t].value += double(row[t]);
      });
  for (ScoredTerm& term : result) term.value /= double(indices.size());
  return result;
}

Logits classify(const Loaded& loaded, const Dataset& data, std::span<const std::int64_t> indices,
                std::int64_t batch_size) {
  const Model& model = loaded.model();
  if (!model.classify) throw Error(fmt::format("{}: this model has no classes", loaded.name()));
  Logits logits;
  for_each_row(
      loaded, data, indices, batch_size, 0,
      [&](const Scope& scope, Expr image) { return model.classify(scope, image); },
      [&](std::span<const float> row) {
        logits.classes = std::int64_t(row.size());
        logits.values.insert(logits.values.end(), row.begin(), row.end());
      });
  return logits;
}

}  // namespace atelier
