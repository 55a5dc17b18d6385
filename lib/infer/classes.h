// Classes of what models draw: by number, by name, or none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "infer/infer.h"

namespace atelier {

// Whether samples of a model are of classes, as data_shape() counts them.
bool draws_classes(const Loaded& model);
// Whether it draws pictures of no class too, as diffusion models do that lost labels in training.
bool draws_without_class(const Loaded& model);

// SampleArgs::label of what a user wrote: the name of a class where the checkpoint has names, its
// number from 0, "none", or nothing (-1). UsageError for other words, Error naming the file for a
// class that the model does not have.
std::int64_t class_named(const Loaded& model, const std::string& text);

// The class of the sample of a seed, the number of classes being none: what SampleArgs::label says,
// or if it is -1 the classes go round. Error naming the file for one that the model does not have.
std::int32_t class_of(const Loaded& model, std::int64_t label, std::int32_t seed);

// What SampleArgs::label is of given pictures: kNoClass in the place of -1 where they have no
// labels and the model draws classes. Error naming the file if it draws no pictures without one.
std::int64_t label_of_pictures(const Loaded& model, const Dataset& data, std::int64_t label);
// The classes that a model takes them for: that of label_of_pictures(), or if it is -1 their own;
// of models without classes 0.
std::vector<std::int32_t> classes_of_pictures(const Loaded& model, const Dataset& data,
                                              std::int64_t label);

}  // namespace atelier
