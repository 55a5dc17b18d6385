// The list of models.
#include "models/registry.h"

#include <fmt/format.h>

#include "models/vae.h"

namespace atelier {
namespace {

constexpr ModelEntry kModels[] = {
    {"vae", "variational and plain autoencoders, fully connected or convolutional", make_vae},
};

}  // namespace

std::span<const ModelEntry> registry() { return kModels; }

Model make_model(std::string_view name) {
  std::string known;
  for (const ModelEntry& entry : kModels) {
    if (name == entry.name) return entry.make();
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw Error(fmt::format("unknown model '{}'; this version knows {}", name, known));
}

}  // namespace atelier
