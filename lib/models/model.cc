// What several models say alike.
#include "models/model.h"

#include <fmt/format.h>

namespace atelier {

void require_default(const EncodeArgs& args) {
  if (args.pool != "auto") {
    throw UsageError(fmt::format("pool '{}': this model has no tokens, only auto", args.pool));
  }
  if (args.layer != -1) {
    throw UsageError(fmt::format("layer {}: this model has no blocks, only -1", args.layer));
  }
}

}  // namespace atelier
