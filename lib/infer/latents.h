// Latents of any model: those of seeds, and what they decode to. The latent of a diffusion model's
// picture is the noise that a deterministic sampler makes it of.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "infer/infer.h"

namespace atelier {

// Numbers a latent. Error("x.h5: this model has no decoder").
std::int64_t latent_size(const Loaded& model);
// Whether latents are draws of a Gaussian, whatever they are of: those of diffusion models.
bool latents_are_noise(const Loaded& model);

// What sample() decodes for these seeds, [seeds, latent_size]. Error naming the file if the model
// draws nothing, or its pictures have no one latent.
std::vector<float> latents_of_seeds(const Loaded& model, std::span<const std::int32_t> seeds);

// Asked for the latents one by one.
using WriteLatent = std::function<void(std::int64_t index, std::span<float> latent)>;

// Pictures u8 [H,W,C] of `count` latents, which `write` is asked for one by one; the same for any
// batch size. All are of the class args.label, which is the first if it is -1. Errors as
// latent_size(), and if what it makes is no pictures; UsageError for samplers that are not
// deterministic, and what diffuse() refuses.
void decode_latents(const Loaded& model, std::int64_t count, const WriteLatent& write,
                    const std::function<void(std::span<const std::uint8_t> picture)>& give,
                    const SampleArgs& args = {});
// The same of any model, f32 in the units of its data.
void decode_latent_values(const Loaded& model, std::int64_t count, const WriteLatent& write,
                          const std::function<void(std::span<const float> row)>& give,
                          const SampleArgs& args = {});

}  // namespace atelier
