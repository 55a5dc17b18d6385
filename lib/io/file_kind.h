// What a file is, by its content, before anybody reads it.
#pragma once

#include <string>

namespace atelier {

// The kind of an HDF5 file of ours: "images", "vectors"; empty for whatever else lies there, and
// for "-", which can be read once.
std::string kind_of_file(const std::string& path);

}  // namespace atelier
