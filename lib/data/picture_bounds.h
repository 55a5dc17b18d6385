// Where a picture ends in a stream of concatenated pictures; private to this floor.
#pragma once

#include <cstddef>

#include "data/byte_reader.h"

namespace atelier {

// Bytes of the picture (PNG, JPEG, WebP, BMP, PNM) at the reader's place; all of them can be
// peeked then. Throws Error("reason") if they are none, cut off, or more than max_bytes.
std::size_t picture_bytes(ByteReader& reader, std::size_t max_bytes);

}  // namespace atelier
