// Metrics as JSON Lines: one object a record, flushed at once.
#pragma once

#include <string>

#include "base/fields.h"
#include "base/file.h"

namespace atelier {

// Appends to a file, or writes to standard output ("-"). A broken pipe there ends the output
// quietly (losing tee must not lose the run); a full disk is an Error.
class MetricsWriter {
 public:
  MetricsWriter() = default;  // writes nothing
  explicit MetricsWriter(const std::string& output);
  void record(const Attributes& values);
  explicit operator bool() const { return bool(file_) || standard_output_; }

 private:
  Descriptor file_;
  std::string name_;
  bool standard_output_ = false;
};

std::string to_json_line(const Attributes& values);  // non-finite numbers as null

}  // namespace atelier
