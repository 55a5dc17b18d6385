// Text and stored values to typed variables, with one set of messages.
#include "base/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parse.h"

namespace atelier {
namespace {

std::string bounds_text(const Field& field, const char* kind) {
  bool low = std::isfinite(field.low), high = std::isfinite(field.high);
  if (low && high) return fmt::format("{} from {} to {}", kind, field.low, field.high);
  if (low) return fmt::format("{} of at least {}", kind, field.low);
  if (high) return fmt::format("{} of at most {}", kind, field.high);
  return kind;
}

std::string expectation(const BoundField& field) {
  if (!field.choices.empty()) return fmt::format("{}", fmt::join(field.choices, ", "));
  if (std::holds_alternative<std::int64_t*>(field.target))
    return bounds_text(field, "a whole number");
  if (std::holds_alternative<double*>(field.target)) return bounds_text(field, "a number");
  if (std::holds_alternative<bool*>(field.target)) return "true or false";
  return "text";
}

[[noreturn]] void refuse(const BoundField& field, std::string_view found) {
  throw UsageError(fmt::format("{} '{}': expected {}", field.flag(), found, expectation(field)));
}

void check_bounds(const BoundField& field, double value, std::string_view found) {
  if (!(value >= field.low && value <= field.high)) refuse(field, found);
}

}  // namespace

const Scalar* find(const Attributes& attributes, std::string_view name) {
  auto found = std::find_if(attributes.begin(), attributes.end(),
                            [&](const auto& entry) { return entry.first == name; });
  return found == attributes.end() ? nullptr : &found->second;
}

std::string to_text(const Scalar& value) {
  if (auto* text = std::get_if<std::string>(&value)) return *text;
  if (auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
  return fmt::format("{}", std::get<double>(value));
}

std::string BoundField::flag() const {
  std::string text = "--" + name;
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

Scalar BoundField::value() const {
  return std::visit([](auto* variable) -> Scalar { return *variable; }, target);
}

void BoundField::set_text(std::string_view text) const {
  try {
    if (auto* const* whole = std::get_if<std::int64_t*>(&target)) {
      bool negative = text.starts_with('-');
      std::int64_t value = parse_count(negative ? text.substr(1) : text);
      if (negative) value = -value;
      check_bounds(*this, double(value), text);
      **whole = value;
    } else if (auto* const* number = std::get_if<double*>(&target)) {
      double value = parse_number(text);
      check_bounds(*this, value, text);
      **number = value;
    } else if (auto* const* flag = std::get_if<bool*>(&target)) {
      if (text != "true" && text != "false") refuse(*this, text);
      **flag = text == "true";
    } else {
      set(std::string(text));
    }
  } catch (const UsageError& error) {
    if (std::string_view(error.what()).starts_with("--")) throw;
    refuse(*this, text);
  }
}

void BoundField::set(const Scalar& stored) const {
  std::string text = to_text(stored);
  if (auto* const* words = std::get_if<std::string*>(&target)) {
    if (!std::holds_alternative<std::string>(stored)) refuse(*this, text);
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
      refuse(*this, text);
    }
    **words = text;
    return;
  }
  set_text(text);
}

Attributes to_attributes(const Fields& fields) {
  Attributes attributes;
  for (const BoundField& field : fields) attributes.emplace_back(field.name, field.value());
  return attributes;
}

void from_attributes(const Fields& fields, const Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    // clang 14 cannot capture a structured binding by reference.
    auto found = std::find_if(fields.begin(), fields.end(),
                              [&wanted = name](const BoundField& f) { return f.name == wanted; });
    if (found == fields.end()) throw Error(fmt::format("unknown configuration field '{}'", name));
    try {
      found->set(value);
    } catch (const UsageError& error) {  // nobody has typed it
      throw Error(name + std::string(error.what()).substr(found->flag().size()));
    }
  }
}

}  // namespace atelier
