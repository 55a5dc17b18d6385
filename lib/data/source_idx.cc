// Pictures from idx files: rank 3 grey [N,H,W], rank 4 [N,H,W,C].
#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "data/idx.h"
#include "data/source.h"

namespace atelier {
namespace {

constexpr std::uint8_t kU8 = 0x08;

class IdxSource final : public CheckedSource {
 public:
  IdxSource(Descriptor file, const std::string& path, const ReadOptions& options)
      : CheckedSource(path, options),
        piped_(file),
        reader_(piped_ ? std::move(file) : open_read(path), path),
        dims_(reader_.dims()) {
    if (reader_.type() != kU8 || (dims_.size() != 3 && dims_.size() != 4)) {
      throw Error(
          fmt::format("{}: expected pictures (u8, type 0x08, rank 3 or 4), found type "
                      "0x{:02x}, rank {}",
                      path, reader_.type(), dims_.size()));
    }
    if (dims_.size() == 3) dims_.push_back(1);
    if (dims_[0] == 0) return;  // "no pictures found" is said by the one who reads
    if (dims_[1] < 1 || dims_[2] < 1 || dims_[3] < 1 ||
        dims_[1] * dims_[2] > options.limits.max_pixels || dims_[3] > 4096) {
      throw Error(fmt::format("{}: is damaged, its header says pictures of {}x{}x{}", path,
                              dims_[1], dims_[2], dims_[3]));
    }
    if (!options.labels.empty() || piped_) return;
    if (std::optional<std::string> beside = labels_beside(path)) {
      labels_ = read_label_file(*beside);
      if (std::int64_t(labels_.values.size()) != dims_[0]) {
        throw Error(fmt::format("{}: has {} labels, but {} has {} pictures", labels_.path,
                                labels_.values.size(), path, dims_[0]));
      }
    }
  }
  std::int64_t expected() const override { return dims_[0]; }

 protected:
  bool advance(Item& item) override {
    if (index_ == dims_[0]) {
      reader_.expect_end();
      return false;
    }
    item.name = fmt::format("index {}", index_);
    item.picture = {.height = dims_[1], .width = dims_[2], .channels = dims_[3], .pixels = {}};
    item.picture.pixels.resize(std::size_t(dims_[1] * dims_[2] * dims_[3]));
    item.data_channels = true;
    reader_.read(std::as_writable_bytes(std::span(item.picture.pixels)));
    if (!labels_.values.empty()) item.label = labels_.values[std::size_t(index_)];
    ++index_;
    return true;
  }
  void load(Item&) override {}
  bool own_labels() const override { return !labels_.values.empty(); }
  std::vector<std::string> own_label_names() const override { return labels_.names; }

 private:
  bool piped_;  // nothing lies beside a pipe
  IdxReader reader_;
  std::vector<std::int64_t> dims_;
  LabelFile labels_;
  std::int64_t index_ = 0;
};

}  // namespace

std::unique_ptr<CheckedSource> open_idx(Descriptor file, std::string source,
                                        const ReadOptions& options) {
  return std::make_unique<IdxSource>(std::move(file), source, options);
}

}  // namespace atelier
