// Values that an option gives names to, listed once: for the field's choices and for its reader.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace atelier {

template <class Value>
struct Choice {
  std::string_view name;
  Value value;
};

// In the order listed, as Field::choices has them.
template <class Value, std::size_t N>
std::vector<std::string> names_of(const Choice<Value> (&choices)[N]) {
  std::vector<std::string> names;
  for (const Choice<Value>& choice : choices) names.emplace_back(choice.name);
  return names;
}

// UsageError("--sampler 'euler': expected ddpm, ddim, dpm2m, heun"), which `flag` was given.
template <class Value, std::size_t N>
Value chosen(const Choice<Value> (&choices)[N], std::string_view flag, std::string_view text) {
  std::string known;
  for (const Choice<Value>& choice : choices) {
    if (choice.name == text) return choice.value;
    known.append(known.empty() ? "" : ", ").append(choice.name);
  }
  throw UsageError(std::string(flag).append(" '").append(text).append("': expected ") + known);
}

}  // namespace atelier
