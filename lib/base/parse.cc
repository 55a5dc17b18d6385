// Hand-picked suffixes on std::from_chars, which knows no locale.
#include "base/parse.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/error.h"

namespace atelier {
namespace {

[[noreturn]] void refuse(std::string_view text, const char* expected) {
  throw UsageError(fmt::format("'{}': expected {}", text, expected));
}

// The number at the start of text; `rest` is what follows it.
bool leading_number(std::string_view text, double& value, std::string_view& rest) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value)) return false;
  rest = text.substr(std::size_t(end - text.data()));
  return true;
}

std::int64_t whole(std::string_view text, double value, const char* expected) {
  if (value != std::floor(value) || value < 0 || value > 9e15) refuse(text, expected);
  return std::int64_t(value);
}

}  // namespace

std::int64_t parse_count(std::string_view text) {
  const char* expected = "a count such as 500, 10k, 1M or 1e6";
  double value = 0;
  std::string_view rest;
  if (!leading_number(text, value, rest)) refuse(text, expected);
  if (rest == "k" || rest == "K") {
    value *= 1e3;
  } else if (rest == "M") {
    value *= 1e6;
  } else if (rest == "G") {
    value *= 1e9;
  } else if (!rest.empty()) {
    refuse(text, expected);
  }
  return whole(text, value, expected);
}

std::vector<std::int64_t> parse_counts(std::string_view text, const CountList& list) {
  std::vector<std::int64_t> counts;
  try {
    for (std::string_view piece : split(text, ',')) {
      counts.push_back(parse_count(piece));
      if (counts.back() < list.least || counts.back() > list.most) throw UsageError("");
    }
  } catch (const UsageError&) {
    bool bounded = list.most < std::numeric_limits<std::int64_t>::max();
    throw UsageError(fmt::format("{} '{}': expected numbers from {}{}, such as {}", list.flag, text,
                                 list.least, bounded ? fmt::format(" to {}", list.most) : "",
                                 list.example));
  }
  return counts;
}

double parse_number(std::string_view text) {
  double value = 0;
  std::string_view rest;
  if (!leading_number(text, value, rest) || !rest.empty()) {
    refuse(text, "a number such as 0.5 or 1e-4");
  }
  return value;
}

double parse_seconds(std::string_view text) {
  const char* expected = "a time such as 90s, 5m or 2h";
  double value = 0;
  std::string_view rest;
  if (!leading_number(text, value, rest) || value < 0) refuse(text, expected);
  if (rest.empty() || rest == "s") return value;
  if (rest == "m" || rest == "min") return value * 60;
  if (rest == "h") return value * 3600;
  if (rest == "d") return value * 86400;
  refuse(text, expected);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    std::size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == text.npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::int32_t> parse_seed_list(std::string_view text, std::string_view flag) {
  auto refused = [&] {
    return UsageError(
        fmt::format("{} '{}': expected seeds up to 2147483647, at most 10 million of them, such as "
                    "0,3-6,9",
                    flag, text));
  };
  std::vector<std::int32_t> seeds;
  auto number = [&](std::string_view piece) {
    std::int32_t value = 0;
    auto [end, error] = std::from_chars(piece.data(), piece.data() + piece.size(), value);
    if (error != std::errc{} || end != piece.data() + piece.size() || value < 0) throw refused();
    return value;
  };
  for (std::string_view piece : split(text, ',')) {
    auto dash = piece.find('-');
    std::int32_t first = number(piece.substr(0, dash));
    std::int32_t last = dash == piece.npos ? first : number(piece.substr(dash + 1));
    if (last < first || seeds.size() + std::size_t(last - first) >= 10'000'000) throw refused();
    for (std::int64_t seed = first; seed <= last; ++seed) seeds.push_back(std::int32_t(seed));
  }
  return seeds;
}

std::string format_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.3g} s", seconds);
  long total = std::lround(seconds);
  if (total < 3600) return fmt::format("{} min {:02} s", total / 60, total % 60);
  return fmt::format("{} h {:02} min", total / 3600, total / 60 % 60);
}

std::string format_bytes(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) bytes /= 1024, ++unit;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

}  // namespace atelier
