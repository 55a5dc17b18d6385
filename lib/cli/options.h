// The declared options of a tool, as data: parsing, help, completion and the configuration file
// all read this list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace atelier {

struct OptionSpec {
  enum class Kind { value, flag, count, optional_value };
  Kind kind = Kind::value;
  std::vector<std::string> names;            // "-o", "--output"
  BoundField field;                          // target, bounds, choices, help, origin
  std::vector<std::string>* many = nullptr;  // the target of one that may be repeated, not field's
  // without: the value of an optional_value given bare, and the only one it takes as the next word.
  std::string metavar, without;
  std::string group;
  std::string shown_default;  // empty: none is shown
  bool hidden = false;
  bool on_by_default = false;  // of a flag: --no-NAME turns it off
  bool at_once = false;        // says something and ends: the command line's alone
  OptionSource source = OptionSource::usual;

  const std::string& long_name() const;  // "--output"
  std::string said() const;              // its help, in the form in which it is offered
  std::string key() const { return long_name().substr(2); }
  std::string variable() const;  // "ATELIER_OUTPUT"
  // A flag that is on by default is offered, here and there, by the name that turns it off:
  // --no-NAME, no-NAME = true, ATELIER_NO_NAME=true.
  std::string negated_key() const { return on_by_default ? "no-" + key() : ""; }
};

struct OperandSpec {
  std::string metavar, help;
  std::vector<std::string>* many = nullptr;
  std::string* one = nullptr;
  bool required = true, given = false;

  std::string key() const;  // "data" of DATA, in configuration files
};

// Sets the options that the words give and returns the operands. UsageError: an option is unknown,
// given twice (unless it may be repeated), without its value or with one that it does not take.
std::vector<std::string> read_command_line(std::vector<std::string> words,
                                           std::vector<OptionSpec>& options);
OptionSpec* find_option(std::string_view name, std::vector<OptionSpec>& options);  // null: none
// `shown` stands for the option in messages: the name that was written, or a variable.
void set_option(OptionSpec& option, const std::string& value, OptionSource source,
                std::string_view shown);
// The opposite of what a flag that turns another off was set to; what is neither true nor false
// stays, to be refused.
std::string opposite(const std::string& value);
// The name nearest to a mistyped one, or nothing.
std::string nearest(const std::string& name, const std::vector<OptionSpec>& options);

std::string help_text(const std::string& name, const std::string& summary,
                      const std::vector<OperandSpec>& operands,
                      const std::vector<OptionSpec>& options);
// Script for bash, zsh or fish; UsageError for another shell.
std::string completion_script(const std::string& name, const std::vector<OptionSpec>& options,
                              const std::string& shell);
// Reads a TOML file into the options that nothing stronger has set, and into the operands if the
// command line gave none.
void read_config(const std::string& path, std::vector<OptionSpec>& options,
                 std::vector<OperandSpec>& operands);
// The options that differ in meaning from "not given" and are not incidental, and the operands as
// they were given, as TOML that reads back. What TOML cannot hold is left out; a line that begins
// with "# KEY: " says so.
std::string write_config(const std::vector<OptionSpec>& options,
                         const std::vector<OperandSpec>& operands);

}  // namespace atelier
