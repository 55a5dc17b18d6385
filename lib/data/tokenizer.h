// Text to numbers: byte pair encoding (Sennrich et al. 2016, arXiv:1508.07909) as SentencePiece
// does it (Kudo and Richardson 2018, arXiv:1808.06226), trained on the captions themselves.
//
// Before anything else a text is brought to Unicode's form NFKC, its case is folded, controls are
// removed and white space becomes single spaces, none at the ends: "Pixel  ART" is "pixel art".
// Characters that the vocabulary lacks are spelled in bytes of UTF-8, so that no text is unknown;
// what is not UTF-8 counts as U+FFFD.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

// Copies share what they hold; all functions may be called from several threads.
class Tokenizer {
 public:
  // The same texts in the same order give the same bytes(). `vocab_size` counts all ids, and is the
  // most there may be: texts that do not fill it get what they fill. A word teaches by its first
  // 4,096 bytes. UsageError if the 256 bytes, the three marks and the characters of the texts do
  // not fit in; Error if there is no text.
  static Tokenizer train(std::span<const std::string> texts, std::int64_t vocab_size);
  // From bytes() of another; any model of SentencePiece will do whose token 0 is no word. Throws
  // Error("clip.h5: ..") with the `name` given for messages.
  Tokenizer(std::span<const std::byte> bytes, const std::string& name);

  std::span<const std::byte> bytes() const;  // for checkpoints: a model file of SentencePiece
  // Ids are 0 for padding, which is no word, then words and parts of words, start and end of text.
  std::int64_t vocab_size() const;
  std::int32_t start() const { return std::int32_t(vocab_size() - 2); }
  std::int32_t end() const { return std::int32_t(vocab_size() - 1); }  // the largest id

  std::vector<std::int32_t> encode(std::string_view text) const;  // without start and end
  std::string decode(std::span<const std::int32_t> ids) const;  // marks and padding leave no trace

  // A whole row [T], T >= 2: start, the text, end, then zeros. A text that does not fit is cut at
  // its end, the mark of the end stays. False: it was cut.
  bool write(std::string_view text, std::span<std::int32_t> row) const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace atelier
