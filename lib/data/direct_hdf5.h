// HDF5 files used as they are, without a copy where they can be mapped; private to this floor.
#pragma once

#include <optional>
#include <span>

#include "data/dataset.h"
#include "data/source.h"
#include "io/latents.h"

namespace atelier {

// The set in these inputs if it can be used as stored: one contiguous dataset of the wanted shape,
// u8, f32 in 0..1, or f32 vectors or latents, is mapped. Otherwise nothing: pictures then go
// through preparation one by one.
std::optional<Dataset> read_direct(std::span<Input> inputs, const ReadOptions& options);

// What a file of latents says of them.
void adopt_space(Dataset& set, const LatentSpace& space);

// xxh3 of type, shape, the pixels' own checksum and the labels; of latents the scaling factor too.
std::uint64_t dataset_digest(const Dataset& dataset, const std::string& pixel_checksum);

}  // namespace atelier
