// The caption index.
#include "data/captions.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/log.h"
#include "data/source.h"
#include "data/tsv.h"

namespace atelier {
namespace {

constexpr std::size_t kNone = std::size_t(-1);

std::size_t column_of(std::span<const std::string> header, std::string_view name) {
  auto found = std::find(header.begin(), header.end(), name);
  return found == header.end() ? kNone : std::size_t(found - header.begin());
}

// A caption is one line of text.
std::string one_line(std::string_view text) {
  std::string line(text);
  line.erase(std::remove(line.begin(), line.end(), '\r'), line.end());
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

void CaptionTable::add(std::string_view key, std::string_view caption, bool from_table) {
  entries_.push_back({text_.size(), std::uint32_t(key.size()), std::uint32_t(caption.size()),
                      from_table, /*used=*/false});
  text_.append(key).append(caption);
  sorted_ = false;
}

// Of the entries from `first` on, which the table `name` has in these lines.
std::int64_t CaptionTable::refuse_repeated(std::size_t first, std::span<const int> lines,
                                           const std::string& name, bool skip) {
  std::vector<std::uint32_t> rows(lines.size());
  std::iota(rows.begin(), rows.end(), 0U);
  auto key = [&](std::uint32_t row) { return key_of(entries_[first + row]); };
  std::ranges::stable_sort(rows, {}, key);
  std::int64_t skipped = 0;
  for (std::size_t i = 1, kept = 0; i < rows.size(); ++i) {
    if (key(rows[i]) != key(rows[kept])) {
      kept = i;
      continue;
    }
    std::string message = fmt::format("{}: line {}: a second title of {}, which has one in line {}",
                                      name, lines[rows[i]], key(rows[i]), lines[rows[kept]]);
    if (!skip) throw Error(message);
    logging::warning(message + " (skipped)");
    ++skipped;
  }
  return skipped;
}

std::int64_t CaptionTable::add_tsv(std::string_view text, std::string_view folder,
                                   const std::string& name, bool skip) {
  const std::size_t first = entries_.size();
  std::vector<int> lines;
  std::size_t path_column = kNone, title_column = kNone;
  std::string path;
  text_.reserve(text_.size() + text.size());
  read_tsv(text, name, [&](std::span<const std::string> cells, int line) {
    if (path_column == kNone) {
      path_column = column_of(cells, "filepath");
      title_column = column_of(cells, "title");
      if (path_column != kNone && title_column != kNone) return;
      throw Error(fmt::format("{}: line {}: expected the header filepath<TAB>title", name, line));
    }
    if (std::max(path_column, title_column) >= cells.size() || cells[path_column].empty()) {
      throw Error(fmt::format("{}: line {}: expected a path and a title", name, line));
    }
    if (!is_utf8(cells[title_column])) {
      throw Error(fmt::format("{}: line {}: expected a title in UTF-8", name, line));
    }
    path = cells[path_column];
    if (path.starts_with("./")) path.erase(0, 2);
    if (!folder.empty()) path = fmt::format("{}/{}", folder, path);
    add(path, one_line(cells[title_column]), /*from_table=*/true);
    lines.push_back(line);
  });
  if (path_column == kNone) {
    throw Error(name + ": line 1: expected the header filepath<TAB>title");
  }
  return refuse_repeated(first, lines, name, skip);
}

void CaptionTable::add_text(std::string_view path, std::string_view text, const std::string& name) {
  std::size_t valid = utf8_prefix(text);
  if (valid < text.size()) {
    throw Error(
        fmt::format("{}: line {}: expected a caption in UTF-8", name,
                    1 + std::count(text.begin(), text.begin() + std::ptrdiff_t(valid), '\n')));
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  constexpr std::string_view kSpace = " \t\r\n";
  std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return;
  text = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  add(without_suffix(path), one_line(text), /*from_table=*/false);
}

std::string_view CaptionTable::key_of(const Entry& entry) const {
  return std::string_view(text_).substr(entry.offset, entry.key);
}

std::string_view CaptionTable::find_key(std::string_view key) const {
  auto found = std::lower_bound(
      entries_.begin(), entries_.end(), key,
      [this](const Entry& entry, std::string_view wanted) { return key_of(entry) < wanted; });
  if (found == entries_.end() || key_of(*found) != key) return {};
  for (auto same = found; same != entries_.end() && key_of(*same) == key; ++same) {
    same->used = true;
  }
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

void CaptionTable::warn_unused(const std::string& source) const {
  std::int64_t unused = 0;
  std::string_view first;
  for (const Entry& entry : entries_) {
    if (!entry.from_table || entry.used) continue;
    if (unused++ == 0) first = key_of(entry);
  }
  if (unused == 0) return;
  logging::warning(fmt::format("{}: {} of captions.tsv {} no picture here, such as {}", source,
                               unused == 1 ? "1 row" : fmt::format("{} rows", unused),
                               unused == 1 ? "has" : "have", first));
}

}  // namespace atelier
