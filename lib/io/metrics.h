// Metrics as JSON Lines: one object a record, flushed at once.
#pragma once

#include <cstdint>
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

// Error if `path` is a file that holds something and does not begin as the records of a run do.
// Neither "-" nor what is no plain file holds anything.
void require_records(const std::string& path);

// Takes records whose "step" is beyond `step`, and a last line cut short by a kill, out of a file
// of records; nothing if there is no such file. The rest stays as it was, byte for byte.
void remove_records_after(const std::string& path, std::int64_t step);

std::string to_json_line(const Attributes& values);  // non-finite numbers as null

}  // namespace atelier
