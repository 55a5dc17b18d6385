// Which blocks follow which.
#include "io/row_blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/parse.h"

namespace atelier {
namespace {

constexpr const char* kField = "shard";

RowBlocks parse(const std::string& text) {
  std::size_t slash = text.find('/');
  if (slash == text.npos) throw UsageError("");
  std::string places = text.substr(0, slash);
  std::size_t dash = places.find('-');
  RowBlocks blocks;
  blocks.first = parse_count(places.substr(0, dash));
  blocks.last = dash == places.npos ? blocks.first : parse_count(places.substr(dash + 1));
  blocks.count = parse_count(text.substr(slash + 1));
  if (blocks.first < 1 || blocks.last < blocks.first || blocks.count < blocks.last)
    throw UsageError("");
  return blocks;
}

}  // namespace

std::string to_text(const RowBlocks& b) {
  if (b.first == b.last) return fmt::format("{}/{}", b.first, b.count);
  return fmt::format("{}-{}/{}", b.first, b.last, b.count);
}

bool is_row_blocks(const std::string& field) { return field == kField; }

std::optional<RowBlocks> row_blocks(const Attributes& config, const std::string& file) {
  const Scalar* value = find(config, kField);
  if (!value) return {};
  std::string text = to_text(*value);
  try {
    return parse(text);
  } catch (const UsageError&) {
    throw Error(fmt::format("{}: config.{} '{}': expected K/N, such as 2/3", file, kField, text));
  }
}

void set_row_blocks(Attributes& config, const std::optional<RowBlocks>& blocks) {
  std::erase_if(config, [](const auto& entry) { return is_row_blocks(entry.first); });
  if (blocks && !blocks->whole()) config.emplace_back(kField, to_text(*blocks));
}

void append_row_blocks(Attributes& config, const Attributes& part, const std::string& file) {
  std::optional<RowBlocks> before = row_blocks(config, file), next = row_blocks(part, file);
  if (!before && !next) return;
  RowBlocks wanted = before ? RowBlocks{before->last + 1, before->last + 1, before->count}
                            : RowBlocks{1, 1, next->count};
  bool follows = next && next->first == wanted.first && next->count == wanted.count;
  if (!follows || wanted.first > wanted.count) {
    throw Error(fmt::format("{}: is {}, but {} is to follow", file,
                            next ? "block " + to_text(*next) : "no block",
                            wanted.first > wanted.count ? "nothing" : to_text(wanted)));
  }
  set_row_blocks(config, RowBlocks{before ? before->first : 1, next->last, next->count});
}

}  // namespace atelier
