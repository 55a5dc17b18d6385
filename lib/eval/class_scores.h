// What a classifier says of pictures: the Inception score's formula (Salimans et al. 2016,
// arXiv:1606.03498) with any classifier, and accuracy.
#pragma once

#include <cstdint>
#include <span>

namespace atelier {

// exp of the mean Kullback-Leibler divergence of each row from the mean row: 1 (all rows alike) to
// the number of classes. probabilities [rows, classes], rows sum to 1.
double class_score(std::span<const float> probabilities, std::int64_t classes);

// Share of rows whose largest probability (the first of equals) is that of the label; rows with
// labels below 0 do not count. Throws Error for counts that disagree or labels outside the classes.
double class_accuracy(std::span<const float> probabilities, std::int64_t classes,
                      std::span<const std::int32_t> labels);

// softmax of logits [rows, classes], in place, in double.
void to_probabilities(std::span<float> logits, std::int64_t classes);

}  // namespace atelier
