// How pictures become the rows that distances are measured in.
#pragma once

#include <functional>
#include <string>

#include "data/dataset.h"
#include "eval/moments.h"
#include "eval/pca.h"
#include "io/stats.h"

namespace atelier {

// A space of features: its name, with a hash of what it computes, stands beside each figure.
struct FeatureSpace {
  std::string name;  // "pca:64@0123456789abcdef"
  // Features of all pictures of a set, which must outlive the table. Throws Error, naming the set,
  // for pictures that it does not take.
  std::function<Table(const Dataset&)> rows;
  Pca pca = {};           // of principal components: what a file of stats keeps
  std::string pool = {};  // of an encoder: resolved_pool(); empty: nothing is encoded
};

// The numbers 0..1 themselves, of pictures of this shape.
FeatureSpace pixel_features(std::int64_t height, std::int64_t width, std::int64_t channels);
// Coordinates along the first principal components of a reference: "pca:64". `shape`: of the
// pictures that they are of, "28x28x1"; empty if that is not known, then any of that many numbers.
FeatureSpace pca_features(Pca pca, const std::string& shape);
// Fitted to the pictures of `reference`; count is at most its rows and columns (fewer are taken).
FeatureSpace pca_features(const Dataset& reference, std::int64_t count);

// A table that owns its values, [rows, columns].
Table table_of_values(std::vector<float> values, std::int64_t columns);

// Of a set in a space, and back.
Stats stats_of(const Moments& moments, const FeatureSpace& space, const Dataset& data);
Moments moments_of(const Stats& stats);
// The space of a file of stats, if it holds principal components; otherwise without `rows`. Its
// pictures have the shape that /preprocess says, if it says one.
FeatureSpace features_of(const Stats& stats, const std::string& file);

// Pictures u8 as `like` has them, from rows 0..1 [count, H*W*C].
Dataset pictures_of(std::span<const float> rows, const Dataset& like, const std::string& source);

}  // namespace atelier
