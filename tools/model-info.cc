// model-info: what is in a file of ours.
#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "cli/tool.h"
#include "io/checkpoint.h"
#include "io/metrics.h"
#include "nn/layers.h"

using namespace atelier;

namespace {

void print(const std::string& line) { write_all(1, line + "\n", "standard output"); }

std::string shape_text(const DatasetInfo& info) {
  std::string text;
  for (auto d : info.dims) text += (text.empty() ? "" : ",") + std::to_string(d);
  return "[" + text + "]";
}

// Those of a group or dataset, but for its checksum.
void add_attributes(const Hdf5Reader& file, const std::string& path, Attributes& all) {
  if (!file.has(path)) return;
  for (const auto& [name, value] : file.attributes(path))
    if (name != "xxh3") all.emplace_back((path == "/" ? "" : path.substr(1) + ".") + name, value);
}

struct Totals {
  std::int64_t tensors = 0, numbers = 0;
  std::int64_t parameters = 0, running = 0;  // numbers of the model: weights, running statistics
};

// Of all datasets; `list` prints each on a line: path, type, shape.
Totals walk(const Hdf5Reader& file, bool list) {
  Totals totals;
  for (const std::string& path : file.datasets("/")) {
    DatasetInfo info = file.info(path);
    ++totals.tensors;
    totals.numbers += info.count();
    if (path.starts_with("/model/"))
      (is_running_statistic(path) ? totals.running : totals.parameters) += info.count();
    if (list) print(path + "\t" + std::string(name(info.type)) + "\t" + shape_text(info));
  }
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> inputs;
  bool check = false, json = false, tensors = false;
  Tool tool("model-info", "Tell what is in HDF5 files: kind, configuration, tensors, state.");
  tool.operands("FILE", inputs, "files to read, - for standard input");
  tool.flag("--check", check, "compare every checksum");
  tool.flag("--tensors", tensors, "list every dataset with its type and shape");
  tool.flag("--json", json, "one JSON object a file instead of lines");

  return tool.run(argc, argv, [&] {
    if (json && tensors) throw UsageError("--json and --tensors exclude each other");
    require_one_stdin(inputs);
    for (const std::string& input : inputs) {
      Hdf5Reader file = open_hdf5(input);
      std::string kind = file.kind();
      std::int64_t unchecked = check ? file.verify_all() : 0;
      Attributes all{{"file", input}, {"kind", kind.empty() ? std::string("foreign") : kind}};
      for (const char* object :
           {"/vectors", "/latents", "/config", "/preprocess", "/training", "/state", "/inputs"})
        add_attributes(file, object, all);
      if (file.has("/tokenizer") && !file.is_group("/tokenizer")) {
        const Attributes about = file.attributes("/tokenizer");
        const Scalar* type = find(about, "type");
        all.emplace_back("tokenizer", type ? to_text(*type) : std::string("unknown"));
      }
      Totals totals = walk(file, tensors && !json);
      if (file.is_group("/model")) {
        all.emplace_back("parameters", totals.parameters);
        if (totals.running > 0) all.emplace_back("running_statistics", totals.running);
      }
      all.emplace_back("datasets", totals.tensors);
      all.emplace_back("numbers", totals.numbers);
      if (check)
        all.emplace_back("checksums", unchecked == 0 ? std::string("right")
                                                     : "right, but " + std::to_string(unchecked) +
                                                           " datasets have none");
      if (json) {
        std::string line = to_json_line(all);
        print(line.substr(0, line.size() - 1));
        continue;
      }
      for (const auto& [name, value] : all) print(name + ": " + to_text(value));
    }
    return kExitDone;
  });
}
