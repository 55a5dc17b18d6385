// HDF5 files used as they are, without a copy where they can be mapped; private to this floor.
#pragma once

#include <optional>
#include <span>

#include "data/dataset.h"
#include "data/source.h"

namespace atelier {

// The set in these inputs if all are HDF5 and its values can be used as stored: one contiguous u8
// dataset of the wanted shape is mapped, f32 is mapped or read. Otherwise nothing: pictures then
// go through preparation one by one. Throws Error for f32 that preparation would have to change.
std::optional<Dataset> read_direct(std::span<Input> inputs, const ReadOptions& options);

// xxh3 of type, shape, the pixels' own checksum and the labels.
std::uint64_t dataset_digest(const Dataset& dataset, const std::string& pixel_checksum);

}  // namespace atelier
