// Frechet distance and coverage along principal components of the user's own pictures.
#include "eval/sample_quality.h"

#include <algorithm>
#include <memory>

#include "eval/fidelity.h"

namespace atelier {
namespace {

constexpr std::int64_t kComponents = 64, kCovered = 2000, kLeastCovered = 10;

// Pictures in memory, with the shape of others.
Dataset pictures_in(std::shared_ptr<std::vector<std::byte>> bytes, const Dataset& like, DType dtype,
                    std::string source) {
  Dataset set;
  set.source = std::move(source);
  set.height = like.height;
  set.width = like.width;
  set.channels = like.channels;
  set.dtype = dtype;
  set.size = std::int64_t(bytes->size()) / set.row_bytes();
  set.pixels = *bytes;
  set.storage = std::move(bytes);
  return set;
}

// At most `most` of them, evenly spaced.
Dataset some_of(const Dataset& real, std::span<const std::int64_t> indices, std::int64_t most) {
  std::int64_t count = std::min(most, std::int64_t(indices.size()));
  auto bytes = std::make_shared<std::vector<std::byte>>();
  bytes->reserve(std::size_t(count * real.row_bytes()));
  for (std::int64_t i = 0; i < count; ++i) {
    auto row = real.image(indices[std::size_t(i * std::int64_t(indices.size()) / count)]);
    bytes->insert(bytes->end(), row.begin(), row.end());
  }
  return pictures_in(std::move(bytes), real, real.dtype, real.source);
}

// The first rows of a table.
Table head(Table table, std::int64_t rows) {
  table.rows = std::min(table.rows, rows);
  return table;
}

}  // namespace

SampleQuality::SampleQuality(const Dataset& real, std::span<const std::int64_t> indices,
                             std::int64_t most) {
  Dataset pictures = some_of(real, indices, most);
  space_ = pca_features(pictures, kComponents);
  Table rows = space_.rows(pictures);
  all_.moments = moments_of(rows);
  Dataset fewer = some_of(real, indices, std::min(most, kCovered));
  some_ = space_.rows(fewer);
  like_.height = real.height;
  like_.width = real.width;
  like_.channels = real.channels;
}

std::vector<ReportedTerm> SampleQuality::judge(std::span<const std::uint8_t> pictures) const {
  auto given = std::as_bytes(pictures);
  auto bytes = std::make_shared<std::vector<std::byte>>(given.begin(), given.end());
  Dataset drawn = pictures_in(std::move(bytes), like_, DType::u8, "samples");
  Table rows = space_.rows(drawn);
  std::vector<ReportedTerm> terms{
      {"frechet", space_.name, frechet_distance(all_.moments, moments_of(rows))}};
  if (std::min(some_->rows, rows.rows) >= kLeastCovered)
    terms.push_back({"coverage", "share", fidelity(*some_, head(rows, kCovered)).coverage});
  return terms;
}

}  // namespace atelier
