// How much memory may still be taken.
#pragma once

#include <cstddef>
#include <cstdint>

namespace atelier {

// Bytes that can be had without swapping: what the machine has left (MemAvailable), cut by the
// limits of the control groups that this process is in; the largest number if nobody says.
std::int64_t available_memory();

// Bytes of this process that are in memory now; 0 if nobody says.
std::size_t resident_memory();

}  // namespace atelier
