// The words of a command line, left to right: options are set, operands are collected.
// CLI11 was tried behind the same tests and given up: it drops the = of an empty value, splits
// values in brackets, takes -output for -o utput and reports mistakes out of order; working around
// that took more lines than reading the words does.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "cli/options.h"

namespace atelier {
namespace {

using Kind = OptionSpec::Kind;

class CommandLine {
 public:
  CommandLine(std::vector<std::string> words, std::vector<OptionSpec>& options)
      : words_(std::move(words)), options_(options) {}

  std::vector<std::string> read() {
    std::vector<std::string> operands;
    for (bool options_end = false; next_ < words_.size();) {
      const std::string word = words_[next_++];
      if (options_end || word == "-" || !word.starts_with('-')) {
        operands.push_back(word);
      } else if (word == "--") {
        options_end = true;
      } else if (word.starts_with("--")) {
        read_long(word);
      } else {
        read_short(word);
      }
    }
    return operands;
  }

 private:
  using Attached = std::optional<std::string>;  // what follows '=' or the letter

  void read_long(const std::string& word) {
    std::size_t equals = std::min(word.find('='), word.size());
    std::string name = word.substr(0, equals);
    Attached value;
    if (equals < word.size()) value = word.substr(equals + 1);
    if (OptionSpec* option = find_option(name, options_)) return give(*option, name, value);
    if (name.starts_with("--no-")) {
      OptionSpec* option = find_option("--" + name.substr(5), options_);
      if (option && option->kind == Kind::flag) {
        if (value) throw UsageError(fmt::format("{}: takes no value, found '{}'", name, *value));
        return set_once(*option, name, "false");
      }
    }
    unknown(name, name);
  }

  void read_short(const std::string& word) {
    // -output means --output, not -o utput.
    if (word.size() > 2 && find_option("-" + word, options_)) unknown(word, "-" + word);
    for (std::size_t i = 1; i < word.size(); ++i) {
      std::string name{'-', word[i]};
      OptionSpec* option = find_option(name, options_);
      if (!option) unknown(i == 1 && word.size() > 2 ? word : name, "-" + word);
      if (option->kind == Kind::flag || option->kind == Kind::count) {
        give(*option, name, {});
        continue;
      }
      std::string rest = word.substr(i + 1);
      return give(*option, name, rest.empty() ? Attached{} : rest);
    }
  }

  void give(OptionSpec& option, const std::string& name, const Attached& value) {
    switch (option.kind) {
      case Kind::flag:
        return set_once(option, name, value.value_or("true"));
      case Kind::count:
        if (value) throw UsageError(fmt::format("{}: takes no value, found '{}'", name, *value));
        return set_option(option, to_text(std::get<std::int64_t>(option.field.value()) + 1),
                          OptionSource::typed, name);
      case Kind::optional_value:
        // Its keyword may stand apart; any other word may as well be an operand.
        if (!value && next_ < words_.size() && words_[next_] == option.without) ++next_;
        if (value && value->empty())
          throw UsageError(fmt::format("{}: needs a value behind the '='", name));
        return set_once(option, name, value.value_or(option.without));
      case Kind::value:
        if (!value && next_ == words_.size())
          throw UsageError(fmt::format("{}: needs a value ({})", name, option.metavar));
        std::string text = value ? *value : words_[next_++];
        if (text.empty() && option.field.filled) {
          throw UsageError(
              fmt::format("{}: needs a value ({}), found an empty one", name, option.metavar));
        }
        return set_once(option, name, text);
    }
  }

  void set_once(OptionSpec& option, const std::string& name, const std::string& value) {
    if (option.source == OptionSource::typed && !option.many)
      throw UsageError(fmt::format("{}: given twice", option.long_name()));
    set_option(option, value, OptionSource::typed, name);
  }

  [[noreturn]] void unknown(const std::string& name, const std::string& meant) const {
    std::string near = nearest(meant, options_);
    throw UsageError(fmt::format("unknown option '{}'{}", name,
                                 near.empty() ? "" : fmt::format("; is it {}?", near)));
  }

  std::vector<std::string> words_;
  std::vector<OptionSpec>& options_;
  std::size_t next_ = 0;
};

// Changes of one letter that turn one name into the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j < row.size(); ++j) {
      std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (from[i - 1] != to[j - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

OptionSpec* find_option(std::string_view name, std::vector<OptionSpec>& options) {
  for (OptionSpec& o : options) {
    if (std::find(o.names.begin(), o.names.end(), name) != o.names.end()) return &o;
  }
  return nullptr;
}

void set_option(OptionSpec& option, const std::string& value, OptionSource source,
                std::string_view shown) {
  if (option.many) {
    if (option.source != source) option.many->clear();
    option.many->push_back(value);
    option.source = source;
    return;
  }
  try {
    option.field.set_text(value);
  } catch (const UsageError& error) {
    std::string text = error.what(), flag = option.field.flag();
    if (text.starts_with(flag) && shown != flag)
      text = std::string(shown) + text.substr(flag.size());
    throw UsageError(text);
  }
  option.source = source;
}

std::string opposite(const std::string& value) {
  return value == "true" ? "false" : value == "false" ? "true" : value;
}

std::vector<std::string> read_command_line(std::vector<std::string> words,
                                           std::vector<OptionSpec>& options) {
  return CommandLine(std::move(words), options).read();
}

std::string nearest(const std::string& name, const std::vector<OptionSpec>& options) {
  std::string best, longer;
  std::size_t least = 3;  // more than two changes is another word
  for (const OptionSpec& o : options) {
    for (const std::string& candidate : o.names) {
      if (o.hidden || !candidate.starts_with("--")) continue;
      std::size_t changes = distance(name, candidate);
      if (changes < least) {
        least = changes;
        best = candidate;
      }
      if (longer.empty() && name.size() > 3 && candidate.starts_with(name)) longer = candidate;
    }
  }
  return best.empty() ? longer : best;
}

}  // namespace atelier
