// A grid of the pictures of seeds 0, 1, 2, ..: comparable over a training.
#pragma once

#include <functional>
#include <string>

#include "infer/infer.h"

namespace atelier {

// Writes a PNG of `shape` ("8x8": columns and rows; UsageError if it is none) to `path`;
// of more than 4 channels it shows the first three.
// False: `stop`, which is asked now and then, said so, and nothing was written.
bool draw_seed_grid(Loaded model, const std::string& shape, const std::string& path,
                    const std::function<bool()>& stop = {});

}  // namespace atelier
