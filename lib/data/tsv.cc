// Tables by libcsv, line after line, because it does not say where a row began.
#include "data/tsv.h"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

#include "base/error.h"

namespace atelier {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& name) : name_(name) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
    csv_set_delim(&parser_, '\t');
    csv_set_space_func(&parser_, [](unsigned char) { return 0; });  // cells are as they stand
    csv_set_term_func(&parser_, [](unsigned char c) { return int(c == '\n'); });
  }
  ~Parser() { csv_free(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // Takes a line without its end; true if a row ends with it.
  bool take(std::string_view line) {
    ++line_;
    if (row_ended_) {
      if (line.empty()) return false;
      cells_.clear();
      first_line_ = line_;
      row_ended_ = false;
      // Where no cell begins with a quote, one inside (a 5" nail) is a letter like others.
      bool quoted = line.starts_with('"') || line.find("\t\"") != std::string_view::npos;
      csv_set_quote(&parser_, quoted ? '"' : '\0');
    }
    feed(line);
    feed("\n");
    return row_ended_;
  }
  void finish() {
    if (csv_fini(&parser_, add_cell, end_row, this) != 0) fail("its last quote is not closed");
  }
  std::span<const std::string> cells() const { return cells_; }
  int first_line() const { return first_line_; }

 private:
  void feed(std::string_view text) {
    if (csv_parse(&parser_, text.data(), text.size(), add_cell, end_row, this) == text.size()) {
      return;
    }
    if (csv_error(&parser_) != CSV_EPARSE) throw std::bad_alloc();
    fail("expected a tab or the line's end behind a closing quote (quotes inside are doubled)");
  }
  [[noreturn]] void fail(const char* why) const {
    throw Error(fmt::format("{}: line {}: {}", name_, first_line_, why));
  }
  static void add_cell(void* bytes, std::size_t count, void* self) {
    static_cast<Parser*>(self)->cells_.emplace_back(static_cast<const char*>(bytes), count);
  }
  static void end_row(int, void* self) { static_cast<Parser*>(self)->row_ended_ = true; }

  const std::string& name_;
  csv_parser parser_{};
  std::vector<std::string> cells_;
  int line_ = 0, first_line_ = 0;
  bool row_ended_ = true;
};

}  // namespace

void read_tsv(std::string_view text, const std::string& name,
              const std::function<void(std::span<const std::string>, int)>& row) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  Parser parser(name);
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (parser.take(line)) row(parser.cells(), parser.first_line());
  }
  parser.finish();
}

std::size_t utf8_prefix(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t first = i;
    auto lead = std::uint8_t(text[i++]);
    if (lead < 0x80) continue;
    int more = lead >= 0xc2 && lead <= 0xdf   ? 1
               : lead >= 0xe0 && lead <= 0xef ? 2
               : lead >= 0xf0 && lead <= 0xf4 ? 3
                                              : 0;
    if (more == 0 || text.size() - i < std::size_t(more)) return first;
    // Overlong forms, surrogates and what lies beyond U+10FFFF differ in the second byte.
    auto second = std::uint8_t(text[i]);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return first;
    }
    for (; more > 0; --more) {
      if ((std::uint8_t(text[i++]) & 0xc0) != 0x80) return first;
    }
  }
  return text.size();
}

bool is_utf8(std::string_view text) { return utf8_prefix(text) == text.size(); }

std::string as_utf8(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    std::size_t valid = utf8_prefix(bytes);
    text += bytes.substr(0, valid);
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    text += fmt::format("%{:02X}", std::uint8_t(bytes[0]));
    bytes.remove_prefix(1);
  }
  return text;
}

}  // namespace atelier
