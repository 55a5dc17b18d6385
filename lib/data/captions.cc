// The caption index.
#include "data/captions.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "data/source.h"

namespace atelier {
namespace {

// Splits off the part before `separator` (all if there is none).
std::string_view take(std::string_view& text, char separator) {
  std::size_t end = text.find(separator);
  std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

struct Columns {
  int path = -1, title = -1;
};

Columns header_columns(std::string_view header) {
  Columns columns;
  for (int i = 0; !header.empty(); ++i) {
    std::string_view word = take(header, '\t');
    if (word == "filepath") columns.path = i;
    if (word == "title") columns.title = i;
  }
  return columns;
}

}  // namespace

void CaptionTable::add(std::string_view key, std::string_view caption) {
  entries_.push_back({text_.size(), std::uint32_t(key.size()), std::uint32_t(caption.size())});
  text_.append(key).append(caption);
  sorted_ = false;
}

void CaptionTable::add_tsv(std::string_view text, std::string_view folder,
                           const std::string& name) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  Columns columns = header_columns(without_return(take(text, '\n')));
  if (columns.path < 0 || columns.title < 0) {
    throw Error(name + ": line 1: expected the header filepath<TAB>title");
  }
  text_.reserve(text_.size() + text.size());
  std::string path;
  for (int line = 2; !text.empty(); ++line) {
    std::string_view row = without_return(take(text, '\n'));
    if (row.empty()) continue;
    path.clear();
    std::string_view title;
    int column = 0;
    for (; !row.empty(); ++column) {
      std::string_view cell = take(row, '\t');
      if (column == columns.path) path = cell;
      if (column == columns.title) title = cell;
    }
    if (path.empty() || column <= columns.path) {
      throw Error(fmt::format("{}: line {}: expected a path and a title", name, line));
    }
    if (path.starts_with("./")) path.erase(0, 2);
    if (!folder.empty()) path = fmt::format("{}/{}", folder, path);
    add(path, title);
  }
}

void CaptionTable::add_text(std::string_view path, std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return;
  std::string caption(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
  caption.erase(std::remove(caption.begin(), caption.end(), '\r'), caption.end());
  std::replace(caption.begin(), caption.end(), '\n', ' ');
  add(without_suffix(path), caption);
}

std::string_view CaptionTable::key_of(const Entry& entry) const {
  return std::string_view(text_).substr(entry.offset, entry.key);
}

std::string_view CaptionTable::find_key(std::string_view key) const {
  auto found = std::lower_bound(
      entries_.begin(), entries_.end(), key,
      [this](const Entry& entry, std::string_view wanted) { return key_of(entry) < wanted; });
  if (found == entries_.end() || key_of(*found) != key) return {};
  return std::string_view(text_).substr(found->offset + found->key, found->caption);
}

std::string_view CaptionTable::find(std::string_view path) const {
  if (!sorted_) {
    std::stable_sort(entries_.begin(), entries_.end(),
                     [this](const Entry& a, const Entry& b) { return key_of(a) < key_of(b); });
    sorted_ = true;
  }
  std::string_view caption = find_key(path);
  return caption.empty() ? find_key(without_suffix(path)) : caption;
}

}  // namespace atelier
