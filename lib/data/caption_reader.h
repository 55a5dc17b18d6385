// Captions of a data set as the numbers that models see: rows of tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/tokenizer.h"

namespace atelier {

struct CaptionReaderOptions {
  std::int64_t context_length = 77;  // tokens of a row, start and end included
  double caption_drop = 0;           // probability that a caption loses clauses (clauses.h)
  std::int64_t seed = 0;
};

// The data set must outlive it. May be used from several threads.
class CaptionReader {
 public:
  // Warns once of captions that do not fit and are cut, with their number. Throws Error if the
  // data set has no captions, UsageError for options out of range.
  CaptionReader(const Dataset& dataset, Tokenizer tokenizer, CaptionReaderOptions options);
  // The same without leaving out clauses: for held-out pictures of the same set.
  CaptionReader whole() const;

  const Tokenizer& tokenizer() const { return tokenizer_; }
  std::int64_t context_length() const { return options_.context_length; }
  // The row [context_length] of an example; which clauses it has is a function of (seed, epoch,
  // example).
  void write(std::int64_t example, std::int64_t epoch, std::span<std::int32_t> row) const;
  std::string text(std::int64_t example, std::int64_t epoch) const;  // that the row says

 private:
  const Dataset* dataset_;
  Tokenizer tokenizer_;
  CaptionReaderOptions options_;
};

bool has_caption(const Dataset& dataset, std::int64_t index);  // more than white space
// Takes the pictures without a caption out of `indices` and returns how many there were; or, unless
// `skip`, throws Error naming the first of them and their number. Error also if none is left.
std::int64_t require_captions(const Dataset& dataset, std::vector<std::int64_t>& indices,
                              bool skip);

std::string caption_digest(const Dataset& dataset);  // 16 hex digits: files record it

}  // namespace atelier
