// Names that the graphs of an update and those who run them share; private to this floor.
#pragma once

#include <cstddef>
#include <string>

namespace atelier {

// A feature of the rows of a batch, and the gradient of the loss in it.
inline std::string feature_name(std::size_t i) { return "feature" + std::to_string(i); }
inline std::string slope_name(std::size_t i) { return "slope" + std::to_string(i); }

}  // namespace atelier
