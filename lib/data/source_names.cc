// Names inside folders and archives: which are pictures, and which class they say.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "data/source.h"

namespace atelier {
namespace {

// Two numbers of few enough digits, and what stands before and behind them.
struct Range {
  std::string_view before, first, last, behind;
};

std::optional<Range> first_range(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::size_t kMostDigits = 9;
  for (std::size_t open = text.find('{'); open != text.npos; open = text.find('{', open + 1)) {
    std::size_t dots = text.find_first_not_of(kDigits, open + 1);
    if (dots == text.npos || text.substr(dots, 2) != "..") continue;
    std::size_t close = text.find_first_not_of(kDigits, dots + 2);
    if (close == text.npos || text[close] != '}') continue;
    Range range = {text.substr(0, open), text.substr(open + 1, dots - open - 1),
                   text.substr(dots + 2, close - dots - 2), text.substr(close + 1)};
    std::size_t fewest = std::min(range.first.size(), range.last.size());
    std::size_t most = std::max(range.first.size(), range.last.size());
    if (fewest > 0 && most <= kMostDigits) return range;
  }
  return {};
}

std::vector<std::string> names_of_ranges(std::string_view text) {
  constexpr std::size_t kMostNames = 100000;
  std::optional<Range> range = first_range(text);
  if (!range) return {std::string(text)};
  bool padded = range->first.starts_with('0') || range->last.starts_with('0');
  std::size_t width = padded ? std::max(range->first.size(), range->last.size()) : 0;
  std::int64_t first = std::stoll(std::string(range->first));
  std::int64_t last = std::stoll(std::string(range->last));
  std::vector<std::string> names, tails = names_of_ranges(range->behind);
  if (tails.empty()) return {};
  if (last - first >= std::int64_t(kMostNames / tails.size())) {
    throw UsageError(fmt::format("'{}': expected at most {} names", text, kMostNames));
  }
  for (std::int64_t number = first; number <= last; ++number) {
    for (const std::string& tail : tails) {
      names.push_back(fmt::format("{}{:0{}}{}", range->before, number, width, tail));
    }
  }
  return names;
}

}  // namespace

std::vector<std::string> expand_ranges(const std::string& source) {
  if (::access(source.c_str(), F_OK) == 0) return {source};
  std::vector<std::string> names = names_of_ranges(source);
  return names.empty() ? std::vector<std::string>{source} : names;  // 9..3 is no range
}

bool is_hidden(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

bool has_picture_suffix(std::string_view path) {
  static constexpr std::array<std::string_view, 13> kSuffixes = {
      "png", "jpg", "jpeg", "webp", "bmp",  "ppm", "pgm",
      "pnm", "pbm", "gif",  "tif",  "tiff", "jfif"};
  std::string_view name = file_name_of(path);
  std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string suffix(name.substr(dot + 1));
  for (char& c : suffix) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  }
  return std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end();
}

std::string_view file_name_of(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string place_of(std::string_view source, std::string_view name) {
  if (source.empty()) return std::string(name);
  if (name.empty() || name == file_name_of(source)) return std::string(source);
  return fmt::format("{}/{}", source, name);
}

std::string_view parent_of(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view without_suffix(std::string_view path) {
  std::size_t dot = path.rfind('.');
  std::size_t slash = path.rfind('/');
  if (dot == std::string_view::npos || (slash != std::string_view::npos && dot < slash))
    return path;
  return path.substr(0, dot);
}

namespace {

// Bytes of the folder, with its slash, that holds both a and b ("" or "x/y/").
std::size_t common_folder(std::string_view a, std::string_view b) {
  std::size_t same =
      std::size_t(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  std::size_t slash = a.substr(0, same).rfind('/');
  return slash == std::string_view::npos ? 0 : slash + 1;
}

}  // namespace

FolderClasses::FolderClasses(std::vector<std::string> directories) {
  for (std::string& directory : directories) {
    if (!directory.empty()) directory += '/';
  }
  std::sort(directories.begin(), directories.end());
  directories.erase(std::unique(directories.begin(), directories.end()), directories.end());
  if (directories.size() < 2) return;
  prefix_ = common_folder(directories.front(), directories.back());
  if (directories.front().size() == prefix_) {
    logging::warning(
        "pictures lie both above and in sub-folders: folders are taken for no classes");
    return;
  }
  for (const std::string& directory : directories) {
    std::string name = directory.substr(prefix_, directory.find('/', prefix_) - prefix_);
    if (names_.empty() || names_.back() != name) names_.push_back(name);
  }
  std::sort(names_.begin(), names_.end());  // "a-b/" sorts before "a/", but "a" before "a-b"
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
}

std::int32_t FolderClasses::label_of(std::string_view path) const {
  if (names_.empty()) return -1;
  std::string_view name = path.substr(prefix_);
  name = name.substr(0, name.find('/'));
  return std::int32_t(std::lower_bound(names_.begin(), names_.end(), name) - names_.begin());
}

}  // namespace atelier
