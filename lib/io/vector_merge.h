// Files of vectors as one, in any of the formats: blocks of a run that was divided, or a
// conversion.
#pragma once

#include <span>
#include <string>

#include "io/vector_sink.h"

namespace atelier {

// Writes the parts of all inputs ("-" is standard input) in their order; one part is in memory at a
// time. The blocks of a divided run make the bytes of the undivided one. Throws as join_vectors,
// and Error if some of the blocks are missing.
void merge_vectors(std::span<const std::string> inputs, const VectorSinkOptions& options);

}  // namespace atelier
