// What the pages of tools that draw from diffusion models say alike.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/tool.h"
#include "infer/infer.h"

namespace atelier {

// Refuses choices that exclude each other, before the model is read.
inline void check_diffusion(const Tool& tool) {
  if (!tool.typed("timesteps")) return;
  for (const char* flag : {"sample-steps", "timestep-spacing"}) {
    if (tool.typed(flag))
      throw UsageError(std::string("--timesteps and --") + flag + " exclude each other");
  }
}

// Refuses options that would have no effect: `fields` are those of diffusion models, which are
// drawn from if `used`.
inline void refuse_diffusion(const Tool& tool, const Loaded& loaded, const Fields& fields,
                             bool used = true) {
  if (loaded.model().diffusion && used) return;
  for (const BoundField& field : fields) {
    if (tool.typed(field.flag()))
      throw UsageError(field.flag() + " is about samples of diffusion models, " + loaded.name() +
                       " is none or is not drawn from");
  }
}

}  // namespace atelier
