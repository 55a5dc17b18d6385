// The contract of every program: options, help, completion, configuration files, exit status.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fields.h"

namespace atelier {

inline constexpr int kExitDone = 0, kExitFailed = 1, kExitUsage = 2, kExitSkipped = 3,
                     kExitSaved = 75;

// One program. Declare everything, then run(). Options common to all tools are there already:
// --help, --version, -q, -v, --debug, -j/--threads, --completion SHELL.
class Tool {
 public:
  // `name` without the prefix that the build gives to the names of programs.
  Tool(std::string name, std::string summary);
  ~Tool();
  Tool(const Tool&) = delete;
  Tool& operator=(const Tool&) = delete;

  // Operands. `required`: at least one.
  void operands(std::string metavar, std::vector<std::string>& values, std::string help,
                bool required = true);
  void operand(std::string metavar, std::string& value, std::string help, bool required = true);

  // Options: names as "-o,--output"; T is std::string, std::int64_t (suffixes k, M) or double.
  // Groups appear in help in order of their first use.
  void option(std::string names, std::string& value, std::string metavar, std::string help,
              std::string group = "Options");
  void option(std::string names, std::int64_t& value, std::string metavar, std::string help,
              std::string group = "Options");
  void option(std::string names, double& value, std::string metavar, std::string help,
              std::string group = "Options");
  void option(std::string names, std::vector<std::string>& values, std::string metavar,
              std::string help, std::string group = "Options");
  void flag(std::string names, bool& value, std::string help, std::string group = "Options");
  // One of `choices`, which help and completion show; a variable that is empty was not given.
  void choice(std::string names, std::string& value, std::vector<std::string> choices,
              std::string help, std::string group = "Options");
  // An option whose value may be left out: --resume, --resume=FILE. The value that it then has may
  // be given as the next word too (--resume auto); any other next word is an operand.
  void optional_value(std::string names, std::string& value, std::string without,
                      std::string metavar, std::string help, std::string group = "Options");
  // One option a field (--latent-dim), with default and origin in the help; from_data fields are
  // left out. `aliases` maps field names to extra spellings: {"batch_size", "-b"}.
  void fields(const Fields& fields, std::string group,
              std::vector<std::pair<std::string, std::string>> aliases = {});
  // The option belongs to one call alone (Field::incidental): resolved_toml() leaves it out.
  void incidental(std::string_view long_name);
  // -c/--config FILE (TOML, keys are long flag names, unknown keys are errors; flags > environment
  // ATELIER_<FLAG> > file > default). Operands have their lower-case names as keys ("data") and
  // are taken from the file if the command line has none.
  void config_file();
  // Called, one after another, when all options have their values, before --print-config prints
  // them: for those that take each other's place.
  void settle(std::function<void()> settle);
  const std::string& config_path() const;  // of -c; empty: not given
  // --preset NAME: a named list of field values that flags override.
  void presets(std::vector<std::pair<std::string, Attributes>> presets);
  // True if the user gave the option on the command line, in the environment or in the file.
  bool given(std::string_view long_name) const;
  OptionSource source(std::string_view long_name) const;
  // True if it was given on the command line: a variable or a file may serve several tools.
  bool typed(std::string_view long_name) const;
  // The operands and the resolved configuration as TOML that repeats the run; comments in it say
  // what is left out because TOML cannot hold it.
  std::string resolved_toml() const;

  // Parses, sets logging and threads, runs body, maps results and exceptions to an exit status,
  // and reports a failed close of standard output. Filters die of SIGPIPE silently.
  int run(int argc, char** argv, const std::function<int()>& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Fields that a program has no use for are not offered by it.
using Names = std::vector<std::string>;
Fields except(Fields fields, const Names& names);

std::string version_line(const std::string& program);  // "vae-train (atelier) 0.1.0"

}  // namespace atelier
