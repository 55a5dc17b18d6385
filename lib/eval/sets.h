// What is judged: pictures or vectors, with their classes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/features.h"
#include "io/vectors.h"

namespace atelier {

struct JudgedSet {
  std::string source;  // for messages
  bool of_vectors = false;
  Dataset pictures;
  Vectors vectors;

  std::int64_t size() const { return of_vectors ? vectors.size() : pictures.size; }
  std::span<const std::int32_t> labels() const {
    return of_vectors ? vectors.labels : pictures.labels;
  }
  const std::vector<std::string>& label_names() const {
    return of_vectors ? vectors.label_names : pictures.label_names;
  }
};

// Vectors are one file or stream, "-" is standard input; pictures any sources.
JudgedSet read_pictures(const std::vector<std::string>& sources, const ReadOptions& reading);
JudgedSet read_vector_set(const std::string& input);
// Of another set than the one that `reading` is about: what it says of labels and of drawing
// pictures does not hold.
JudgedSet read_other(const std::string& source, bool of_vectors, ReadOptions reading);

// What made vectors, as figures name it: "clip@0123456789abcdef", the digest of its weights behind
// the @ if the file has it.
std::string maker_of(const Vectors& vectors);

// Throws Error("a.h5: vectors [64] of 'clip', but b.h5 has [32] of 'vae'") if they are of different
// widths or models, or of different weights, another pooling or another layer as far as both say;
// and unless only directions are compared, if one set alone is normalized. Texts, and pictures that
// are encoded here, are of pooling auto; otherwise pictures are compared by their features' space.
void require_alike(const JudgedSet& a, const JudgedSet& b, bool by_direction = false);

// Vectors as they are, pictures in the space. The set must outlive the table.
Table rows_of(const JudgedSet& set, const FeatureSpace& space);

// A space for sets like `reference`: of vectors their own; "pixels", or "pca:K" fitted to the
// reference. UsageError for anything else.
FeatureSpace make_space(const JudgedSet& reference, const std::string& features);

}  // namespace atelier
