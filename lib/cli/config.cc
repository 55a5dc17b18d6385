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

// A text, or a list of them.
std::vector<std::string> words_of(const toml::node& node, const std::string& where) {
  std::vector<std::string> words;
  if (auto text = node.as_string()) words.push_back(text->get());
  auto list = node.as_array();
  if (!list && words.empty()) throw UsageError(where + ": expected a text or a list of them");
  for (std::size_t i = 0; list && i < list->size(); ++i) {
    auto text = list->get_as<std::string>(i);
    if (!text) throw UsageError(where + ": expected a text or a list of them");
    words.push_back(text->get());
  }
  return words;
}

void set_operand(OperandSpec& operand, std::vector<std::string> words, const std::string& where) {
  if (operand.one) {
    if (words.size() != 1)
      throw UsageError(fmt::format("{}: expected one text, found {}", where, words.size()));
    *operand.one = words.front();
  } else {
    *operand.many = std::move(words);
  }
  operand.given = true;
}

std::string toml_text(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", int(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string toml_list(std::vector<std::string> words) {
  for (std::string& word : words) word = toml_text(word);
  return fmt::format("[{}]", fmt::join(words, ", "));
}

// "key = value", or a comment if no TOML file can hold the value, as a path that is not UTF-8.
std::string entry(const std::string& key, const std::string& value) {
  std::string line = fmt::format("{} = {}\n", key, value);
  try {
    (void)toml::parse(line);
  } catch (const toml::parse_error&) {
    return fmt::format("# {}: left out, since it is not UTF-8\n", key);
  }
  return line;
}

}  // namespace

void read_config(const std::string& path, std::vector<OptionSpec>& options,
                 std::vector<OperandSpec>& operands) {
  std::string source = read_text(path);
  toml::table table;
  try {
    table = toml::parse(source, path);
  } catch (const toml::parse_error& error) {
    throw UsageError(
        fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
  const bool operands_given =
      std::any_of(operands.begin(), operands.end(), [](const OperandSpec& o) { return o.given; });
  for (const auto& [key, node] : table) {
    std::string name(key.str());
    std::string where = fmt::format("{}:{}: {}", path, node.source().begin.line, name);
    auto operand = std::find_if(operands.begin(), operands.end(),
                                [&](const OperandSpec& o) { return o.key() == name; });
    if (operand != operands.end()) {
      std::vector<std::string> words = words_of(node, where);
      if (!operands_given) set_operand(*operand, std::move(words), where);
      continue;
    }
    bool negated = false;
    auto found = std::find_if(options.begin(), options.end(), [&](const OptionSpec& o) {
      negated = name == o.negated_key();
      return !o.hidden && (o.key() == name || negated);
    });
    if (found == options.end()) {
      std::string near = nearest("--" + name, options);
      throw UsageError(
          fmt::format("{}:{}: unknown key '{}'{}", path, node.source().begin.line, name,
                      near.empty() ? "" : fmt::format("; is it '{}'?", near.substr(2))));
    }
    if (found->at_once || name == "config")
      throw UsageError(where + ": belongs on the command line, not in a file");
    std::vector<std::string> words;
    std::string value;
    if (found->many) {
      words = words_of(node, where);
    } else {
      value = text_of(node, where);
      if (negated) value = opposite(value);
    }
    if (found->source > OptionSource::file) continue;
    if (found->many) {
      for (const std::string& word : words) set_option(*found, word, OptionSource::file, where);
      continue;
    }
    try {
      found->field.set_text(value);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{}:{}: {}", path, node.source().begin.line, error.what()));
    }
    found->source = OptionSource::file;
  }
}

std::string write_config(const std::vector<OptionSpec>& options,
                         const std::vector<OperandSpec>& operands) {
  std::string out;
  for (const OperandSpec& o : operands) {
    if (!o.given) continue;
    out += entry(o.key(), o.one ? toml_text(*o.one) : toml_list(*o.many));
  }
  for (const OptionSpec& o : options) {
    if (o.hidden || o.group == "Common" || o.field.incidental) continue;
    if (o.many) {
      if (o.source != OptionSource::usual) out += entry(o.key(), toml_list(*o.many));
      continue;
    }
    Scalar value = o.field.value();
    auto* text = std::get_if<std::string>(&value);
    // Empty texts that nobody wrote and values out of the option's bounds stand for "not given".
    auto* whole = std::get_if<std::int64_t>(&value);
    if (o.source == OptionSource::usual && text && text->empty()) continue;
    if (whole && double(*whole) < o.field.low) continue;
    out += entry(o.key(), text ? toml_text(*text) : to_text(value));
  }
  return out;
}

}  // namespace atelier
