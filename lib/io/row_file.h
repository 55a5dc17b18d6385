// What files of kinds vectors and latents share: rows of numbers with their labels, names and
// origins. Private to this floor.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/vector_sink.h"

namespace atelier {

// What each row of a file keeps to.
struct RowRules {
  std::string file;           // for messages
  std::int64_t size = 0;      // numbers of a row
  std::string dtype = "f32";  // or f16
  bool labelled = false;      // each row has a label; otherwise none has
  bool normalized = false;    // rows have length 1
};

// Error("v.h5: row 7 (cat.png) holds nan, ..") for a row that does not, or that holds numbers which
// are not finite or which f16 does not reach; `index` for messages.
void require_row(const RowRules& rules, const VectorRow& row, std::int64_t index);

// The numbers as files of this type hold them, of f16 in `halves`.
std::span<const std::byte> as_stored(std::span<const float> values, const std::string& dtype,
                                     std::vector<std::uint16_t>& halves);

// What goes beside the rows; empty parts are left out.
struct RowOrigins {
  const Attributes &config, &preprocess, &inputs;
  const std::vector<std::string>& label_names;
};

// An HDF5 file of rows that come one after another; memory holds their names.
class RowFile {
 public:
  // `kind` is the name of the dataset too; rows of `row_dims` fill it.
  RowFile(const std::string& output, const std::string& kind, RowRules rules,
          std::span<const std::int64_t> row_dims, bool force);
  void add(const VectorRow& row);  // one that keeps to the rules
  // All but commit(): more may be written before it.
  Hdf5Writer& finish(const Attributes& of_rows, const RowOrigins& origins);

 private:
  std::string path_;
  RowRules rules_;
  Hdf5Writer file_;
  Hdf5Writer::Rows rows_;
  std::optional<Hdf5Writer::Rows> labels_;
  std::vector<std::string> ids_;
  bool named_ = false;  // some row has a name
  std::vector<std::uint16_t> halves_;
};

}  // namespace atelier
