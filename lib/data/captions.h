// Captions of many pictures in little memory: one block of text and an index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

class CaptionTable {
 public:
  // A table with the header filepath<TAB>title (the columns may stand in any order among others);
  // paths are relative to `folder`. Throws Error("captions.tsv: ...") with the line: a row without
  // path or title, quotes that do not fit, a title that is not UTF-8, a second row for a picture:
  // with `skip` the first one counts, and the others are warned of. Returns how many were skipped.
  std::int64_t add_tsv(std::string_view text, std::string_view folder, const std::string& name,
                       bool skip = false);
  // The text of the file `name` beside the picture of the same stem. Throws Error("a.txt: line 2:
  // ...") if it is not UTF-8.
  void add_text(std::string_view path, std::string_view text, const std::string& name);

  bool empty() const { return entries_.empty(); }
  // Of a picture by its path: from a table, else from a text file; empty: none.
  std::string_view find(std::string_view path) const;
  // Once all pictures of `source` have been looked up: one warning of rows that nobody asked for.
  void warn_unused(const std::string& source) const;

 private:
  void add(std::string_view key, std::string_view caption, bool from_table);
  struct Entry {
    std::uint64_t offset;
    std::uint32_t key, caption;  // lengths; the caption follows the key
    bool from_table, used;
  };
  std::int64_t refuse_repeated(std::size_t first, std::span<const int> lines,
                               const std::string& name, bool skip);
  std::string_view key_of(const Entry& entry) const;
  std::string_view find_key(std::string_view key) const;
  std::string text_;
  mutable std::vector<Entry> entries_;
  mutable bool sorted_ = false;
};

}  // namespace atelier
