// The declared options of a tool, as data: parsing, help, completion and the configuration file
// all read this list.
#pragma once

#include <string>
#include <vector>

#include "base/fields.h"

namespace atelier {

struct OptionSpec {
  enum class Kind { value, flag, optional_value };
  Kind kind = Kind::value;
  std::vector<std::string> names;  // "-o", "--output"
  BoundField field;                // target, bounds, choices, help, origin
  std::string metavar, without;    // without: the value of an optional_value given bare
  std::string group;
  std::string shown_default;  // empty: none is shown
  bool hidden = false;
  bool on_by_default = false;  // of a flag: --no-NAME turns it off
  // How it was set, for precedence: 0 default, 1 preset, 2 file, 3 environment, 4 command line.
  int source = 0;

  const std::string& long_name() const;  // "--output"
  std::string key() const { return long_name().substr(2); }
  std::string variable() const;  // "ATELIER_OUTPUT"
};

struct OperandSpec {
  std::string metavar, help;
  std::vector<std::string>* many = nullptr;
  std::string* one = nullptr;
  bool required = true;
};

std::string help_text(const std::string& name, const std::string& summary,
                      const std::vector<OperandSpec>& operands,
                      const std::vector<OptionSpec>& options);
// Script for bash, zsh or fish; UsageError for another shell.
std::string completion_script(const std::string& name, const std::vector<OptionSpec>& options,
                              const std::string& shell);
// Reads a TOML file into the options that nothing stronger has set.
void read_config(const std::string& path, std::vector<OptionSpec>& options);
// The options that differ in meaning from "not given", as TOML that reads back.
std::string write_config(const std::vector<OptionSpec>& options);
// The name nearest to a mistyped one, or nothing.
std::string nearest(const std::string& name, const std::vector<OptionSpec>& options);

}  // namespace atelier
