// What models say of given pictures: terms of their likelihood, classes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "infer/infer.h"

namespace atelier {

struct ScoredTerm {
  std::string name, unit;
  double value = 0;  // mean over the pictures that count; not a number if none does
  TermRole role = TermRole::other;
  double weight = 0;  // how many count
};

// The labels of a data set as the model numbers its classes: by their names where both have them,
// else as they are; of a model without classes, as they are. Error naming both files for a class
// that the model does not know.
std::vector<std::int32_t> labels_for(const Loaded& loaded, const Dataset& data);

// Means of the model's validation terms; noise by the row's index and `seed`. The result does not
// depend on batch_size. Throws Error("x.h5: this model has no terms of validation") if so, for
// models of texts, which the pictures alone have no likelihood under, for labels that a model with
// classes needs and the data lack, and for terms that are not finite.
std::vector<ScoredTerm> validation_terms(const Loaded& loaded, const Dataset& data,
                                         std::span<const std::int64_t> indices,
                                         std::int64_t batch_size = 64, std::int64_t seed = 0);

// Logits f32 [indices, classes]. Throws Error("x.h5: this model classifies nothing") if so, and for
// logits that are not finite.
struct Logits {
  std::int64_t classes = 0;
  std::vector<float> values;
};
Logits classify(const Loaded& loaded, const Dataset& data, std::span<const std::int64_t> indices,
                std::int64_t batch_size = 64);

}  // namespace atelier
