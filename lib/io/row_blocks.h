// Blocks of a run that --shard divided: rows that stand for a part of a set, and whose places in it
// /config says as "2/3", or "1-2/3" of blocks that were put together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fields.h"

namespace atelier {

struct RowBlocks {
  std::int64_t first = 1, last = 1, count = 1;  // from 1

  bool whole() const { return first == 1 && last == count; }
};

std::string to_text(const RowBlocks& blocks);  // "2/3", "1-2/3"
// Of a file's /config; none: its rows are a set of their own. Error naming the file for a text that
// is none of these.
std::optional<RowBlocks> row_blocks(const Attributes& config, const std::string& file);
// Sets or, of all blocks or none, removes the attribute.
void set_row_blocks(Attributes& config, const std::optional<RowBlocks>& blocks);
// Whether an attribute of this name is about blocks, not about what the rows are.
bool is_row_blocks(const std::string& field);

// `config` of rows, after which those of `part` come, out of `file`, says what both are. Error
// unless blocks follow each other: "p.h5: is block 3/3, but 2/3 is to follow".
void append_row_blocks(Attributes& config, const Attributes& part, const std::string& file);

}  // namespace atelier
