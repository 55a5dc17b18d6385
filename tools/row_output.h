// What sample and interpolate write: options that both have, pictures, and of models that make none
// vectors and latents.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/tool.h"
#include "infer/infer.h"
#include "io/latents.h"
#include "io/picture_sink.h"
#include "io/vector_sink.h"

namespace atelier {

// What is written, where to, and with which weights of the model.
struct DrawnOutput {
  std::string output, format, grid, average = "auto";
  std::int64_t batch_size = 64;
  bool force = false;

  void declare(Tool& tool) {
    tool.option("-o,--output", output, "FILE",
                "file to write, - for standard output (also if not given)");
    tool.choice("--format", format, {"png", "ppm", "hdf5", "tar", "npy", "fvecs", "csv", "jsonl"},
                "png: one grid, ppm: one after another; vectors: hdf5 to jsonl; by the suffix");
    tool.option("--grid", grid, "WxH", "columns and rows of a png grid; nearly square");
    tool.flag("--force", force, "write to a terminal all the same");
    tool.option("--average", average, "NAME",
                "weights: auto (the first average if there is one), none, or its number");
    tool.option("-b,--batch-size", batch_size, "N", "pictures at once; does not change them");
  }

  SinkOptions pictures(const std::string& program, const std::string& model) const {
    return {.output = output.empty() ? "-" : output,
            .format = format,
            .grid = grid,
            .force = force,
            .text = {{"Software", version_line(program)}, {"Model", model}},
            .provenance = {{"model", model}}};
  }
  VectorSinkOptions vectors() const {
    return {.output = output.empty() ? "-" : output, .format = format, .force = force};
  }
};

// Nothing: the format or suffix is one of pictures, or of neither.
inline std::optional<std::string> vector_format(const VectorSinkOptions& options) {
  try {
    return format_of(options);
  } catch (const UsageError&) {
    return {};
  }
}

// Whether the format is one of vectors alone. Throws what format_of() does of pictures if it is
// one of neither: which of both the model makes is not known before it is read.
inline bool of_vectors_alone(const SinkOptions& pictures, const VectorSinkOptions& vectors) {
  try {
    format_of(pictures);
    return false;
  } catch (const UsageError&) {
    if (vector_format(vectors)) return true;
    throw;
  }
}

using AddRow = std::function<void(const VectorRow&)>;

// The rows that `draw` adds, as a file of what the model makes: latents, which are HDF5 alone, or
// vectors. With `labelled` each row has a label.
inline void write_rows(const Loaded& loaded, const VectorSinkOptions& options, bool labelled,
                       const std::function<void(const AddRow& add)>& draw) {
  DataShape shape = loaded.data_shape();
  if (auto space = loaded.latent_space()) {
    if (vector_format(options) != "hdf5") {
      throw Error(loaded.name() +
                  ": this model makes latents, which are no pictures: expected hdf5");
    }
    Latents about{.height = shape.height,
                  .width = shape.width,
                  .channels = shape.channels,
                  .space = *space,
                  .label_names = loaded.checkpoint().label_names,
                  .config = {{"model", loaded.model().name}},
                  .preprocess = {},
                  .inputs = {}};
    LatentSink sink(options.output, about, labelled, options.force);
    draw([&](const VectorRow& row) { sink.add(row); });
    sink.finish(about);
    return;
  }
  Vectors about;
  about.dim = shape.channels;
  about.metric = "l2";
  about.model = loaded.model().name;
  about.config = {{"model", loaded.model().name}, {kDrawn, true}};
  about.label_names = loaded.checkpoint().label_names;
  VectorSink sink(options, about, labelled);
  draw([&](const VectorRow& row) { sink.add({&row, 1}); });
  sink.finish(about);
}

}  // namespace atelier
