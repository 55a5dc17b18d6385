// Labels that lie beside the pictures: idx files, or text with a number or a class name a line.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace atelier {

struct LabelFile {
  std::string path;
  std::vector<std::int32_t> values;
  std::vector<std::string> names;  // of classes, if the file holds names: sorted
};

// Error("where: label 3 is -1, ...") unless all are numbers of classes, from 0.
void require_labels(std::span<const std::int32_t> labels, const std::string& where);

// Throws Error naming file and line.
LabelFile read_label_file(const std::string& path);

// The labels of an idx file of pictures by the custom of MNIST: train-images-idx3-ubyte.gz has
// train-labels-idx1-ubyte.gz (or without .gz) beside it. Nothing if there is none.
std::optional<std::string> labels_beside(const std::string& images);

}  // namespace atelier
