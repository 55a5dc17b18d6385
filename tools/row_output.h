// What sample and interpolate write of models that make no pictures: vectors, and latents.
#pragma once

#include <functional>

#include "base/error.h"
#include "infer/infer.h"
#include "io/latents.h"
#include "io/picture_sink.h"
#include "io/vector_sink.h"

namespace atelier {

// Whether the format is one of vectors alone. Throws what format_of() does of pictures if it is
// one of neither: which of both the model makes is not known before it is read.
inline bool of_vectors_alone(const SinkOptions& pictures, const VectorSinkOptions& vectors) {
  try {
    format_of(pictures);
    return false;
  } catch (const UsageError&) {
    try {
      format_of(vectors);
      return true;
    } catch (const UsageError&) {
    }
    throw;
  }
}

inline bool is_hdf5(const VectorSinkOptions& options) {
  try {
    return format_of(options) == "hdf5";
  } catch (const UsageError&) {  // a format or suffix of pictures
    return false;
  }
}

using AddRow = std::function<void(const VectorRow&)>;

// The rows that `draw` adds, as a file of what the model makes: latents, which are HDF5 alone, or
// vectors. With `labelled` each row has a label.
inline void write_rows(const Loaded& loaded, const VectorSinkOptions& options, bool labelled,
                       const std::function<void(const AddRow& add)>& draw) {
  DataShape shape = loaded.data_shape();
  if (auto space = loaded.latent_space()) {
    if (!is_hdf5(options)) {
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
  about.config = {{"model", loaded.model().name}};
  about.label_names = loaded.checkpoint().label_names;
  VectorSink sink(options, about, labelled);
  draw([&](const VectorRow& row) { sink.add({&row, 1}); });
  sink.finish(about);
}

}  // namespace atelier
