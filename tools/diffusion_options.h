// What the pages of tools that draw from diffusion models say alike.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/tool.h"
#include "infer/infer.h"

namespace atelier {

// `fields`: of `args`, those that the tool has.
inline void declare_diffusion(Tool& tool, SampleArgs& args, const Fields& fields) {
  tool.fields(fields, "Diffusion");
  tool.settle([&] { args.settle([&](std::string_view option) { return tool.source(option); }); });
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
