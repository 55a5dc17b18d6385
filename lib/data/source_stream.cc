// Concatenated pictures of any formats, from standard input or a file; one picture is a stream too.
#include <fmt/format.h>

#include "base/error.h"
#include "data/picture_bounds.h"
#include "data/source.h"

namespace atelier {
namespace {

class PictureStream final : public CheckedSource {
 public:
  PictureStream(std::unique_ptr<ByteReader> reader, std::string source, const ReadOptions& options)
      : CheckedSource(source, options), piped_(reader), reader_(std::move(reader)) {
    if (!piped_) reader_ = std::make_unique<ByteReader>(open_read(source), source);
  }

 protected:
  bool advance(Item& item) override {
    while (!reader_->peek(1).empty() && is_line_end(reader_->peek(1)[0])) reader_->skip(1);
    if (reader_->peek(1).empty()) return false;
    item.name = fmt::format("index {}", index_++);
    std::size_t bytes = 0;
    try {
      bytes = picture_bytes(*reader_, std::size_t(options().limits.max_bytes));
    } catch (const Error& error) {  // nobody knows where the next one begins
      std::string reason = fmt::format("{} {}", item.name, error.what());
      if (piped_ || options().on_error != "skip")
        throw Error(fmt::format("{}: {}", source(), reason));
      // Of a file the rest is one bad item, and the next file may be whole.
      fault_ = reason;
      item.name.clear();
      for (auto rest = reader_->peek(1); !rest.empty(); rest = reader_->peek(1))
        reader_->skip(rest.size());
      return true;
    }
    std::span<const std::byte> seen = reader_->peek(bytes);
    bytes_.assign(seen.begin(), seen.begin() + std::ptrdiff_t(bytes));
    reader_->skip(bytes);
    // A file with one picture gives it its own name.
    if (index_ == 1 && !piped_ && reader_->peek(1).empty()) {
      item.name = file_name_of(source());
    }
    return true;
  }
  void load(Item& item) override {
    if (!fault_.empty()) throw Error(fault_);
    item.picture = decode_picture(bytes_, options().limits);
  }

 private:
  static bool is_line_end(std::byte byte) { return byte == std::byte{'\n'}; }
  bool piped_;
  std::unique_ptr<ByteReader> reader_;
  std::vector<std::byte> bytes_;
  std::string fault_;
  std::int64_t index_ = 0;
};

}  // namespace

std::unique_ptr<CheckedSource> open_pictures(std::unique_ptr<ByteReader> reader, std::string source,
                                             const ReadOptions& options) {
  return std::make_unique<PictureStream>(std::move(reader), std::move(source), options);
}

}  // namespace atelier
