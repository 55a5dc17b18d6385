// data-pack: pack pictures of any source, or points of a toy, into one HDF5 file.
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/tool.h"
#include "data/dataset.h"
#include "reading_page.h"

using namespace atelier;

int main(int argc, char** argv) {
  std::vector<std::string> sources;
  std::string output;
  ReadOptions options;
  options.real = true;
  bool force = false;

  Tool tool("data-pack", "Pack pictures, labels and captions into one HDF5 file.");
  tool.operands("SOURCE", sources,
                "folder, tar or idx file, HDF5 file, pictures, or - for standard input", false);
  tool.option("-o,--output", output, "FILE", "HDF5 file to write, - for standard output");
  tool.flag("--force", force, "write to a terminal all the same");
  tool.fields(options.fields(), "Reading");
  tool.config_file();

  return tool.run(argc, argv, [&] {
    if (output.empty()) throw UsageError("--output: expected a file, or - for standard output");
    refuse_idle_drawing(tool, options);
    refuse_idle_reading(tool, options);
    refuse_overwriting(output, files_read(sources, options));
    const Attributes provenance = {{"program", std::string("data-pack")}};
    PackResult result = pack_dataset(sources, options, output, provenance, force);
    logging::note(describe(result));
    return result.skipped > 0 ? kExitSkipped : kExitDone;
  });
}
