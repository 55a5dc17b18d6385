// The child process, its two pipes and the program in it.
#include "support.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "cli/tool.h"

using namespace atelier;

namespace {

struct Settings {
  std::int64_t steps = -1, batch_size = 64, shift = 0;
  double learning_rate = 1e-3;
  bool hflip = false, keep_best = true, dry_run = false;
  std::string output, net = "conv", hidden_dim = "400", resume, max_time, classes;
  std::vector<std::string> files;

  Fields fields() {
    return {
        bind(output, {"output", "file to write"}),
        bind(steps, {"steps", "updates", "", {}, 0}),
        bind(batch_size, {"batch_size", "pictures an update", "", {}, 1, 1 << 20}),
        bind(shift, {"shift", "a whole number of either sign"}),
        bind(learning_rate, {"learning_rate", "highest rate", "Kingma and Ba 2014", {}, 0}),
        bind(hflip, {"hflip", "flip pictures"}),
        bind(keep_best, {"keep_best", "the best checkpoint"}),
        bind(net, {"net", "network", "", {"fc", "conv"}}),
        bind(hidden_dim, {"hidden_dim", "widths, such as 400,200"}),
        bind(dry_run, {.name = "dry_run", .help = "stop early", .incidental = true}),
    };
  }
};

int program(std::vector<std::string> words) {
  Settings s;
  Tool tool("toy", "Try every kind of option.");
  tool.operands("FILE", s.files, "files to read, - for standard input", false);
  tool.fields(s.fields(), "Settings", {{"output", "-o"}, {"batch_size", "-b"}});
  tool.optional_value("--resume", s.resume, "auto", "FILE", "go on", "Settings");
  tool.option("--max-time", s.max_time, "TIME", "how long", "Settings");
  tool.incidental("--max-time");
  tool.list("--class", s.classes, "NAME", "one of several", "Settings");
  tool.presets({{"small", {{"batch_size", std::int64_t(8)}, {"net", std::string("fc")}}},
                {"large", {{"batch_size", std::int64_t(512)}, {"hflip", true}}}});
  tool.config_file();
  std::vector<char*> argv;
  words.insert(words.begin(), "toy");
  for (std::string& word : words) argv.push_back(word.data());
  return tool.run(int(argv.size()), argv.data(), [&] {
    for (const std::string& file : s.files) std::printf("[%s]\n", file.c_str());
    std::fputs(tool.resolved_toml().c_str(), stdout);
    std::fflush(stdout);
    return kExitDone;
  });
}

// Both pipes to their ends, whichever fills first.
void drain(int out, int err, Outcome& outcome) {
  pollfd ends[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  for (int open = 2; open > 0;) {
    poll(ends, 2, -1);
    for (int i = 0; i < 2; ++i) {
      if (ends[i].fd < 0 || !ends[i].revents) continue;
      char buffer[4096];
      ssize_t got = read(ends[i].fd, buffer, sizeof buffer);
      if (got > 0) {
        (i == 0 ? outcome.out : outcome.err).append(buffer, std::size_t(got));
      } else {
        close(ends[i].fd);
        ends[i].fd = -1;
        --open;
      }
    }
  }
}

}  // namespace

Outcome run_sample_tool(std::vector<std::string> words,
                        std::vector<std::pair<std::string, std::string>> variables) {
  int out[2], err[2];
  if (pipe(out) != 0 || pipe(err) != 0) std::abort();
  std::fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    for (int fd : {out[0], out[1], err[0], err[1]}) close(fd);
    for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
    std::_Exit(program(std::move(words)));
  }
  close(out[1]);
  close(err[1]);
  Outcome outcome;
  drain(out[0], err[0], outcome);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  return outcome;
}
