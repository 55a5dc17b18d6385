// The list of models.
#include "models/registry.h"

#include <fmt/format.h>

#include "models/classifier.h"
#include "models/clip.h"
#include "models/ddpm.h"
#include "models/gan.h"
#include "models/vae.h"

namespace atelier {
namespace {

constexpr ModelEntry kModels[] = {
    {"classifier", "vision transformer or convolutions with a class head", make_classifier},
    {"clip", "image tower and text tower that agree on pictures and captions", make_clip},
    {"ddpm", "diffusion: U-Net, transformer or layers that tell noise from pictures", make_ddpm},
    {"gan", "generator and discriminator, by every adversarial loss", make_gan},
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
