// Texts from the command line, from files and from captions.
#include "data/text_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "data/byte_reader.h"
#include "data/dataset.h"
#include "data/source.h"
#include "data/tsv.h"

namespace atelier {
namespace {

ByteReader open_lines(const std::string& path) {
  if (path == "-") return ByteReader(STDIN_FILENO, "standard input");
  return ByteReader(open_read(path), path);
}

// Without its end, LF or CR LF. False at the end of the file.
bool read_line(ByteReader& file, bool first, std::string& line) {
  line.clear();
  bool any = false;
  while (true) {
    auto bytes = file.peek(1);
    if (bytes.empty()) break;
    any = true;
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::size_t end = text.find('\n');
    line += text.substr(0, end);
    if (line.size() > 2 * kMaxCaptionBytes)
      line.resize(2 * kMaxCaptionBytes);  // is refused, in little memory
    file.skip(end == text.npos ? text.size() : end + 1);
    if (end != text.npos) break;
  }
  if (line.ends_with('\r')) line.pop_back();
  if (first && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);  // a byte order mark
  return any;
}

// What is wrong with a text; empty: nothing.
std::string fault_of(const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) return "the text is empty";
  if (text.size() > kMaxCaptionBytes) return fmt::format("longer than {} bytes", kMaxCaptionBytes);
  if (!is_utf8(text)) return "expected a text in UTF-8";
  if (text.find('\0') != text.npos) return "the text holds a NUL";
  return "";
}

}  // namespace

struct TextReader::Impl {
  TextSources sources;
  std::size_t text = 0, file = 0, set = 0;  // the next of each
  std::optional<ByteReader> lines;
  std::int64_t line = 0;
  std::unique_ptr<ItemSource> pictures;
  Item item;
  std::int64_t skipped = 0;

  bool read(std::string& into, std::string& place);
};

// The next text, good or bad, and where it stands.
bool TextReader::Impl::read(std::string& into, std::string& place) {
  if (text < sources.texts.size()) {
    into = sources.texts[text++];
    place = fmt::format("text {}", text);
    return true;
  }
  while (lines || file < sources.lines.size()) {
    if (!lines) {
      lines.emplace(open_lines(sources.lines[file++]));
      line = 0;
    }
    if (read_line(*lines, ++line == 1, into)) {
      place = fmt::format("{}: line {}", lines->name(), line);
      return true;
    }
    lines.reset();
  }
  while (pictures || set < sources.captions.size()) {
    if (!pictures) {
      ReadOptions options;
      options.on_error = sources.on_error;
      pictures = open_source(sources.captions[set++], options);
    }
    if (pictures->next(item)) {
      into = item.caption;
      place = place_of(sources.captions[set - 1], item.name);
      return true;
    }
    skipped += pictures->skipped;
    pictures.reset();
  }
  return false;
}

TextReader::TextReader(TextSources sources) : impl_(std::make_unique<Impl>()) {
  impl_->sources = std::move(sources);
}
TextReader::~TextReader() = default;

bool TextReader::next(std::string& text) {
  std::string place;
  while (impl_->read(text, place)) {
    std::string fault = fault_of(text);
    if (fault.empty()) return true;
    if (impl_->pictures && fault == "the text is empty") fault = "the picture has no caption";
    if (impl_->sources.on_error != "skip") throw Error(place + ": " + fault);
    logging::warning(place + ": " + fault + " (skipped)");
    ++impl_->skipped;
  }
  return false;
}

std::int64_t TextReader::skipped() const { return impl_->skipped; }

}  // namespace atelier
