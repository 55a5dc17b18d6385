// How much memory may still be taken.
#pragma once

#include <cstdint>

namespace atelier {

// Bytes that can be had without swapping: what the machine has left (MemAvailable), cut by the
// limits of the control groups that this process is in; the largest number if nobody says.
std::int64_t available_memory();

}  // namespace atelier
