// Distances and coverage of samples, along principal components of the user's own data.
#include "eval/sample_quality.h"

#include <algorithm>
#include <memory>

#include "data/pixels.h"
#include "eval/baselines.h"
#include "eval/fidelity.h"
#include "eval/sliced_wasserstein.h"

namespace atelier {
namespace {

constexpr std::int64_t kComponents = 64, kCovered = 2000, kLeastCovered = 10;

// Rows in memory, with the shape of others.
Dataset rows_in(std::shared_ptr<std::vector<std::byte>> bytes, const Dataset& like, DType dtype,
                std::string source) {
  Dataset set;
  set.source = std::move(source);
  set.height = like.height;
  set.width = like.width;
  set.channels = like.channels;
  set.real = like.real;
  set.dtype = dtype;
  set.size = std::int64_t(bytes->size()) / set.row_bytes();
  set.pixels = *bytes;
  set.storage = std::move(bytes);
  return set;
}

// At most `most` of them, evenly spaced.
Dataset some_of(const Dataset& real, std::span<const std::int64_t> indices, std::int64_t most) {
  std::vector<std::int64_t> chosen = evenly_spaced(indices, most);
  auto bytes = std::make_shared<std::vector<std::byte>>();
  bytes->reserve(chosen.size() * std::size_t(real.row_bytes()));
  for (std::int64_t index : chosen) {
    auto row = real.image(index);
    bytes->insert(bytes->end(), row.begin(), row.end());
  }
  return rows_in(std::move(bytes), real, real.dtype, real.source);
}

// How much of what is real samples reach; nothing of few rows.
void add_coverage(const Table& real, Table drawn, std::vector<ReportedTerm>& terms) {
  if (std::min(real.rows, drawn.rows) < kLeastCovered) return;
  drawn.rows = std::min(drawn.rows, kCovered);
  Fidelity found = fidelity(real, drawn);
  terms.push_back({"coverage", "share", found.coverage, TermRole::coverage});
  terms.push_back({"recall", "share", found.recall});
}

}  // namespace

SampleQuality::SampleQuality(const Dataset& real, std::span<const std::int64_t> indices,
                             std::int64_t most) {
  like_.height = real.height;
  like_.width = real.width;
  like_.channels = real.channels;
  like_.real = real.real;
  bool plane = real.real && real.row_bytes() == 2 * std::int64_t(sizeof(float));
  // Of points more would make a figure cost more than the steps between two of them.
  Dataset known = some_of(real, indices, plane ? std::min(most, kCovered) : most);
  if (plane) {
    points_.resize(std::size_t(2 * known.size));
    PixelReader(known).read(all_rows(known.size), points_);
    return;
  }
  space_ = pca_features(known, kComponents);
  all_ = moments_of(space_.rows(known));
  Dataset fewer = some_of(real, indices, std::min(most, kCovered));
  some_ = space_.rows(fewer);
}

std::vector<ReportedTerm> SampleQuality::judge(std::span<const std::uint8_t> pictures) const {
  return compare(std::as_bytes(pictures), DType::u8);
}

std::vector<ReportedTerm> SampleQuality::judge(std::span<const float> vectors) const {
  if (points_.empty()) return compare(std::as_bytes(vectors), DType::f32);
  std::vector<ReportedTerm> terms{
      {"sliced_wasserstein", "units of the vectors", sliced_wasserstein(vectors, points_)}};
  add_coverage(table_of_rows(points_, 2), table_of_rows(vectors, 2), terms);
  return terms;
}

std::vector<ReportedTerm> SampleQuality::compare(std::span<const std::byte> given,
                                                 DType dtype) const {
  auto bytes = std::make_shared<std::vector<std::byte>>(given.begin(), given.end());
  Dataset drawn = rows_in(std::move(bytes), like_, dtype, "samples");
  Table rows = space_.rows(drawn);
  std::vector<ReportedTerm> terms{
      {"frechet", space_.name, frechet_distance(all_, moments_of(rows))}};
  add_coverage(*some_, std::move(rows), terms);
  return terms;
}

}  // namespace atelier
