// Pictures in HDF5 files (our kind images, or any dataset [N,H,W] or [N,H,W,C]), and our vectors
// and latents.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "data/hdf5_images.h"
#include "data/source.h"

namespace atelier {
namespace {

class Hdf5Source final : public CheckedSource {
 public:
  Hdf5Source(std::vector<Hdf5Reader> files, std::string source, const ReadOptions& options)
      : CheckedSource(std::move(source), options), files_(std::move(files)) {
    for (const Hdf5Reader& file : files_) {
      expected_ += describe_images(file, options).count;
    }
    if (!files_.empty()) enter();
  }
  bool has_captions() const override { return !captions_.empty(); }
  std::int64_t expected() const override { return expected_; }
  std::string_view noun() const override { return images_.noun(); }
  std::optional<LatentSpace> latents() const override { return images_.latents; }
  Attributes stored_preprocess() const override {
    bool known = files_.size() == 1 && files_[0].has("/preprocess");
    return known ? files_[0].attributes("/preprocess") : Attributes{};
  }

 protected:
  bool advance(Item& item) override {
    while (!files_.empty() && row_ == images_.count) {
      if (++file_ == files_.size()) return false;
      bool labelled = own_labels(), captioned = has_captions();
      std::vector<std::string> names = label_names_;
      std::optional<LatentSpace> space = images_.latents;
      enter();
      if (space && images_.latents) {
        require_same_space(files_[file_].name(), *images_.latents, files_[0].name(), *space);
      }
      if (own_labels() != labelled || has_captions() != captioned || label_names_ != names) {
        throw Error(fmt::format("{}: labels or captions differ from those of {}",
                                files_[file_].name(), files_[0].name()));
      }
    }
    if (files_.empty()) return false;
    fill_block();
    std::size_t row = std::size_t(row_), pixels = std::size_t(images_.pixels());
    item.name = names_.empty() ? fmt::format("index {}", row_) : names_[row];
    item.picture = {.height = images_.height,
                    .width = images_.width,
                    .channels = images_.channels,
                    .pixels = {}};
    std::size_t first = (row - std::size_t(block_first_)) * pixels;
    if (images_.is_float) {
      item.values.assign(values_.data() + first, values_.data() + first + pixels);
    } else {
      item.picture.pixels.assign(block_.data() + first, block_.data() + first + pixels);
    }
    item.data_channels = true;
    item.real = images_.real;
    item.latent = images_.latents.has_value();
    if (!labels_.empty()) item.label = labels_[row];
    if (!captions_.empty()) item.caption = captions_[row];
    ++row_;
    return true;
  }
  // It is loaded already; looked at here, where a bad picture can be passed over.
  void load(Item& item) override {
    for (float v : item.values) {
      if (!std::isfinite(v)) throw Error(fmt::format("holds {}, values must be finite", v));
    }
  }
  bool own_labels() const override { return !labels_.empty(); }
  std::vector<std::string> own_label_names() const override { return label_names_; }

 private:
  void enter() {
    const Hdf5Reader& file = files_[file_];
    images_ = describe_images(file, options());
    check_pictures(file, images_, options().on_error == "skip");
    warn_of_channels_first(file, images_);
    Hdf5Annotations annotations = read_annotations(file, images_, options());
    labels_ = std::move(annotations.labels);
    label_names_ = std::move(annotations.label_names);
    captions_ = std::move(annotations.captions);
    names_ = std::move(annotations.names);
    row_ = block_first_ = block_count_ = 0;
  }

  void fill_block() {
    if (row_ < block_first_ + block_count_) return;
    block_first_ = row_;
    block_count_ = std::min(rows_at_once(images_), images_.count - row_);
    std::size_t elements = std::size_t(block_count_ * images_.pixels());
    if (images_.is_float) {
      values_.resize(elements);
      read_f32_rows(files_[file_], images_, block_first_, block_count_, values_);
    } else {
      block_.resize(elements);
      read_u8_rows(files_[file_], images_, block_first_, block_count_, block_);
    }
  }

  std::vector<Hdf5Reader> files_;
  std::size_t file_ = 0;
  Hdf5Images images_;
  std::vector<std::int32_t> labels_;
  std::vector<std::string> label_names_, captions_, names_;
  std::vector<std::uint8_t> block_;  // of whole numbers
  std::vector<float> values_;        // of floats
  std::int64_t block_first_ = 0, block_count_ = 0, row_ = 0, expected_ = 0;
};

}  // namespace

void open_hdf5_files(Input& input) {
  if (!input.hdf5.empty()) return;
  Descriptor file = input.file ? std::move(input.file) : open_read(input.source);
  Hdf5Stream stream(file.get(), input.source);
  while (std::optional<Hdf5Reader> file = stream.next()) input.hdf5.push_back(std::move(*file));
}

std::unique_ptr<CheckedSource> open_hdf5_items(std::vector<Hdf5Reader> files, std::string source,
                                               const ReadOptions& options) {
  return std::make_unique<Hdf5Source>(std::move(files), std::move(source), options);
}

}  // namespace atelier
