// The stream, its blocks, and lists of names.
#include "data/picture_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "data/prepared_items.h"
#include "data/tsv.h"

namespace atelier {

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* end = text.data() + text.size();
  auto [slash, error] = std::from_chars(text.data(), end, shard.index);
  bool read = error == std::errc{} && slash != end && *slash == '/';
  if (read) {
    auto [last, count_error] = std::from_chars(slash + 1, end, shard.count);
    read = count_error == std::errc{} && last == end;
  }
  if (!read || shard.index < 1 || shard.index > shard.count) {
    throw UsageError(
        fmt::format("--shard '{}': expected K/N with K from 1 to N, such as 2/16", text));
  }
  return shard;
}

ItemRange range_of(const Shard& shard, std::span<const std::string> sources,
                   const ReadOptions& options) {
  if (shard.count == 1) return {};
  if (options.limit > 0) throw UsageError("--shard and --limit exclude each other");
  std::int64_t total = 0;
  for (Input& input : identify_all(sources, options)) {
    if (input.file || input.reader) {
      throw UsageError(
          fmt::format("--shard: {} can be read once only, and its pictures must be counted first",
                      input.source));
    }
    if (!input.fault.empty()) {
      ++total;
      continue;
    }
    std::unique_ptr<CheckedSource> source = open_input(std::move(input), options);
    std::int64_t count = source->expected();
    if (count < 0) {
      while (source->pass()) {
      }
      count = source->met();
    }
    total += count;
  }
  // Split without the product, which might be too large.
  auto begin = [&](std::int64_t block) {
    return total / shard.count * block + std::min(total % shard.count, block);
  };
  return {begin(shard.index - 1), begin(shard.index)};
}

struct PictureReader::Impl {
  PreparedItems items;
};

PictureReader::PictureReader(std::span<const std::string> sources, const ReadOptions& options,
                             ItemRange range)
    : PictureReader(identify_all(sources, options), options, range) {}
PictureReader::PictureReader(std::vector<Input> inputs, const ReadOptions& options, ItemRange range)
    : impl_(new Impl{PreparedItems(std::move(inputs), options, range)}) {}
PictureReader::~PictureReader() = default;

bool PictureReader::next(Item& item) {
  if (!impl_->items.next(item)) return false;
  const std::string& source = impl_->items.source();
  if (item.name == as_utf8(file_name_of(source))) item.name = as_utf8(source);
  return true;
}
std::int64_t PictureReader::place() const { return impl_->items.place(); }
const std::string& PictureReader::source() const { return impl_->items.source(); }
bool PictureReader::has_labels() const { return impl_->items.has_labels(); }
const std::vector<std::string>& PictureReader::label_names() const {
  return impl_->items.label_names();
}
Attributes PictureReader::preprocess(std::int64_t height, std::int64_t width,
                                     std::int64_t channels) const {
  return impl_->items.preprocess(height, width, channels);
}
std::int64_t PictureReader::given() const { return impl_->items.given(); }
std::int64_t PictureReader::skipped() const { return impl_->items.skipped(); }

std::vector<std::string> read_names(const std::string& list, bool zero_ended) {
  const std::string name = input_name(list);
  Descriptor file = list == "-" ? Descriptor() : open_read(list);
  std::string text;
  char block[65536];
  while (std::size_t n = read_some(file ? file.get() : STDIN_FILENO,
                                   std::as_writable_bytes(std::span(block)), name))
    text.append(block, n);
  const char end = zero_ended ? '\0' : '\n';
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t stop = std::min(text.find(end, at), text.size());
    std::string entry = text.substr(at, stop - at);
    at = stop + 1;
    if (entry.empty()) continue;
    if (!zero_ended && entry.find('\0') != entry.npos)
      throw Error(fmt::format("{}: holds zero bytes; --null if they end the names", name));
    names.push_back(entry == "-" ? "./-" : std::move(entry));
  }
  if (names.empty()) throw Error(fmt::format("{}: names no pictures", name));
  return names;
}

}  // namespace atelier
