// Labels from idx files and from text.
#include "data/label_file.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "data/idx.h"
#include "data/tsv.h"

namespace atelier {
namespace {

// Big-endian whole number of 1, 2 or 4 bytes; `is_signed` matters for one byte only.
std::int32_t big_endian(std::span<const std::byte> bytes, bool is_signed) {
  std::uint32_t value = 0;
  for (std::byte byte : bytes) value = value << 8 | std::uint32_t(byte);
  if (bytes.size() == 1) return is_signed ? std::int8_t(value) : std::int32_t(value);
  return bytes.size() == 2 ? std::int16_t(value) : std::int32_t(value);
}

LabelFile read_idx_labels(const std::string& path) {
  IdxReader reader(path);
  if (reader.dims().size() != 1 || reader.type() > 0x0c) {
    throw Error(
        fmt::format("{}: expected labels (whole numbers, rank 1), found type 0x{:02x}, "
                    "rank {}",
                    path, reader.type(), reader.dims().size()));
  }
  LabelFile labels{.path = path, .values = {}, .names = {}};
  constexpr std::size_t kBlock = 1 << 14;  // a damaged header must not cost memory
  std::size_t left = std::size_t(reader.dims()[0]), width = reader.element_size();
  std::vector<std::byte> block;
  while (left > 0) {
    std::size_t count = std::min(left, kBlock);
    block.resize(count * width);
    reader.read(block);
    for (std::size_t i = 0; i < count; ++i) {
      labels.values.push_back(
          big_endian(std::span(block).subspan(i * width, width), reader.type() == 0x09));
    }
    left -= count;
  }
  reader.expect_end();
  require_labels(labels.values, path);
  return labels;
}

// Whether somebody meant a number: "1.5", "99999999999", but neither "3d" nor "nan".
bool looks_like_number(std::string_view word) {
  if (word.starts_with('+')) word.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return end == word.data() + word.size() &&
         word.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

bool parse_label(std::string_view word, std::int32_t& value) {
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc{} && end == word.data() + word.size();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

LabelFile read_text_labels(const std::string& path) {
  LabelFile labels{.path = path, .values = {}, .names = {}};
  const std::string text = read_text(path);
  if (text.starts_with("\x89HDF\r\n\x1a\n")) {
    throw Error(path +
                ": expected labels as idx or text, found HDF5; data-pack takes those beside "
                "pictures by --label-dataset");
  }
  std::vector<std::string> lines = lines_of(text);
  std::int32_t value = 0;
  bool numbers = true;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto refuse = [&](const char* why) {
      throw Error(fmt::format("{}: line {}: expected a label{}", path, i + 1, why));
    };
    if (lines[i].empty()) refuse("");
    if (lines[i].find('\0') != std::string::npos) refuse(", found a byte 0");
    if (!is_utf8(lines[i])) refuse(" in UTF-8");
    numbers = numbers && looks_like_number(lines[i]);
  }
  if (!numbers) {
    labels.names = lines;
    std::sort(labels.names.begin(), labels.names.end());
    labels.names.erase(std::unique(labels.names.begin(), labels.names.end()), labels.names.end());
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (numbers) {
      if (!parse_label(lines[i], value) || value < 0) {
        throw Error(fmt::format("{}: line {}: expected a whole number from 0 to {}, found {}", path,
                                i + 1, std::numeric_limits<std::int32_t>::max(), lines[i]));
      }
      labels.values.push_back(value);
    } else {
      auto found = std::lower_bound(labels.names.begin(), labels.names.end(), lines[i]);
      labels.values.push_back(std::int32_t(found - labels.names.begin()));
    }
  }
  return labels;
}

bool is_idx(const std::string& path) {
  std::vector<std::byte> head(4);
  Descriptor fd = open_read(path);  // names what is missing
  gzFile file = gzdopen(fd.get(), "rb");
  if (!file) return false;
  fd.release();
  int got = gzread(file, head.data(), unsigned(head.size()));
  gzclose(file);
  return got == int(head.size()) && looks_like_idx(head);
}

}  // namespace

void require_labels(std::span<const std::int32_t> labels, const std::string& where) {
  auto wrong = std::find_if(labels.begin(), labels.end(), [](std::int32_t v) { return v < 0; });
  if (wrong == labels.end()) return;
  throw Error(fmt::format("{}: label {} is {}, expected at least 0", where, wrong - labels.begin(),
                          *wrong));
}

LabelFile read_label_file(const std::string& path) {
  // Looking at its start takes it out of a pipe.
  if (std::filesystem::is_fifo(path))
    throw Error(path + ": expected a file of labels, found a pipe");
  LabelFile labels = is_idx(path) ? read_idx_labels(path) : read_text_labels(path);
  if (labels.values.empty()) throw Error(path + ": holds no labels");
  return labels;
}

std::optional<std::string> labels_beside(const std::string& images) {
  std::size_t slash = images.rfind('/');
  std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  std::size_t word = images.find("images", name);
  if (word == std::string::npos) return {};
  std::string path = images;
  path.replace(word, 6, "labels");
  for (std::string_view rank : {"idx3", "idx4"}) {
    std::size_t at = path.find(rank, name);
    if (at != std::string::npos) path.replace(at, rank.size(), "idx1");
  }
  std::string other = path.ends_with(".gz") ? path.substr(0, path.size() - 3) : path + ".gz";
  for (const std::string& candidate : {path, other}) {
    if (::access(candidate.c_str(), F_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace atelier
