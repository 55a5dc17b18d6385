// Numbers as people write them on command lines. No locale: "1,5" is an error everywhere.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

// All throw UsageError("'x': expected ..., such as ..."); the caller prefixes the option's name.
std::int64_t parse_count(std::string_view text);  // 500, 10k, 1M, 2G, 1e6 (decimal multiples)
double parse_number(std::string_view text);       // finite decimal number
double parse_seconds(std::string_view text);      // 90, 90s, 5m, 2h, 1d
// A list that an option was given: counts from `least` to `most`. UsageError("--channels '8,x':
// expected numbers from 1, such as 64,128,256"), flag and example being those given.
struct CountList {
  std::string_view flag, example;
  std::int64_t least = 1, most = std::numeric_limits<std::int64_t>::max();
};
std::vector<std::int64_t> parse_counts(std::string_view text, const CountList& list);
// Pieces between separators, also empty ones; a text without separators is one piece, an empty text
// an empty piece. They point into the text.
std::vector<std::string_view> split(std::string_view text, char separator);
// "0,3-6,9": ids of samples, which `flag` was given.
std::vector<std::int32_t> parse_seed_list(std::string_view text, std::string_view flag);

std::string format_seconds(double seconds);  // "3.2 s", "4 min 10 s", "2 h 05 min"
std::string format_bytes(double bytes);      // "3.4 MiB"

}  // namespace atelier
