// Printing figures and comparing them with bars.
#include "eval/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/parse.h"
#include "io/metrics.h"

namespace atelier {
namespace {

std::string text_of(const Scalar& value) {
  if (auto* number = std::get_if<double>(&value)) return fmt::format("{:.6g}", *number);
  return to_text(value);
}

std::optional<double> number_of(const Scalar& value) {
  if (auto* number = std::get_if<double>(&value)) return *number;
  if (auto* whole = std::get_if<std::int64_t>(&value)) return double(*whole);
  return std::nullopt;
}

}  // namespace

std::string to_lines(std::span<const Figure> figures) {
  std::string text;
  for (const Figure& f : figures) {
    text += f.key + ": " + text_of(f.value) + (f.unit.empty() ? "" : " " + f.unit) + "\n";
  }
  return text;
}

std::string to_json(std::span<const Figure> figures) {
  Attributes values;
  for (const Figure& f : figures) values.emplace_back(f.key, f.value);
  return to_json_line(values);
}

std::vector<Bar> parse_bars(const std::string& text, std::string_view flag, bool above) {
  std::vector<Bar> bars;
  if (text.empty())
    throw UsageError(fmt::format("{} '': expected KEY=VALUE, such as frechet=30", flag));
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(',', at), text.size());
    std::string part = text.substr(at, end - at);
    std::size_t equals = part.find('=');
    if (equals == part.npos || equals == 0) {
      throw UsageError(fmt::format("{} '{}': expected KEY=VALUE, such as frechet=30", flag, part));
    }
    try {
      bars.push_back({part.substr(0, equals), parse_number(part.substr(equals + 1)), above});
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{} {}", flag, error.what()));
    }
    at = end + 1;
  }
  return bars;
}

std::vector<std::string> broken_bars(std::span<const Figure> figures, std::span<const Bar> bars,
                                     std::span<const std::string> left_out) {
  std::vector<std::string> broken;
  for (const Bar& bar : bars) {
    if (std::ranges::find(left_out, bar.key) != left_out.end()) {
      broken.push_back(bar.key + " has no value for these data");
      continue;
    }
    std::optional<double> found;
    std::string known;
    for (const Figure& f : figures) {
      std::optional<double> number = number_of(f.value);
      if (!number) continue;
      known += (known.empty() ? "" : ", ") + f.key;
      if (f.key == bar.key) found = number;
    }
    if (!found) throw UsageError(fmt::format("no figure '{}': there are {}", bar.key, known));
    bool kept = bar.above ? *found <= bar.value : *found >= bar.value;
    bool counts = std::isfinite(*found) || *found > 0;
    if (kept && counts) continue;
    broken.push_back(fmt::format("{} {:.6g} is {} {:.6g}", bar.key, *found,
                                 !counts     ? "not within"
                                 : bar.above ? "above"
                                             : "below",
                                 bar.value));
  }
  return broken;
}

}  // namespace atelier
