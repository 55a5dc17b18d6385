// HDF5 files used as they are, without a copy where they can be mapped; private to this floor.
#pragma once

#include <optional>
#include <span>

#include "data/dataset.h"
#include "data/source.h"

namespace atelier {

// The set in these inputs if it can be used as stored: one contiguous dataset of the wanted shape,
// u8, f32 in 0..1, or f32 vectors, is mapped. Otherwise nothing: pictures then go through
// preparation one by one.
std::optional<Dataset> read_direct(std::span<Input> inputs, const ReadOptions& options);

// xxh3 of type, shape, the pixels' own checksum and the labels.
std::uint64_t dataset_digest(const Dataset& dataset, const std::string& pixel_checksum);

}  // namespace atelier
