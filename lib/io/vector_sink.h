// Where vectors go as they are made: HDF5, npy, fvecs, CSV or JSON Lines; memory holds the names.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/vectors.h"

namespace atelier {

struct VectorSinkOptions {
  std::string output = "-";  // "-" is standard output
  std::string format =
      {};  // hdf5 npy fvecs csv jsonl; empty: by the suffix of output, hdf5 for "-"
  // hdf5: "ann-benchmarks" adds the names under which that suite's readers look.
  std::string layout = "atelier";
  bool header = true;  // csv: the line that names the columns
  bool force = false;  // binary to a terminal
};

// The one that the options ask for. UsageError if the suffix says nothing, or for a layout or dtype
// that the format cannot hold.
std::string format_of(const VectorSinkOptions& options, const std::string& dtype = "f32");

// One row. What a format has no place for is left out: npy and fvecs hold numbers alone.
struct VectorRow {
  std::span<const float> values;
  std::string_view id = {};
  std::int32_t label = -1;           // -1: none
  std::string_view label_name = {};  // what CSV and JSON Lines call the class; empty: its number
};

// Files appear whole or not at all; on standard output text and fvecs flow, hdf5 and npy come at
// the end.
class VectorSink {
 public:
  // Of `about` dim, dtype and normalized are looked at now, the rest by finish(). With `labelled`
  // each row has a label, otherwise none has.
  VectorSink(VectorSinkOptions options, const Vectors& about, bool labelled);
  ~VectorSink();
  // Text is passed on at the end of each call. Error("v.h5: row 7 (cat.png) holds nan, ..") as for
  // write_vectors, and for values that f16 does not reach.
  void add(std::span<const VectorRow> rows);
  void finish(const Vectors& about);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier
