// Configuration fields: each is listed once and yields its flag, its TOML key, its HDF5 attribute
// and its line of help, all with one spelling.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace atelier {

// A value as it is stored in files. Lists are stored as text ("32,64,128").
using Scalar = std::variant<std::int64_t, double, bool, std::string>;
using Attributes = std::vector<std::pair<std::string, Scalar>>;  // ordered

const Scalar* find(const Attributes& attributes, std::string_view name);  // null: absent
std::string to_text(const Scalar& value);  // shortest text that reads back as the same value

struct Field {
  std::string name;                       // snake_case; the flag is --with-hyphens
  std::string help;                       // one line, lower case
  std::string origin = {};                // where the default comes from; empty: our choice
  std::vector<std::string> choices = {};  // of a text field
  double low = -std::numeric_limits<double>::infinity();  // inclusive bounds of a number
  double high = std::numeric_limits<double>::infinity();
  bool from_data = false;  // decided by the data: stored, never a flag
  // Of one call alone, such as where results go or for how long: what repeats a run leaves it out.
  bool incidental = false;
  // Of a text: an empty one on the command line is a slip, as of an unset variable of a shell.
  bool filled = false;
};

// A field bound to the variable that holds it.
struct BoundField : Field {
  std::variant<std::int64_t*, double*, bool*, std::string*> target;

  Scalar value() const;
  // Reads text as the field's type, checks choices and bounds; UsageError
  // ("--latent-dim '0': expected a whole number of at least 1").
  void set_text(std::string_view text) const;
  void set(const Scalar& value) const;  // from a file; same checks
  std::string flag() const;             // "--latent-dim"
};

using Fields = std::vector<BoundField>;

// Where an option's value comes from: what stands later holds over what stands before.
enum class OptionSource { usual, preset, file, variable, typed };
using OptionSources = std::function<OptionSource(std::string_view option)>;  // "steps" of --steps

template <class T>
BoundField bind(T& variable, Field field) {
  return BoundField{std::move(field), &variable};
}

Attributes to_attributes(const Fields& fields);
// Sets each field that `attributes` holds; fields that are missing keep their value (older files),
// names that no field has (newer files) and values that do not fit throw Error.
void from_attributes(const Fields& fields, const Attributes& attributes);

}  // namespace atelier
