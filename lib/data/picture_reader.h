// Pictures of any sources as a stream with flat memory, all of it or a range: what filters read.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace atelier {

struct Input;  // data/input.h

// Block `index` of `count` blocks, from 1, as `split --number=K/N` has them.
struct Shard {
  std::int64_t index = 1, count = 1;
};
Shard parse_shard(const std::string& text);  // "2/16"; UsageError

// The places of a block; blocks differ by one picture at most. Looks at all sources first:
// UsageError for a pipe, which could not be read again.
ItemRange range_of(const Shard& shard, std::span<const std::string> sources,
                   const ReadOptions& options);

class PictureReader {
 public:
  PictureReader(std::span<const std::string> sources, const ReadOptions& options,
                ItemRange range = {});
  PictureReader(std::vector<Input> inputs, const ReadOptions& options, ItemRange range = {});
  ~PictureReader();

  // The next picture, prepared as the options say; false at the end. A file that was named itself
  // has that name; in folders, archives and HDF5 files names are those of data-pack.
  bool next(Item& item);
  std::int64_t place() const;         // of the picture given last
  const std::string& source() const;  // likewise
  bool has_labels() const;
  const std::vector<std::string>& label_names() const;  // of the sources met so far
  // What was done to the pictures, or would be to those of this shape if none was given.
  Attributes preprocess(std::int64_t height, std::int64_t width, std::int64_t channels) const;
  std::int64_t given() const;
  std::int64_t skipped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Names of sources, one a line, or each ended by a zero byte; "-" is standard input. Error for a
// list that names nothing.
std::vector<std::string> read_names(const std::string& list, bool zero_ended);

}  // namespace atelier
