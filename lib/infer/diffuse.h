// Diffusion models at work: from noise to samples by a sampler's steps, and from samples back to
// their noise.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "infer/infer.h"

namespace atelier {

// What a walk is given beyond its seeds, row by row.
struct DiffuseOptions {
  // x at the first timestep, f32 [H*W*C], as standard noise is; empty: the noise of the seed.
  // The seed then is that of the noise which steps add.
  std::function<void(std::int64_t index, std::span<float> x)> start = {};
  // The class, the number of classes being none; empty: as SampleArgs::label has it.
  std::function<std::int32_t(std::int64_t index)> label = {};
  // Inpainting: a picture [H*W*C] in the units of the data, and a mask [H*W] that is 1 where it is
  // known; empty: nothing is known. After each step what is known is put back, noised as x then is.
  std::function<void(std::int64_t index, std::span<float> picture, std::span<float> mask)> known =
      {};
  // Each step is gone so many times, with noise added in between that leads back to where it began,
  // so that what is drawn and what is known come to agree (RePaint, Lugmayr et al. 2022,
  // arXiv:2201.09865, with jumps of one step). UsageError beyond 1 for samplers with a memory.
  std::int64_t repeats = 1;
};

// Error("vae.h5: this is no diffusion model, whose pictures begin as noise").
void require_diffusion(const Loaded& model);

// Samples of seeds as Loaded::sample_values has them, of a model with Model::denoise. With
// SampleArgs::trajectory a row is so many pictures one after another. UsageError for options that
// do not suit each other or the model, Error naming the file for what it cannot draw.
bool diffuse(const Loaded& model, std::span<const std::int32_t> seeds,
             const std::function<void(std::int64_t index, std::span<const float>)>& give,
             const SampleArgs& args, const std::function<bool()>& stop = {},
             const DiffuseOptions& options = {});

// The noise that diffuse() starts from, f32 [seeds, H*W*C].
std::vector<float> start_noise(const Loaded& model, std::span<const std::int32_t> seeds);

// DDIM inversion (Song et al. 2021, arXiv:2010.02502, section 4.3): the noise x at the first
// timestep that a deterministic sampler makes these pictures of, up to errors that fall with the
// number of steps; f32 [indices, H*W*C], the same for any batch size. Pictures are taken for the
// classes that classes_of_pictures() says. Error naming the file if it is no diffusion model or
// takes other pictures; UsageError as diffuse(), and for samplers that are not deterministic.
std::vector<float> invert(const Loaded& model, const Dataset& data,
                          std::span<const std::int64_t> indices, const SampleArgs& args);

}  // namespace atelier
