// Several sources as one stream of equal pictures with one set of labels.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/prepare.h"
#include "data/source.h"

namespace atelier {

class PreparedItems {
 public:
  PreparedItems(std::vector<Input> inputs, const ReadOptions& options, ItemRange range = {});

  // False at the end, of the range too, or at the limit. Labels are numbered over all sources:
  // classes of the same name are one. Throws Error if a source holds no picture, or if only some
  // have labels.
  bool next(Item& item);

  const Preparer& preparer() const { return preparer_; }
  // What was done to the pictures; of one packed file whose shape stays, what its makers did.
  Attributes preprocess() const { return preprocess_of(preparer_); }
  // The same of pictures of this shape, if none was given.
  Attributes preprocess(std::int64_t height, std::int64_t width, std::int64_t channels) const;
  // What holds of all items, of latents; the Error of require_same_space() if sources differ.
  const std::optional<LatentSpace>& latents() const { return latents_; }
  const std::vector<std::string>& label_names() const { return label_names_; }
  bool has_labels() const { return has_labels_; }
  bool has_captions() const { return has_captions_; }
  std::int64_t expected() const;  // items of the current source, at most the limit; -1: unknown
  const std::string& source() const { return source_->source(); }  // of the item given last
  std::int64_t skipped() const;
  std::int64_t given() const { return given_; }
  std::int64_t place() const { return met() - 1; }  // of the item given last
  std::int64_t without_caption() const { return without_caption_; }
  std::uint64_t digest() const { return digest_; }  // of the pictures before preparation

 private:
  void enter(std::unique_ptr<CheckedSource> source);
  bool leave();  // to the next source; false if there is none
  std::int64_t met() const { return met_before_ + (source_ ? source_->met() : 0); }
  void count(const Item& item);
  Attributes preprocess_of(const Preparer& preparer) const;

  ReadOptions options_;
  Preparer preparer_;
  std::vector<Input> inputs_;
  std::size_t next_input_ = 0;
  std::unique_ptr<CheckedSource> source_;
  std::vector<std::int32_t> relabel_;  // label of the source -> label of the set; empty: the same
  std::vector<std::string> label_names_;
  std::string first_source_, noun_;
  Attributes stored_preprocess_;        // of the first source
  std::optional<LatentSpace> latents_;  // likewise
  bool has_labels_ = false, has_captions_ = false;
  ItemRange range_;
  std::int64_t met_before_ = 0;  // in sources that were left
  std::int64_t given_ = 0, skipped_ = 0, without_caption_ = 0;
  std::uint64_t digest_ = 0;
};

}  // namespace atelier
