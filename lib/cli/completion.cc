// Completion scripts for bash, zsh and fish.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "cli/options.h"

namespace atelier {
namespace {

using Kind = OptionSpec::Kind;

// Inside '...' of a shell.
std::string quoted(std::string text) {
  for (std::size_t i = 0; (i = text.find('\'', i)) != text.npos; i += 4)
    text.replace(i, 1, "'\\''");
  return text;
}

// What is offered: a flag that is on by default in the form that turns it off.
std::vector<std::string> offered(const OptionSpec& o) {
  if (o.kind == Kind::flag && o.on_by_default) return {"--no-" + o.key()};
  return o.names;
}

std::string bash_script(const std::string& name, const std::string& function,
                        const std::vector<OptionSpec>& options) {
  std::string words, cases;
  for (const OptionSpec& o : options) {
    if (o.hidden) continue;
    words += fmt::format("{}{}", words.empty() ? "" : " ", fmt::join(offered(o), " "));
    if (o.kind != Kind::value && o.kind != Kind::optional_value) continue;
    std::string from =
        o.field.choices.empty() ? "-f" : fmt::format("-W '{}'", fmt::join(o.field.choices, " "));
    // The value of an optional_value can only follow '='.
    std::string names =
        o.kind == Kind::value ? fmt::format("{}", fmt::join(o.names, "|")) : o.long_name() + "=";
    if (o.kind == Kind::value) names += "|" + o.long_name() + "=";
    cases += fmt::format("    {}) from=({}) ;;\n", names, from);
  }
  // Bash splits --net=f into three words: --net, = and f.
  return fmt::format(R"(_{0}() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} from=(-f)
  if [[ $cur == = ]]; then
    prev+== cur=
  elif [[ $prev == = ]]; then
    prev=${{COMP_WORDS[COMP_CWORD-2]}}=
  elif [[ $cur == -* ]]; then
    from=(-W '{3}')
  fi
  case $prev in
{2}  esac
  mapfile -t COMPREPLY < <(compgen "${{from[@]}}" -- "$cur")
}}
complete -o filenames -F _{0} {1}
)",
                     function, name, cases, words);
}

std::string zsh_script(const std::string& name, const std::vector<OptionSpec>& options) {
  std::string out = fmt::format("#compdef {}\n_arguments -s", name);
  for (const OptionSpec& o : options) {
    if (o.hidden) continue;
    std::string help = quoted(o.said());
    std::replace(help.begin(), help.end(), ':', ' ');
    std::replace(help.begin(), help.end(), '[', '(');
    std::replace(help.begin(), help.end(), ']', ')');
    std::string values =
        o.field.choices.empty() ? "_files" : fmt::format("({})", fmt::join(o.field.choices, " "));
    for (const std::string& option : offered(o)) {
      std::string mark, action;
      if (o.kind == Kind::value) {
        mark = option.starts_with("--") ? "=" : "+";
        action = ":value:" + values;
      } else if (o.kind == Kind::optional_value) {
        mark = "=-";
        action = "::value:" + values;
      }
      std::string times = o.kind == Kind::count || o.many ? "*" : "";
      out += fmt::format(" \\\n  '{}{}{}[{}]{}'", times, option, mark, help, action);
    }
  }
  return out + " \\\n  '*:file:_files'\n";
}

std::string fish_script(const std::string& name, const std::vector<OptionSpec>& options) {
  std::string out;
  for (const OptionSpec& o : options) {
    if (o.hidden) continue;
    std::string choices =
        o.field.choices.empty() ? "" : fmt::format(" -a '{}'", fmt::join(o.field.choices, " "));
    for (const std::string& option : offered(o)) {
      std::string form =
          option.starts_with("--") ? "-l " + option.substr(2) : "-s " + option.substr(1);
      out += fmt::format("complete -c {} {}{}{} -d '{}'\n", name, form,
                         o.kind == Kind::value ? " -r" : "", choices, quoted(o.said()));
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const std::string& name, const std::vector<OptionSpec>& options,
                              const std::string& shell) {
  std::string function = name;
  std::replace(function.begin(), function.end(), '-', '_');
  if (shell == "bash") return bash_script(name, function, options);
  if (shell == "zsh") return zsh_script(name, options);
  if (shell == "fish") return fish_script(name, options);
  throw UsageError(fmt::format("--completion '{}': expected bash, zsh or fish", shell));
}

}  // namespace atelier
