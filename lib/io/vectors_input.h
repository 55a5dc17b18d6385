// Vectors as tools take them: a file, or all images of a stream on standard input as one set.
#pragma once

#include <string>

#include "io/vectors.h"

namespace atelier {

// "-" is standard input: HDF5 images back to back, joined along the first axis. A file is read
// whole, all its images. Throws Error("standard input (image 2): ..") if a later one is of another
// model, width or metric, and for labels or ids that some images have and some lack.
Vectors read_vectors_input(const std::string& input);

// The kind of an HDF5 file of ours: "images", "vectors"; empty for whatever else lies there, and
// for "-", which can be read once.
std::string kind_of_file(const std::string& path);

}  // namespace atelier
