// Samples of diffusion models: a sampler's steps, one plan for all of them. Private to this floor.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "infer/infer.h"

namespace atelier {

// As Loaded::sample_values, of a model with Model::denoise.
bool diffuse(const Loaded& model, std::span<const std::int32_t> seeds,
             const std::function<void(std::int64_t index, std::span<const float>)>& give,
             const SampleArgs& args, const std::function<bool()>& stop);

}  // namespace atelier
