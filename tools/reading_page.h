// What programs that read or draw data refuse alike.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/tool.h"
#include "data/dataset.h"

namespace atelier {

// Options of what is drawn beside data that are read, and the other way round, as far as they were
// typed: a variable or a file may serve several calls.
inline void refuse_idle_reading(const Tool& tool, const ReadOptions& reading) {
  bool drawn = !reading.synthetic.empty() || reading.data_format == "synthetic";
  for (const char* flag : {"--synthetic-count", "--synthetic-seed"}) {
    if (!drawn && tool.typed(flag)) throw UsageError(std::string(flag) + " goes with --synthetic");
  }
  if (!drawn) return;
  if (tool.typed("--data-format") && reading.data_format != "synthetic")
    throw UsageError("--data-format " + reading.data_format +
                     " and --synthetic exclude each other");
  for (const char* flag : {"--dataset", "--label-dataset", "--on-error", "--crop", "--filter",
                           "--background", "--value-range", "--max-pixels", "--max-side"}) {
    if (tool.typed(flag))
      throw UsageError(std::string(flag) + ": --synthetic draws and reads nothing");
  }
}

}  // namespace atelier
