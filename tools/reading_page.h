// What programs that read or draw data refuse alike, as far as it was typed: a variable or a file
// may serve several calls.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/tool.h"
#include "data/dataset.h"

namespace atelier {

// Options of what is drawn, beside data that are read.
inline void refuse_idle_drawing(const Tool& tool, const ReadOptions& reading) {
  if (reading.draws()) return;
  for (const char* flag : {"--synthetic-count", "--synthetic-seed"}) {
    if (tool.typed(flag)) throw UsageError(std::string(flag) + " goes with --synthetic");
  }
}

// The other way round, where nothing is read beside what is drawn.
inline void refuse_idle_reading(const Tool& tool, const ReadOptions& reading) {
  if (!reading.draws()) return;
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
