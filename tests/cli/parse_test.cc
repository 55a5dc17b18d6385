// Every way an option can be given, and every way it can be given wrongly.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/support.h"

namespace {

// What a run printed without the lines of settings that are as by default, and with operands once.
std::string changed(const std::string& out) {
  static const std::string kDefaults = "\n" + run_sample_tool({}).out;
  std::string rest;
  for (std::size_t at = 0; at < out.size();) {
    std::size_t end = out.find('\n', at) + 1;
    std::string line = out.substr(at, end - at);
    bool operand = line.starts_with("file = ");
    if (!operand && kDefaults.find("\n" + line) == std::string::npos) rest += line;
    at = end;
  }
  return rest;
}

struct Right {
  std::vector<std::string> words;
  const char* out;
};

const Right kRight[] = {
    {{}, ""},
    // values
    {{"--output", "x.h5"}, "output = \"x.h5\"\n"},
    {{"--output=x.h5"}, "output = \"x.h5\"\n"},
    {{"-o", "x.h5"}, "output = \"x.h5\"\n"},
    {{"-ox.h5"}, "output = \"x.h5\"\n"},
    {{"-o", "-"}, "output = \"-\"\n"},
    {{"-o-"}, "output = \"-\"\n"},
    {{"--output=-"}, "output = \"-\"\n"},
    {{"--output", "a b=c"}, "output = \"a b=c\"\n"},
    {{"--output=a=b"}, "output = \"a=b\"\n"},
    {{"--output==x"}, "output = \"=x\"\n"},
    {{"--output", "=x"}, "output = \"=x\"\n"},
    {{"-o=x"}, "output = \"=x\"\n"},
    {{"-oa=b"}, "output = \"a=b\"\n"},
    {{"--output", "-output"}, "output = \"-output\"\n"},
    {{"--output", "[a,b].h5"}, "output = \"[a,b].h5\"\n"},
    {{"--output", "[a]"}, "output = \"[a]\"\n"},
    {{"--output", "--steps"}, "output = \"--steps\"\n"},
    {{"--output", "--"}, "output = \"--\"\n"},
    {{"--output", "{}"}, "output = \"{}\"\n"},
    {{"--output", "tab\there \"quoted\" \\"}, "output = \"tab\\u0009here \\\"quoted\\\" \\\\\"\n"},
    {{"--hidden-dim", ""}, "hidden-dim = \"\"\n"},
    {{"--hidden-dim="}, "hidden-dim = \"\"\n"},
    {{"--hidden-dim=", "d.h5"}, "[d.h5]\nhidden-dim = \"\"\n"},
    {{"--hidden-dim", "400,200"}, "hidden-dim = \"400,200\"\n"},
    // texts that may be repeated
    {{"--note", "a"}, "note = [\"a\"]\n"},
    {{"--note", "b, c", "--note=", "--note", "\"a\""}, "note = [\"b, c\", \"\", \"\\\"a\\\"\"]\n"},
    // numbers
    {{"--steps", "500"}, "steps = 500\n"},
    {{"--steps=10k"}, "steps = 10000\n"},
    {{"--steps", "1.5M"}, "steps = 1500000\n"},
    {{"--steps", "1e6"}, "steps = 1000000\n"},
    {{"--steps", "0"}, "steps = 0\n"},
    {{"-b32"}, "batch-size = 32\n"},
    {{"-b", "32"}, "batch-size = 32\n"},
    {{"--shift", "-3"}, "shift = -3\n"},
    {{"--shift=-3"}, "shift = -3\n"},
    {{"--learning-rate", "1e-4"}, "learning-rate = 0.0001\n"},
    {{"--learning-rate", ".5"}, "learning-rate = 0.5\n"},
    // flags
    {{"--hflip"}, "hflip = true\n"},
    {{"--hflip=true"}, "hflip = true\n"},
    {{"--hflip=false"}, ""},
    {{"--no-hflip"}, ""},
    {{"--no-keep-best"}, "keep-best = false\n"},
    {{"--keep-best=false"}, "keep-best = false\n"},
    {{"--keep-best"}, ""},
    {{"-q"}, ""},
    {{"-qv"}, ""},
    {{"-v"}, ""},
    {{"-vvqj2"}, ""},
    {{"-qb32"}, "batch-size = 32\n"},
    {{"-qb", "32"}, "batch-size = 32\n"},
    {{"-qo-"}, "output = \"-\"\n"},
    {{"-qv", "--verbose", "-v"}, ""},
    // values that may be left out
    {{"--resume"}, "resume = \"auto\"\n"},
    {{"--resume=run/step.h5"}, "resume = \"run/step.h5\"\n"},
    {{"--resume", "d.h5"}, "[d.h5]\nresume = \"auto\"\n"},
    {{"--resume", "--steps", "5"}, "steps = 5\nresume = \"auto\"\n"},
    {{"--resume=auto"}, "resume = \"auto\"\n"},
    {{"--resume", "auto"}, "resume = \"auto\"\n"},
    {{"--resume", "auto", "--steps", "5", "x"}, "[x]\nsteps = 5\nresume = \"auto\"\n"},
    {{"--resume", "auto", "auto"}, "[auto]\nresume = \"auto\"\n"},
    {{"--resume=x.h5", "auto"}, "[auto]\nresume = \"x.h5\"\n"},
    {{"--resume", "auto.h5"}, "[auto.h5]\nresume = \"auto\"\n"},
    {{"--resume", "AUTO"}, "[AUTO]\nresume = \"auto\"\n"},
    {{"--resume", "-", "auto"}, "[-]\n[auto]\nresume = \"auto\"\n"},
    {{"--resume", "-q", "auto"}, "[auto]\nresume = \"auto\"\n"},
    {{"--resume", "--", "auto"}, "[auto]\nresume = \"auto\"\n"},
    {{"--resume", "--", "-x.h5"}, "[-x.h5]\nresume = \"auto\"\n"},
    {{"--", "--resume", "auto"}, "[--resume]\n[auto]\n"},
    {{"--output", "--resume", "auto"}, "[auto]\noutput = \"--resume\"\n"},
    {{"--output", "auto"}, "output = \"auto\"\n"},
    // operands, in any place
    {{"a", "b"}, "[a]\n[b]\n"},
    {{"a", "--steps", "5", "b"}, "[a]\n[b]\nsteps = 5\n"},
    {{"-"}, "[-]\n"},
    {{"-", "--hflip", "x"}, "[-]\n[x]\nhflip = true\n"},
    {{"--", "--steps", "-q", "-"}, "[--steps]\n[-q]\n[-]\n"},
    {{"--", "--", "x"}, "[--]\n[x]\n"},
    {{"--hflip", "--", "-x.h5"}, "[-x.h5]\nhflip = true\n"},
    {{"[old]", "[a,b]", "++", "%%"}, "[[old]]\n[[a,b]]\n[++]\n[%%]\n"},
    {{""}, "[]\n"},
    {{"a=b", "=c", "--", "-output", "--output=x"}, "[a=b]\n[=c]\n[-output]\n[--output=x]\n"},
    // presets
    {{"--preset", "small"}, "batch-size = 8\nnet = \"fc\"\npreset = \"small\"\n"},
    {{"--preset=small", "-b4"}, "batch-size = 4\nnet = \"fc\"\npreset = \"small\"\n"},
    {{"-b4", "--preset=small"}, "batch-size = 4\nnet = \"fc\"\npreset = \"small\"\n"},
    {{"--preset", "large", "--no-hflip"}, "batch-size = 512\npreset = \"large\"\n"},
};

struct Wrong {
  std::vector<std::string> words;
  const char* message;
};

const Wrong kWrong[] = {
    // unknown
    {{"--stepz", "5"}, "unknown option '--stepz'; is it --steps?"},
    {{"--stepz=5"}, "unknown option '--stepz'; is it --steps?"},
    {{"--step", "5"}, "unknown option '--step'; is it --steps?"},
    {{"--batchsize", "5"}, "unknown option '--batchsize'; is it --batch-size?"},
    {{"--batch_size", "5"}, "unknown option '--batch_size'; is it --batch-size?"},
    {{"--batch-szie=5"}, "unknown option '--batch-szie'; is it --batch-size?"},
    {{"--learning", "5"}, "unknown option '--learning'; is it --learning-rate?"},
    {{"--colour"}, "unknown option '--colour'"},
    {{"--no-colour"}, "unknown option '--no-colour'"},
    {{"--no-steps"}, "unknown option '--no-steps'"},
    {{"--=5"}, "unknown option '--'"},
    {{"--!x"}, "unknown option '--!x'"},
    {{"-x"}, "unknown option '-x'"},
    {{"-5"}, "unknown option '-5'"},
    {{"-qx"}, "unknown option '-x'"},
    {{"-q5"}, "unknown option '-5'"},
    {{"-steps", "5"}, "unknown option '-steps'; is it --steps?"},
    {{"-output", "x"}, "unknown option '-output'; is it --output?"},
    {{"-quiet"}, "unknown option '-quiet'; is it --quiet?"},
    {{"-xyz"}, "unknown option '-xyz'"},
    {{"a", "--stepz"}, "unknown option '--stepz'; is it --steps?"},
    // without a value, or with one too many
    {{"--output"}, "--output: needs a value (TEXT)"},
    {{"-o"}, "-o: needs a value (TEXT)"},
    {{"-qb"}, "-b: needs a value (N)"},
    {{"a", "--steps"}, "--steps: needs a value (N)"},
    {{"--verbose=2"}, "--verbose: takes no value, found '2'"},
    {{"--no-hflip=true"}, "--no-hflip: takes no value, found 'true'"},
    {{"--hflip=yes"}, "--hflip 'yes': expected true or false"},
    {{"--hflip="}, "--hflip '': expected true or false"},
    {{"--quiet=1"}, "--quiet '1': expected true or false"},
    // twice
    {{"-o", "x", "-o", "x"}, "--output: given twice"},
    {{"-o", "x", "--output=y"}, "--output: given twice"},
    {{"--hflip", "--hflip"}, "--hflip: given twice"},
    {{"--hflip", "--no-hflip"}, "--hflip: given twice"},
    {{"-qq"}, "--quiet: given twice"},
    {{"--resume", "--resume=x"}, "--resume: given twice"},
    {{"--resume="}, "--resume: needs a value behind the '='"},
    {{"--resume", "auto", "--resume"}, "--resume: given twice"},
    {{"--preset=small", "--preset=large"}, "--preset: given twice"},
    // values that are not such
    {{"--steps", "1,5"}, "--steps '1,5': expected a whole number of at least 0"},
    {{"--steps", ""}, "--steps '': expected a whole number of at least 0"},
    {{"--steps="}, "--steps '': expected a whole number of at least 0"},
    {{"--steps", "-1"}, "--steps '-1': expected a whole number of at least 0"},
    {{"--steps", "--hflip"}, "--steps '--hflip': expected a whole number of at least 0"},
    {{"--steps", "1.5"}, "--steps '1.5': expected a whole number of at least 0"},
    {{"--steps", "5 "}, "--steps '5 ': expected a whole number of at least 0"},
    {{"--steps", " 5"}, "--steps ' 5': expected a whole number of at least 0"},
    {{"--steps", "+5"}, "--steps '+5': expected a whole number of at least 0"},
    {{"--steps", "0x10"}, "--steps '0x10': expected a whole number of at least 0"},
    {{"--steps", "1e40"}, "--steps '1e40': expected a whole number of at least 0"},
    {{"--steps", "10x"}, "--steps '10x': expected a whole number of at least 0"},
    {{"-b", "0"}, "-b '0': expected a whole number from 1 to 1048576"},
    {{"-b0"}, "-b '0': expected a whole number from 1 to 1048576"},
    {{"--batch-size", "2M"}, "--batch-size '2M': expected a whole number from 1 to 1048576"},
    {{"--shift", "--3"}, "--shift '--3': expected a whole number"},
    {{"--learning-rate", "1,5"}, "--learning-rate '1,5': expected a number of at least 0"},
    {{"--learning-rate", "nan"}, "--learning-rate 'nan': expected a number of at least 0"},
    {{"--learning-rate", "inf"}, "--learning-rate 'inf': expected a number of at least 0"},
    {{"--learning-rate", "-1e-3"}, "--learning-rate '-1e-3': expected a number of at least 0"},
    {{"--net", "resnet"}, "--net 'resnet': expected fc, conv"},
    {{"--net", ""}, "--net '': expected fc, conv"},
    {{"--net", "FC"}, "--net 'FC': expected fc, conv"},
    {{"--preset", "huge"}, "--preset 'huge': expected small, large"},
    {{"--preset="}, "--preset '': expected small, large"},
    {{"--max-time", ""}, "--max-time: needs a value (TIME), found an empty one"},
    {{"--max-time="}, "--max-time: needs a value (TIME), found an empty one"},
    {{"--completion", "csh"}, "--completion 'csh': expected bash, zsh, fish"},
    {{"-j", "two"}, "-j 'two': expected a whole number from 0 to 1024"},
    // two mistakes: the first is told
    {{"--stepz", "5", "--steps", "x"}, "unknown option '--stepz'; is it --steps?"},
    {{"--steps", "x", "--stepz", "5"}, "--steps 'x': expected a whole number of at least 0"},
    {{"--colour", "--hflip", "--hflip"}, "unknown option '--colour'"},
    {{"--hflip", "--hflip", "--colour"}, "--hflip: given twice"},
    {{"--colour", "--output"}, "unknown option '--colour'"},
    {{"-b0", "--net", "resnet"}, "-b '0': expected a whole number from 1 to 1048576"},
    {{"--net", "resnet", "-b0"}, "--net 'resnet': expected fc, conv"},
};

}  // namespace

