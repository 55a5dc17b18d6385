// The list of models, one line each.
#pragma once

#include <span>
#include <string_view>

#include "models/model.h"

namespace atelier {

struct ModelEntry {
  const char* name;     // stored in checkpoints as config attribute `model`
  const char* summary;  // one line
  Model (*make)();      // with default configuration
};

std::span<const ModelEntry> registry();
// Throws Error("unknown model 'x'; this version knows a, b").
Model make_model(std::string_view name);

}  // namespace atelier
