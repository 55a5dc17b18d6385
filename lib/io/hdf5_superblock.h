// The first bytes of an HDF5 image, read by ourselves before libhdf5 sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace atelier {

inline constexpr std::size_t kSuperblockBytes = 96;

// Length of the HDF5 image that starts with these bytes (at least 64 of them), from its end-of-file
// address; nothing if they are no superblock that we read (versions 0 to 3, 8-byte addresses).
std::optional<std::uint64_t> image_length(std::span<const std::byte> start);

// Throws Error("x.h5: ...") for an empty, foreign or truncated file, or one that other
// bytes follow.
void check_superblock(int fd, std::uint64_t size, const std::string& name);

// "a PNG picture", "text": what unknown bytes look like, for messages.
std::string describe_bytes(std::span<const std::byte> start);

}  // namespace atelier
