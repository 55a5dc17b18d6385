// Configuration files: what is recorded, that it repeats the run, and what is said of wrong ones.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/support.h"

namespace {

// A configuration file that goes with its scope.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) {
    int fd = mkstemp(path_.data());
    if (fd < 0) std::abort();
    close(fd);
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "toy-XXXXXX").string();
};

// What a run printed after its operands in brackets: its resolved configuration.
std::string configuration(std::string out) {
  while (out.starts_with('[')) out.erase(0, out.find('\n') + 1);
  return out;
}

const std::vector<std::string> kRuns[] = {
    {},
    {"a.h5"},
    {"a.h5", "b c.h5", "with \"quotes\" \\ and\ttab"},
    {"deleted\x7f\x01.h5", "\xc3\xa9"},
    {"-"},
    {"--steps", "5", "--learning-rate", "0.1", "data/x.h5"},
    {"--no-keep-best", "--hflip", "--hidden-dim", "", "../x.h5"},
    {"--preset", "small", "--shift=-3", "x.h5"},
    {"--note", "a, b", "--note", "", "x.h5"},
    {"--output", "[a, b].h5", "--net", "fc", "--", "--steps"},
};

struct Wrong {
  const char* text;
  const char* message;  // after the path and ':'
};

const Wrong kWrong[] = {
    {"file = 5\n", "1: file: expected a text or a list of them"},
    {"file = [\"a\", 5]\n", "1: file: expected a text or a list of them"},
    {"steps = 5\nfiles = \"a\"\n", "2: unknown key 'files'"},
    {"stepz = 5\n", "1: unknown key 'stepz'; is it 'steps'?"},
    {"note = 1.5\n", "1: note: expected a text or a list of them"},
    {"help = true\n", "1: help: belongs on the command line, not in a file"},
    {"config = \"x\"\n", "1: config: belongs on the command line, not in a file"},
    {"print-config = true\n", "1: print-config: belongs on the command line, not in a file"},
    {"no-hflip = true\n", "1: unknown key 'no-hflip'"},
    {"no-keep-best = 3\n", "1: --keep-best '3': expected true or false"},
    {"steps = 1.5\n", "1: --steps '1.5': expected a whole number of at least 0"},
    {"net = \"resnet\"\n", "1: --net 'resnet': expected fc, conv"},
};

}  // namespace

TEST_CASE("a recorded configuration repeats the run with nothing else given") {
  for (const auto& words : kRuns) {
    INFO(fmt::format("toy {}", fmt::join(words, " ")));
    Outcome first = run_sample_tool(words);
    REQUIRE(first.status == 0);
    ConfigFile file(configuration(first.out));
    Outcome again = run_sample_tool({"-c", file.path()});
    CHECK(again.err == "");
    CHECK(again.out == first.out);
  }
  MESSAGE("summary: configuration: " << std::size(kRuns) << " runs repeated from their records");
}

TEST_CASE("what no TOML file can hold is left out, and the rest reads back") {
  std::string out = run_sample_tool({"--steps", "5", "--output", "\xff.h5", "a\xc3.h5"}).out;
  std::string written = configuration(out);
  CHECK(written.starts_with("# file: left out, since it is not UTF-8\n"));
  CHECK(written.find("# output: left out, since it is not UTF-8\n") != written.npos);
  ConfigFile file(written);
  Outcome again = run_sample_tool({"-c", file.path()});
  CHECK(again.err == "");
  CHECK(again.out.find("steps = 5\n") != again.out.npos);
}

TEST_CASE("what belongs to one call alone is taken from a file but not recorded") {
  std::string plain = run_sample_tool({"a"}).out;
  CHECK(run_sample_tool({"a", "--dry-run", "--max-time", "5m", "-qj2"}).out == plain);
  ConfigFile file("dry-run = true\nmax-time = \"5m\"\nfile = \"a\"\n");
  CHECK(run_sample_tool({"-c", file.path()}).out == plain);
  CHECK(run_sample_tool({"a"}, {{"ATELIER_MAX_TIME", "5m"}}).out == plain);
  CHECK(run_sample_tool({"a"}, {{"ATELIER_STEPS", "5"}}).out != plain);
}

TEST_CASE("what is on by default is turned off by the name that help offers, wherever it is said") {
  std::string off = run_sample_tool({"a", "--no-keep-best"}).out;
  CHECK(off.find("keep-best = false\n") != off.npos);
  ConfigFile file("no-keep-best = true\n");
  CHECK(run_sample_tool({"-c", file.path(), "a"}).out == off);
  CHECK(run_sample_tool({"a"}, {{"ATELIER_NO_KEEP_BEST", "true"}}).out == off);
  CHECK(run_sample_tool({"a"}, {{"ATELIER_KEEP_BEST", "false"}}).out == off);
  ConfigFile on("no-keep-best = false\n");
  CHECK(run_sample_tool({"-c", on.path(), "a"}).out == run_sample_tool({"a"}).out);
}

TEST_CASE("variables set what all tools have in common too") {
  auto err = [](const char* name, const char* value) {
    return run_sample_tool({"a"}, {{name, value}}).err;
  };
  CHECK(err("ATELIER_THREADS", "abc").find("ATELIER_THREADS 'abc': expected") != std::string::npos);
  CHECK(err("ATELIER_QUIET", "maybe").find("ATELIER_QUIET 'maybe': expected") != std::string::npos);
  CHECK(err("ATELIER_VERBOSE", "2").find("threads") != std::string::npos);
  CHECK(run_sample_tool({"a"}, {{"ATELIER_HELP", "true"}}).out == run_sample_tool({"a"}).out);
}

TEST_CASE("operands of the command line replace those of a file, all of them") {
  ConfigFile file("file = [\"a\", \"b\"]\n");
  CHECK(run_sample_tool({"-c", file.path()}).out.starts_with("[a]\n[b]\n"));
  std::string out = run_sample_tool({"-c", file.path(), "c"}).out;
  CHECK(out.starts_with("[c]\nfile = [\"c\"]\n"));
}

TEST_CASE("texts that may be repeated come from the nearest place alone") {
  ConfigFile file("note = [\"a\", \"b\"]\n");
  auto notes = [](const Outcome& got) {
    std::size_t at = got.out.find("note = ");
    return at == std::string::npos ? "" : got.out.substr(at, got.out.find('\n', at) - at);
  };
  CHECK(notes(run_sample_tool({})) == "");
  CHECK(notes(run_sample_tool({"-c", file.path()})) == "note = [\"a\", \"b\"]");
  std::vector<std::pair<std::string, std::string>> variable{{"ATELIER_NOTE", "c"}};
  CHECK(notes(run_sample_tool({"-c", file.path()}, variable)) == "note = [\"c\"]");
  CHECK(notes(run_sample_tool({"-c", file.path(), "--note", "d", "--note", "e"}, variable)) ==
        "note = [\"d\", \"e\"]");
  ConfigFile one("note = \"f\"\n");
  CHECK(notes(run_sample_tool({"-c", one.path()})) == "note = [\"f\"]");
}

TEST_CASE("a wrong file is one line that names it and the line, a hint, and status 2") {
  for (const Wrong& row : kWrong) {
    INFO(std::string(row.text));
    ConfigFile file(row.text);
    Outcome got = run_sample_tool({"-c", file.path()});
    CHECK(got.status == 2);
    CHECK(got.out == "");
    CHECK(got.err == fmt::format("toy: {}:{} (see toy --help)\n", file.path(), row.message));
  }
  MESSAGE("summary: configuration: " << std::size(kWrong) << " wrong files");
}
