// Parts into a sink.
#include "io/vector_merge.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "io/row_blocks.h"

namespace atelier {
namespace {

std::vector<VectorRow> rows_of(const Vectors& part, const std::vector<std::string>& label_names) {
  std::vector<VectorRow> rows;
  std::size_t dim = std::size_t(part.dim);
  for (std::size_t i = 0; i < std::size_t(part.size()); ++i) {
    VectorRow row{.values = std::span(part.values).subspan(i * dim, dim)};
    if (!part.ids.empty()) row.id = part.ids[i];
    if (!part.labels.empty()) {
      row.label = part.labels[i];
      if (!label_names.empty()) row.label_name = label_names[std::size_t(row.label)];
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

void merge_vectors(std::span<const std::string> inputs, const VectorSinkOptions& options) {
  std::optional<VectorSink> sink;
  Vectors all;
  for (const std::string& input : inputs) {
    for_each_vectors(input, [&](const std::string& name, Vectors part) {
      join_vectors(all, part, name);
      // Parts without rows do not say whether rows have labels.
      if (!sink && part.size() > 0) sink.emplace(options, all, !part.labels.empty());
      if (sink) sink->add(rows_of(part, all.label_names));
    });
  }
  if (auto blocks = row_blocks(all.config, inputs.front())) {
    throw Error(fmt::format("{}: blocks {} of a divided run: expected all {}", inputs.front(),
                            to_text(*blocks), blocks->count));
  }
  if (!sink) sink.emplace(options, all, /*labelled=*/false);
  sink->finish(all);
}

}  // namespace atelier
