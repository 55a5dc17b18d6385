// A program with every kind of option, run in a child process as the shell would run it.
#pragma once

#include <string>
#include <utility>
#include <vector>

struct Outcome {
  int status = -1;
  std::string out, err;
};

// With these variables set. The program prints its operands, one a line in brackets, then its
// resolved configuration.
Outcome run_sample_tool(std::vector<std::string> words,
                        std::vector<std::pair<std::string, std::string>> variables = {});
