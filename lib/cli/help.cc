// Help in groups, 79 columns, defaults with their origin.
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
  std::string text = o.said();
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

}  // namespace

std::string OptionSpec::said() const {
  return (kind == Kind::flag && on_by_default ? "turn off " : "") + field.help;
}

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

}  // namespace atelier
