// Classes named by texts: which of them a picture's vector is nearest to (Radford et al. 2021,
// arXiv:2103.00020, section 3.1).
#pragma once

#include "eval/comparison.h"
#include "eval/sets.h"

namespace atelier {

// The set's vectors (or pictures in `space`) against one vector a class, by cosine: features,
// rows, classes, majority_accuracy, zero_shot_accuracy, zero_shot_class_accuracy (the mean over the
// classes that occur), and with more than five classes zero_shot_top_5. As near as the right class
// counts against it.
// A class's text is the one whose id is the class's name, or else the only one that is but for case
// and '-' or '_' in place of a space; if no text has the name of a class, the texts are in the
// order of the classes, with a remark if names were given. Throws Error if there are no labels,
// only some classes have a text of their name, several texts may be that of a class or one that of
// two, classes and texts do not fit, or the vectors are of another width, model or pooling.
Comparison zero_shot(const JudgedSet& set, const FeatureSpace& space, const JudgedSet& texts);

}  // namespace atelier
