// What is judged: pictures or vectors, with their classes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/input.h"
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

// What a set is read from: recognised, and not yet read.
struct SetInput {
  std::vector<Input> inputs;
  ReadOptions reading;
  std::string kind;  // of the first: "images", "vectors", "stats"; empty for pictures elsewhere

  bool of_vectors() const { return kind == "vectors"; }
};
SetInput recognise(const std::vector<std::string>& sources, const ReadOptions& reading);
// Of another set than the one that `reading` is about: what it says of labels and of drawing
// pictures does not hold.
SetInput recognise_other(const std::string& source, ReadOptions reading);
// Throws Error("a.h5: holds pictures, but b.h5 holds vectors") if only one of them does.
void require_one_kind(const SetInput& a, const SetInput& b);
// Throws UsageError for vectors of more than one file or stream, Error for what is not of the kind,
// and for numbers whose squares no figure can be computed of.
JudgedSet read_set(SetInput input, bool of_vectors);
JudgedSet read_vector_set(const std::string& input);  // one file, "-" is standard input

// Vectors as the pictures of one pixel that models take, with labels and names; the first `limit`
// of them, 0: all.
Dataset dataset_of(const JudgedSet& vectors, std::int64_t limit);

// What made vectors, as figures name it: "clip@0123456789abcdef", the digest of its weights behind
// the @ if the file has it.
std::string maker_of(const Vectors& vectors);

// How the rows of a set were made, as far as that is known: attributes pool and layer, texts, and
// normalized; of pictures how `space` encodes them, none if it does not. Texts are of pooling auto.
Attributes form_of(const JudgedSet& set, const FeatureSpace& space = {});
// Throws Error naming `set` and `source`, whose rows are of `form`, if both say one of these and
// not the same; `by_direction`: normalized does not matter.
void require_form(const JudgedSet& set, const FeatureSpace& space, const Attributes& form,
                  const std::string& source, bool by_direction = false);

// Throws Error naming `set` and `source` if the pictures behind the vectors of `set` were prepared
// otherwise than `preprocess` says, as far as both say. Pictures may differ: what is seen of them
// is what is judged.
void require_preprocess(const JudgedSet& set, const Attributes& preprocess,
                        const std::string& source);

// Throws Error("a.h5: vectors [64] of 'clip', but b.h5 has [32] of 'vae'") if they are of different
// widths or models, of different weights as far as both say, of another form, or of pictures
// prepared otherwise. Vectors that a generator drew may be of whatever has their width. Pictures
// are otherwise compared by `space`, in which they are seen.
void require_alike(const JudgedSet& a, const JudgedSet& b, const FeatureSpace& space = {},
                   bool by_direction = false);

// Vectors as they are, pictures in the space. The set must outlive the table.
Table rows_of(const JudgedSet& set, const FeatureSpace& space);

// A space for sets like `reference`: of vectors their own; "pixels", or "pca:K" fitted to the
// reference. UsageError for anything else.
FeatureSpace make_space(const JudgedSet& reference, const std::string& features);

}  // namespace atelier
