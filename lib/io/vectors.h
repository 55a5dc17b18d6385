// Files of kind vectors: what encoders say of pictures or texts, one row each. atelier-hdf5(5).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "io/hdf5.h"

namespace atelier {

inline constexpr const char* kDrawn = "drawn";  // field of config

struct Vectors {
  std::int64_t dim = 0;
  std::vector<float> values;                  // [N, dim], finite
  std::string dtype = "f32";                  // f32 or f16: what files hold
  std::string metric = "cosine";              // cosine, l2 or ip: how two of them are compared
  bool normalized = false;                    // rows have length 1
  std::string model;                          // what made them
  std::vector<std::int32_t> labels;           // [N], classes from 0; empty: none
  std::vector<std::string> ids, label_names;  // [N]; [classes]; empty: none
  Attributes config, preprocess, inputs;      // the groups of these names; empty: none

  std::int64_t size() const { return dim > 0 ? std::int64_t(values.size()) / dim : 0; }
  // Whether a generative model drew them: they are data like those that it was trained on, whoever
  // had made these, and no latents of its own.
  bool drawn() const;
};

// "-" is standard output; a terminal there is refused unless `force`. Both throw Error("x.h5: ..")
// for counts that disagree, values that are not finite, labels outside the names of classes, an
// unknown metric, and rows that are called normalized and are not. Rows by the million are better
// given to a VectorSink as they come.
void write_vectors(const std::string& output, const Vectors& vectors, bool force = false);
// The dataset /vectors of a file of this kind; Error unless it is f32 or f16 [N,D], D >= 1.
DatasetInfo describe_vectors(const Hdf5Reader& file);
// Every dataset is compared with its checksum.
Vectors read_vectors(const Hdf5Reader& file);

// The parts of a file or, for "-", of standard input, one after another: each image of a stream.
void for_each_vectors(const std::string& input,
                      const std::function<void(const std::string& name, Vectors part)>& give);
// The same of an open file, from where it stands; `name` for messages.
void for_each_vectors(int file, const std::string& name,
                      const std::function<void(const std::string& name, Vectors part)>& give);
// Makes `part` a continuation of `all`, of which it looks at everything but the rows: a label is
// renumbered to the class of its name, the names of new classes are added to `all`, as are digests
// of data (sums modulo 2^64). Throws Error("b.h5: ..") if the two differ in what made them, and for
// blocks of a divided run that do not follow each other (row_blocks.h).
void join_vectors(Vectors& all, Vectors& part, const std::string& name);
// All parts as one, labels and ids as well: all of them or none must have some.
Vectors read_all_vectors(const std::string& input);
Vectors read_all_vectors(int file, const std::string& name);

}  // namespace atelier
