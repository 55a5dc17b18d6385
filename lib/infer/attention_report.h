// What attention does, as a table for programs and a picture for people.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "data/dataset.h"
#include "infer/infer.h"

namespace atelier {

class AttentionReport {
 public:
  static constexpr std::int64_t kPicturesShown = 8;
  // `table`: TSV, or a plot if the name ends in .svg; "-" is standard output. `maps`: PNG of the
  // first kPicturesShown pictures, one a row: the picture, then a map for each layer, white where
  // it looks most. Empty: not wanted. Error("x.h5: this model has no attention").
  AttentionReport(const Loaded& model, std::string table, std::string maps);
  ~AttentionReport();
  void add(std::span<const Item> items, std::span<const std::int64_t> places);
  // Columns: layer (from 1), distance (pixels, mean over heads), head1, head2 ..
  void finish();
  // "attention: 3.1 pixels in layer 1, 8.2 in layer 6, rank correlation with depth 0.94"
  std::string summary() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier
