// Configuration files: strict TOML whose keys are long flag names.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "cli/options.h"

namespace atelier {
namespace {

std::string text_of(const toml::node& node, const std::string& where) {
  if (auto text = node.as_string()) return text->get();
  if (auto whole = node.as_integer()) return fmt::format("{}", whole->get());
  if (auto number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (auto flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (auto list = node.as_array()) {
    std::string joined;
    for (const toml::node& item : *list)
      joined += (joined.empty() ? "" : ",") + text_of(item, where);
    return joined;
  }
  throw UsageError(where + ": expected a text, a number, true, false or a list of them");
}

std::string toml_text(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", int(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

void read_config(const std::string& path, std::vector<OptionSpec>& options) {
  std::string source = read_text(path);
  toml::table table;
  try {
    table = toml::parse(source, path);
  } catch (const toml::parse_error& error) {
    throw UsageError(
        fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
  for (const auto& [key, node] : table) {
    std::string name(key.str());
    std::string where = fmt::format("{}:{}: {}", path, node.source().begin.line, name);
    auto found = std::find_if(options.begin(), options.end(),
                              [&](const OptionSpec& o) { return !o.hidden && o.key() == name; });
    if (found == options.end()) {
      std::string near = nearest("--" + name, options);
      throw UsageError(
          fmt::format("{}:{}: unknown key '{}'{}", path, node.source().begin.line, name,
                      near.empty() ? "" : fmt::format("; is it '{}'?", near.substr(2))));
    }
    std::string value = text_of(node, where);
    if (found->source > 2) continue;
    try {
      found->field.set_text(value);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{}:{}: {}", path, node.source().begin.line, error.what()));
    }
    found->source = 2;
  }
}

std::string write_config(const std::vector<OptionSpec>& options) {
  std::string out;
  for (const OptionSpec& o : options) {
    if (o.hidden || o.group == "Common") continue;
    Scalar value = o.field.value();
    auto* text = std::get_if<std::string>(&value);
    // Empty texts and values out of the option's bounds stand for "not given".
    auto* whole = std::get_if<std::int64_t>(&value);
    if (o.source == 0 && text && text->empty()) continue;
    if (o.source == 0 && whole && double(*whole) < o.field.low) continue;
    std::string shown = text ? toml_text(*text) : to_text(value);
    out += fmt::format("{} = {}\n", o.key(), shown);
  }
  return out;
}

}  // namespace atelier
