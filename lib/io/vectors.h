// Files of kind vectors: what encoders say of pictures or texts, one row each. atelier-hdf5(5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fields.h"
#include "io/hdf5.h"

namespace atelier {

struct Vectors {
  std::int64_t dim = 0;
  std::vector<float> values;                  // [N, dim], finite
  std::string metric = "cosine";              // cosine, l2 or ip: how two of them are compared
  bool normalized = false;                    // rows have length 1
  std::string model;                          // what made them
  std::vector<std::int32_t> labels;           // [N], classes from 0; empty: none
  std::vector<std::string> ids, label_names;  // [N]; [classes]; empty: none
  Attributes config, preprocess, inputs;      // the groups of these names; empty: none

  std::int64_t size() const { return dim > 0 ? std::int64_t(values.size()) / dim : 0; }
};

// "-" is standard output; a terminal there is refused unless `force`. Both throw Error("x.h5: ..")
// for counts that disagree, values that are not finite, labels outside the names of classes, an
// unknown metric, and rows that are called normalized and are not.
void write_vectors(const std::string& output, const Vectors& vectors, bool force = false);
// Every dataset is compared with its checksum.
Vectors read_vectors(const Hdf5Reader& file);

}  // namespace atelier
