// Help in groups, 79 columns, defaults with their origin; completion scripts for three shells.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "cli/options.h"

namespace atelier {
namespace {

constexpr std::size_t kWidth = 79, kColumn = 26;

std::string head_of(const OptionSpec& o) {
  std::string text = "  ";
  if (o.names.size() == 1) text += "    ";
  // A flag that is on by default is offered in the form that turns it off.
  bool on = o.kind == OptionSpec::Kind::flag && o.on_by_default;
  text += on ? "--no-" + o.key() : fmt::format("{}", fmt::join(o.names, ", "));
  if (o.kind == OptionSpec::Kind::value) text += " " + o.metavar;
  if (o.kind == OptionSpec::Kind::optional_value) text += "[=" + o.metavar + "]";
  return text;
}

std::string body_of(const OptionSpec& o) {
  std::string text = (o.on_by_default ? "turn off: " : "") + o.field.help;
  if (!o.field.choices.empty()) text += fmt::format(" ({})", fmt::join(o.field.choices, ", "));
  if (o.shown_default.empty()) return text;
  text += " [" + o.shown_default;
  if (!o.field.origin.empty()) text += "; " + o.field.origin;
  return text + "]";
}

// Words of `body` from column kColumn on.
std::string laid_out(std::string head, const std::string& body) {
  std::string out = head, line;
  if (head.size() + 2 > kColumn) {
    out += "\n";
    line.assign(kColumn, ' ');
  } else {
    line.assign(kColumn - head.size(), ' ');
  }
  std::size_t at = kColumn;
  bool first = true;
  for (std::size_t i = 0; i < body.size();) {
    std::size_t end = std::min(body.find(' ', i), body.size());
    std::string word = body.substr(i, end - i);
    if (!first && at + 1 + word.size() > kWidth) {
      out += line + "\n";
      line.assign(kColumn, ' ');
      at = kColumn;
      first = true;
    }
    if (!first) line += ' ', ++at;
    line += word;
    at += word.size();
    first = false;
    i = end + 1;
  }
  return out + line + "\n";
}

std::string escaped(std::string text, char quote) {
  for (std::size_t i = 0; (i = text.find(quote, i)) != text.npos; i += 4)
    text.replace(i, 1, "'\\''");
  return text;
}

}  // namespace

std::string help_text(const std::string& name, const std::string& summary,
                      const std::vector<OperandSpec>& operands,
                      const std::vector<OptionSpec>& options) {
  std::string out = fmt::format("{}\n\nusage: {} [OPTION]...", summary, name);
  for (const OperandSpec& o : operands) {
    std::string text = o.metavar + (o.many ? "..." : "");
    out += " " + (o.required ? text : "[" + text + "]");
  }
  out += "\n";
  if (!operands.empty()) out += "\n";
  for (const OperandSpec& o : operands) out += laid_out("  " + o.metavar, o.help);
  std::vector<std::string> groups;
  for (const OptionSpec& o : options) {
    if (!o.hidden && std::find(groups.begin(), groups.end(), o.group) == groups.end())
      groups.push_back(o.group);
  }
  for (const std::string& group : groups) {
    out += "\n" + group + ":\n";
    for (const OptionSpec& o : options) {
      if (!o.hidden && o.group == group) out += laid_out(head_of(o), body_of(o));
    }
  }
  return out + fmt::format("\nManual: man {}\n", name);
}

std::string completion_script(const std::string& name, const std::vector<OptionSpec>& options,
                              const std::string& shell) {
  std::string function = name;
  std::replace(function.begin(), function.end(), '-', '_');
  if (shell == "bash") {
    std::string words, cases;
    for (const OptionSpec& o : options) {
      if (o.hidden) continue;
      words += fmt::format("{}{}", words.empty() ? "" : " ", fmt::join(o.names, " "));
      if (o.kind == OptionSpec::Kind::flag) continue;
      std::string reply = o.field.choices.empty()
                              ? "COMPREPLY=($(compgen -f -- \"$cur\"))"
                              : fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))",
                                            fmt::join(o.field.choices, " "));
      cases += fmt::format("    {}) {}; return ;;\n", fmt::join(o.names, "|"), reply);
    }
    return fmt::format(
        "_{0}() {{\n  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}\n  "
        "case $prev in\n{2}  esac\n"
        "  if [[ $cur == -* ]]; then\n    COMPREPLY=($(compgen -W '{3}' -- \"$cur\"))\n  else\n"
        "    COMPREPLY=($(compgen -f -- \"$cur\"))\n  fi\n}}\ncomplete -o filenames -F _{0} {1}\n",
        function, name, cases, words);
  }
  std::string out = shell == "zsh" ? fmt::format("#compdef {}\n_arguments", name) : "";
  if (shell != "zsh" && shell != "fish")
    throw UsageError(fmt::format("--completion '{}': expected bash, zsh or fish", shell));
  for (const OptionSpec& o : options) {
    if (o.hidden) continue;
    std::string help = escaped(o.field.help, '\'');
    for (const std::string& option : o.names) {
      if (shell == "zsh") {
        std::string shown = help;
        std::replace(shown.begin(), shown.end(), ':', ' ');
        std::replace(shown.begin(), shown.end(), '[', '(');
        std::replace(shown.begin(), shown.end(), ']', ')');
        std::string action = o.kind == OptionSpec::Kind::flag ? ""
                             : o.field.choices.empty()
                                 ? ":value:_files"
                                 : fmt::format(":value:({})", fmt::join(o.field.choices, " "));
        out += fmt::format(" \\\n  '{}[{}]{}'", option, shown, action);
      } else {
        std::string form =
            option.starts_with("--") ? "-l " + option.substr(2) : "-s " + option.substr(1);
        std::string choices =
            o.field.choices.empty() ? "" : fmt::format(" -a '{}'", fmt::join(o.field.choices, " "));
        out += fmt::format("complete -c {} {}{}{} -d '{}'\n", name, form,
                           o.kind == OptionSpec::Kind::flag ? "" : " -r", choices, help);
      }
    }
  }
  return shell == "zsh" ? out + " \\\n  '*:file:_files'\n" : out;
}

std::string nearest(const std::string& name, const std::vector<OptionSpec>& options) {
  std::string best;
  std::size_t least = 3;  // more than two changes is another word
  for (const OptionSpec& o : options) {
    for (const std::string& candidate : o.names) {
      if (!candidate.starts_with("--")) continue;
      std::vector<std::size_t> row(candidate.size() + 1);
      for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
      for (std::size_t i = 1; i <= name.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j < row.size(); ++j) {
          std::size_t above = row[j];
          row[j] =
              std::min({row[j] + 1, row[j - 1] + 1, diagonal + (name[i - 1] != candidate[j - 1])});
          diagonal = above;
        }
      }
      if (row.back() < least) {
        least = row.back();
        best = candidate;
      }
    }
  }
  return best;
}

}  // namespace atelier
