// Rows, then what is said of them.
#include "io/row_file.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/error.h"
#include "io/half.h"

namespace atelier {

void require_row(const RowRules& rules, const VectorRow& row, std::int64_t index) {
  double square = 0;
  auto refuse = [&](const std::string& what) {
    throw Error(fmt::format("{}: row {}{} {}", rules.file, index,
                            row.id.empty() ? "" : fmt::format(" ({})", row.id), what));
  };
  if (std::int64_t(row.values.size()) != rules.size)
    refuse(fmt::format("has {} numbers, others {}", row.values.size(), rules.size));
  if (rules.labelled != (row.label >= 0))
    refuse(rules.labelled ? "has no label, others have" : "has a label, others have none");
  for (float value : row.values) {
    if (!std::isfinite(value))
      refuse(fmt::format("holds {}, values must be finite", std::isnan(value) ? "nan" : "inf"));
    if (rules.dtype == "f16" && std::isinf(from_half(to_half(value))))
      refuse(fmt::format("holds {}, f16 reaches {}; --dtype f32", value, kLargestHalf));
    square += double(value) * value;
  }
  if (rules.normalized && std::abs(square - 1) > 0.01)
    refuse(fmt::format("has length {:.4g}, but rows are normalized", std::sqrt(square)));
}

std::span<const std::byte> as_stored(std::span<const float> values, const std::string& dtype,
                                     std::vector<std::uint16_t>& halves) {
  if (dtype != "f16") return std::as_bytes(values);
  halves.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) halves[i] = to_half(values[i]);
  return std::as_bytes(std::span(halves));
}

RowFile::RowFile(const std::string& output, const std::string& kind, RowRules rules,
                 std::span<const std::int64_t> row_dims, bool force)
    : path_("/" + kind),
      rules_(std::move(rules)),
      file_(Hdf5Writer::create(output, kind, force)),
      rows_(file_.rows(path_, rules_.dtype == "f16" ? FileType::f16 : FileType::f32, row_dims)) {
  if (rules_.labelled) labels_.emplace(file_.rows("/labels", FileType::i32, {}));
}

void RowFile::add(const VectorRow& row) {
  rows_.append(as_stored(row.values, rules_.dtype, halves_));
  if (labels_) labels_->append(std::as_bytes(std::span(&row.label, 1)));
  ids_.emplace_back(row.id);
  named_ = named_ || !row.id.empty();
}

Hdf5Writer& RowFile::finish(const Attributes& of_rows, const RowOrigins& origins) {
  rows_.finish();
  file_.attributes(path_, of_rows);
  if (labels_) labels_->finish();
  const std::pair<const char*, const Attributes&> groups[] = {{"/config", origins.config},
                                                              {"/preprocess", origins.preprocess},
                                                              {"/inputs", origins.inputs}};
  for (const auto& [path, values] : groups) {
    if (!values.empty()) file_.attributes(path, values);
  }
  if (named_) file_.strings("/meta/ids", ids_);
  if (!origins.label_names.empty()) file_.strings("/meta/label_names", origins.label_names);
  return file_;
}

}  // namespace atelier
