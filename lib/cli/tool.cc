// One boundary for every program: arguments in, exit status out.
#include "cli/tool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <list>
#include <new>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mapping.h"
#include "base/parallel.h"
#include "base/parse.h"
#include "cli/options.h"
#include "io/hdf5.h"

namespace atelier {

const std::string& OptionSpec::long_name() const {
  for (const std::string& name : names) {
    if (name.starts_with("--")) return name;
  }
  return names.front();
}

std::string OptionSpec::variable() const {
  std::string text = "ATELIER_" + key();
  for (char& c : text) c = c == '-' ? '_' : char(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string OperandSpec::key() const {
  std::string text = metavar;
  for (char& c : text) c = char(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

struct Tool::Impl {
  std::string name, summary;
  std::vector<OperandSpec> operands;
  std::vector<OptionSpec> options;
  std::vector<std::pair<std::string, Attributes>> presets;
  std::vector<std::function<void()>> settle;
  bool has_config = false, print_config = false, help = false, version = false, quiet = false,
       debug = false;
  std::int64_t verbose = 0, threads = 0;
  std::string config, preset, completion;

  OptionSpec& add(std::string names, OptionSpec spec);
  void environment();
  void apply_preset();
  void operands_from(const std::vector<std::string>& words);
  void require_operands() const;
};

namespace {

std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string_view> pieces = split(names, ',');
  return {pieces.begin(), pieces.end()};
}

template <class T>
OptionSpec spec_of(T& value, std::string metavar, std::string help, std::string group) {
  OptionSpec spec;
  spec.field = bind(value, {"", std::move(help)});
  spec.metavar = std::move(metavar);
  spec.group = std::move(group);
  return spec;
}

}  // namespace

OptionSpec& Tool::Impl::add(std::string names, OptionSpec spec) {
  spec.names = split_names(names);
  for (const std::string& name : spec.names) {
    if (find_option(name, options))
      throw std::logic_error(fmt::format("option {} is declared twice", name));
  }
  if (spec.field.name.empty()) {
    spec.field.name = spec.key();
    std::replace(spec.field.name.begin(), spec.field.name.end(), '-', '_');
  }
  options.push_back(std::move(spec));
  return options.back();
}

Tool::Tool(std::string name, std::string summary) : impl_(std::make_unique<Impl>()) {
  impl_->name = ATELIER_PREFIX + std::move(name);
  impl_->summary = std::move(summary);
}
Tool::~Tool() = default;

void Tool::operands(std::string metavar, std::vector<std::string>& values, std::string help,
                    bool required) {
  impl_->operands.push_back(
      {std::move(metavar), std::move(help), &values, nullptr, required, false});
}
void Tool::operand(std::string metavar, std::string& value, std::string help, bool required) {
  impl_->operands.push_back(
      {std::move(metavar), std::move(help), nullptr, &value, required, false});
}

void Tool::option(std::string names, std::string& value, std::string metavar, std::string help,
                  std::string group) {
  OptionSpec spec = spec_of(value, std::move(metavar), std::move(help), std::move(group));
  spec.shown_default = value;
  spec.field.filled = true;
  impl_->add(std::move(names), std::move(spec));
}
void Tool::option(std::string names, std::int64_t& value, std::string metavar, std::string help,
                  std::string group) {
  OptionSpec spec = spec_of(value, std::move(metavar), std::move(help), std::move(group));
  if (value >= 0) spec.shown_default = fmt::format("{}", value);
  spec.field.low = 0;
  impl_->add(std::move(names), std::move(spec));
}
void Tool::option(std::string names, double& value, std::string metavar, std::string help,
                  std::string group) {
  OptionSpec spec = spec_of(value, std::move(metavar), std::move(help), std::move(group));
  spec.shown_default = fmt::format("{}", value);
  impl_->add(std::move(names), std::move(spec));
}
void Tool::option(std::string names, std::vector<std::string>& values, std::string metavar,
                  std::string help, std::string group) {
  OptionSpec spec;
  spec.field.help = std::move(help);
  spec.many = &values;
  spec.metavar = std::move(metavar);
  spec.group = std::move(group);
  impl_->add(std::move(names), std::move(spec));
}
void Tool::choice(std::string names, std::string& value, std::vector<std::string> choices,
                  std::string help, std::string group) {
  option(std::move(names), value, "NAME", std::move(help), std::move(group));
  impl_->options.back().field.choices = std::move(choices);
  impl_->options.back().field.filled = false;  // an empty one is none of the choices
}
void Tool::flag(std::string names, bool& value, std::string help, std::string group) {
  OptionSpec spec = spec_of(value, "", std::move(help), std::move(group));
  spec.kind = OptionSpec::Kind::flag;
  impl_->add(std::move(names), std::move(spec));
}
void Tool::optional_value(std::string names, std::string& value, std::string without,
                          std::string metavar, std::string help, std::string group) {
  OptionSpec spec = spec_of(value, std::move(metavar), std::move(help), std::move(group));
  spec.kind = OptionSpec::Kind::optional_value;
  spec.without = std::move(without);
  impl_->add(std::move(names), std::move(spec));
}

void Tool::fields(const Fields& fields, std::string group,
                  std::vector<std::pair<std::string, std::string>> aliases) {
  for (const BoundField& field : fields) {
    if (field.from_data) continue;
    OptionSpec spec;
    spec.field = field;
    spec.group = group;
    spec.kind = std::holds_alternative<bool*>(field.target) ? OptionSpec::Kind::flag
                                                            : OptionSpec::Kind::value;
    auto* const* flag = std::get_if<bool*>(&field.target);
    spec.on_by_default = flag && **flag;
    spec.metavar = std::holds_alternative<std::int64_t*>(field.target) ? "N"
                   : std::holds_alternative<double*>(field.target)     ? "X"
                                                                       : "TEXT";
    Scalar value = field.value();
    auto* whole = std::get_if<std::int64_t>(&value);
    bool unset = whole && double(*whole) < field.low;
    if (spec.kind == OptionSpec::Kind::value && !unset) spec.shown_default = to_text(value);
    std::string names = field.flag();
    for (const auto& [name, alias] : aliases) {
      if (name == field.name)
        names = alias.starts_with("--") ? names + "," + alias : alias + "," + names;
    }
    impl_->add(names, std::move(spec));
  }
}

void Tool::incidental(std::string_view long_name) {
  OptionSpec* option = find_option(long_name, impl_->options);
  if (!option) throw std::logic_error(fmt::format("option {} is not declared", long_name));
  option->field.incidental = true;
}
void Tool::config_file() { impl_->has_config = true; }
void Tool::settle(std::function<void()> settle) { impl_->settle.push_back(std::move(settle)); }
void Tool::presets(std::vector<std::pair<std::string, Attributes>> presets) {
  impl_->presets = std::move(presets);
}

OptionSource Tool::source(std::string_view long_name) const {
  std::string name(long_name);
  if (!name.starts_with("--")) name = "--" + name;
  const OptionSpec* option = find_option(name, impl_->options);
  return option ? option->source : OptionSource::usual;
}
bool Tool::given(std::string_view long_name) const {
  return source(long_name) >= OptionSource::file;
}
bool Tool::typed(std::string_view long_name) const {
  return source(long_name) == OptionSource::typed;
}
const std::string& Tool::config_path() const { return impl_->config; }

std::string Tool::resolved_toml() const { return write_config(impl_->options, impl_->operands); }

void Tool::Impl::operands_from(const std::vector<std::string>& words) {
  std::size_t next = 0;
  for (OperandSpec& o : operands) {
    if (next >= words.size()) break;
    o.given = true;
    if (o.many) {
      o.many->assign(words.begin() + std::ptrdiff_t(next), words.end());
      next = words.size();
    } else {
      *o.one = words[next++];
    }
  }
  if (next < words.size()) throw UsageError(fmt::format("'{}': one operand too many", words[next]));
}

void Tool::Impl::require_operands() const {
  for (const OperandSpec& o : operands) {
    if (o.required && !o.given) throw UsageError(fmt::format("{} is missing", o.metavar));
  }
}

void Tool::Impl::environment() {
  for (OptionSpec& o : options) {
    if (o.hidden || o.source > OptionSource::variable || o.at_once) continue;
    std::string variable = o.variable();
    if (const char* value = std::getenv(variable.c_str()))
      set_option(o, value, OptionSource::variable, variable);
    if (!o.on_by_default) continue;
    variable.insert(std::string_view("ATELIER_").size(), "NO_");
    if (const char* value = std::getenv(variable.c_str()))
      set_option(o, opposite(value), OptionSource::variable, variable);
  }
}

void Tool::Impl::apply_preset() {
  if (preset.empty()) return;
  auto found = std::find_if(presets.begin(), presets.end(),
                            [&](const auto& p) { return p.first == preset; });
  if (found == presets.end()) {
    std::vector<std::string> names;
    for (const auto& p : presets) names.push_back(p.first);
    throw UsageError(fmt::format("--preset '{}': expected {}", preset, fmt::join(names, ", ")));
  }
  for (const auto& [name, value] : found->second) {
    for (OptionSpec& o : options) {
      if (o.field.name != name || o.source > OptionSource::preset) continue;
      o.field.set(value);
      o.source = OptionSource::preset;
    }
  }
}

namespace {

std::string level_text() {
  return cpu_has(Level::avx2) ? std::string(name(host_level())) : "none: this CPU lacks AVX2";
}

// The version line and, if more is wanted, what the program stands on.
std::string version_text(const std::string& program, bool verbose) {
  std::string text = version_line(program) + "\n";
  if (!verbose) return text;
  return text + fmt::format("HDF5 {}\nfmt {}.{}.{}\nkernels {}\n", hdf5_version(),
                            FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100,
                            level_text());
}

}  // namespace

Fields except(Fields fields, const Names& names) {
  std::erase_if(fields, [&](const BoundField& field) {
    return std::ranges::find(names, field.name) != names.end();
  });
  return fields;
}

std::string version_line(const std::string& program) {
  return fmt::format("{} (atelier) {}", program, ATELIER_VERSION);
}

namespace {

// A result that did not reach standard output is a failure, however late it shows.
int closed(int status) {
  if (::close(STDOUT_FILENO) != 0 && errno != EBADF && status == 0) {
    logging::error(fmt::format("standard output: cannot write: {}", std::strerror(errno)));
    return kExitFailed;
  }
  return status;
}

// Descriptors 0 to 2 exist: a file opened later must not become standard output. What was closed
// keeps failing: standard input cannot be read, standard output cannot be written.
bool occupy_descriptors() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    int mode = fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY;
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", mode) != fd) return false;
  }
  return true;
}

void print(const std::string& text) { write_all(STDOUT_FILENO, text, "standard output"); }

}  // namespace

int Tool::run(int argc, char** argv, const std::function<int()>& body) {
  Impl& t = *impl_;
  logging::set_program(t.name);
  if (!occupy_descriptors()) return kExitFailed;
  // A limit of file size fails as a full disk does, with a message and without leftovers.
  ::signal(SIGXFSZ, SIG_IGN);
  // Until a trainer installs handlers of its own.
  unlink_temporaries_on_signals();
  end_on_lost_pages(t.name);
  if (!t.presets.empty()) {
    OptionSpec spec =
        spec_of(t.preset, "NAME", "a named set of options, which flags override", "Configuration");
    for (const auto& p : t.presets) spec.field.choices.push_back(p.first);
    t.add("--preset", spec);
  }
  if (t.has_config) {
    for (const OperandSpec& o : t.operands) {
      if (find_option("--" + o.key(), t.options))
        throw std::logic_error(fmt::format("{} names an operand and an option", o.key()));
    }
    option("-c,--config", t.config, "FILE", "read options from a TOML file, keys as long flags",
           "Configuration");
    incidental("--config");
    flag("--print-config", t.print_config,
         "print all options that are set as such a file, and stop", "Configuration");
    incidental("--print-config");
    t.options.back().at_once = true;
  }
  option("-j,--threads", t.threads, "N",
         "threads; 0: OMP_NUM_THREADS, SLURM_CPUS_PER_TASK, or all CPUs allowed", "Common");
  t.options.back().field.high = kMaxThreads;
  flag("-q,--quiet", t.quiet, "only errors", "Common");
  option("-v,--verbose", t.verbose, "", "say more; twice: still more", "Common");
  t.options.back().kind = OptionSpec::Kind::count;
  t.options.back().shown_default.clear();
  flag("--debug", t.debug, "say everything, also what HDF5 tells of its errors", "Common");
  option("--completion", t.completion, "SHELL", "print a completion script", "Common");
  t.options.back().field.choices = {"bash", "zsh", "fish"};
  t.options.back().at_once = true;
  flag("-h,--help", t.help, "print this help", "Common");
  t.options.back().at_once = true;
  flag("--version", t.version, "print the version", "Common");
  t.options.back().at_once = true;
  try {
    std::vector<std::string> words =
        read_command_line({argv + std::min(argc, 1), argv + argc}, t.options);
    if (t.help) {
      print(help_text(t.name, t.summary, t.operands, t.options));
      return closed(kExitDone);
    }
    if (t.version) {
      print(version_text(t.name, t.verbose > 0));
      return closed(kExitDone);
    }
    if (!t.completion.empty()) {
      print(completion_script(t.name, t.options, t.completion));
      return closed(kExitDone);
    }
    t.operands_from(words);
    t.environment();
    if (given("config")) read_config(t.config, t.options, t.operands);
    t.apply_preset();
    for (const auto& settle : t.settle) settle();
    if (t.print_config) {
      print(resolved_toml());
      return closed(kExitDone);
    }
    t.require_operands();
    logging::set_level(t.quiet         ? logging::Level::error
                       : t.debug       ? logging::Level::debug
                       : t.verbose > 1 ? logging::Level::detail
                       : t.verbose     ? logging::Level::info
                                       : logging::Level::warning);
    set_threads(int(t.threads));
    if (logging::level() >= logging::Level::detail)
      logging::detail(fmt::format("kernels {}, {} threads", level_text(), num_threads()));
    return closed(body());
  } catch (const UsageError& error) {
    logging::error(fmt::format("{} (see {} --help)", error.what(), t.name));
    return kExitUsage;
  } catch (const std::bad_alloc&) {
    logging::error("out of memory");
  } catch (const std::exception& error) {
    logging::error(error.what());
  }
  return kExitFailed;
}

}  // namespace atelier