TEST_CASE("an option can be given in each of the usual ways") {
  for (const Right& row : kRight) {
    INFO(fmt::format("toy {}", fmt::join(row.words, " ")));
    Outcome got = run_sample_tool(row.words);
    CHECK(got.status == 0);
    CHECK(got.err == "");
    CHECK(changed(got.out) == row.out);
  }
  MESSAGE("summary: command line: " << std::size(kRight) << " right ones");
}

TEST_CASE("a wrong command line is one line about the first mistake, and status 2") {
  for (const Wrong& row : kWrong) {
    INFO(fmt::format("toy {}", fmt::join(row.words, " ")));
    Outcome got = run_sample_tool(row.words);
    CHECK(got.status == 2);
    CHECK(got.out == "");
    CHECK(got.err == fmt::format("toy: {} (see toy --help)\n", row.message));
  }
  MESSAGE("summary: command line: " << std::size(kWrong) << " wrong ones");
}

TEST_CASE("help, version and completion print and end well, whatever else is asked") {
  for (const char* word : {"--help", "-h", "--version", "--completion=bash"}) {
    INFO(std::string(word));
    Outcome got = run_sample_tool({word, "--steps", "5", "x"});
    CHECK(got.status == 0);
    CHECK(got.err == "");
    CHECK(got.out.find("toy") != std::string::npos);
  }
  CHECK(run_sample_tool({"--version"}).out == "toy (atelier) " ATELIER_VERSION "\n");
  CHECK(run_sample_tool({"--help", "--stepz"}).status == 2);
}

TEST_CASE("a flag that is on by default is offered as what turns it off, with words to match") {
  const std::string words = "turn off the best checkpoint";
  CHECK(run_sample_tool({"--help"}).out.find("--no-keep-best      " + words + "\n") !=
        std::string::npos);
  CHECK(run_sample_tool({"--completion=zsh"}).out.find("--no-keep-best[" + words + "]") !=
        std::string::npos);
  CHECK(run_sample_tool({"--completion=fish"}).out.find("-l no-keep-best -d '" + words + "'") !=
        std::string::npos);
}

TEST_CASE("verbose counts: from twice on the kernel level and the threads are told first") {
  const std::vector<std::string> kTwice[] = {
      {"-vv"}, {"-v", "-v"}, {"-vv", "-v"}, {"--verbose", "--verbose"}, {"--verbose", "-v"}};
  for (std::vector<std::string> words : kTwice) {
    INFO(fmt::format("toy {}", fmt::join(words, " ")));
    words.push_back("-j3");
    Outcome got = run_sample_tool(words, {{"ATELIER_ISA", "avx2"}});
    CHECK(got.status == 0);
    CHECK(got.err == "toy: kernels avx2, 3 threads\n");
  }
}
