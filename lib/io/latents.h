// Files of kind latents: what an encoder makes of pictures and its decoder makes pictures of, which
// a diffusion model may learn in the place of pixels (Rombach et al. 2022, arXiv:2112.10752).
// atelier-hdf5(5).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/fields.h"
#include "io/hdf5.h"
#include "io/vector_sink.h"

namespace atelier {

// What all latents of an encoder have in common.
struct LatentSpace {
  // What a model multiplies them by, so that the standard deviation of all their numbers is 1; the
  // files hold them as the encoder gave them. Finite and above 0.
  double scaling_factor = 1;
  std::string vae;  // what decodes them, as name@digest of its weights; empty: not known

  friend bool operator==(const LatentSpace&, const LatentSpace&) = default;
};

// The dataset /latents of a file of this kind: [N,H,W,C], or [N,D], which is H = W = 1.
struct LatentsInfo {
  DatasetInfo dataset;
  std::int64_t height = 1, width = 1, channels = 0;
  LatentSpace space;
};
// Throws Error("x.h5: /latents has no scaling_factor: expected the factor that makes their
// deviation 1"), or for a dataset that is not f32 or f16 of such a shape, and for attributes that
// are not as above.
LatentsInfo describe_latents(const Hdf5Reader& file);

// Of two files that shall be one set: Error("b.h5: scaling_factor is '1', but '0.5' in a.h5").
void require_same_space(const std::string& name, const LatentSpace& space, const std::string& first,
                        const LatentSpace& wanted);

// What a file says of all its rows.
struct Latents {
  std::int64_t height = 1, width = 1, channels = 0;
  std::string dtype = "f32";  // or f16
  LatentSpace space;
  std::vector<std::string> label_names;
  Attributes config, preprocess, inputs;  // the groups of these names; empty: none
};

// Where latents go as they are made, one row of height x width x channels numbers after another;
// memory holds their names. The file appears whole or not at all; "-" is standard output.
class LatentSink {
 public:
  // Of `about` the shape and dtype are looked at now, the rest by finish(). With `labelled` each
  // row has a label, otherwise none has. A terminal is refused unless `force`.
  LatentSink(const std::string& output, const Latents& about, bool labelled, bool force = false);
  ~LatentSink();
  // Error as VectorSink::add().
  void add(const VectorRow& row);
  // Error for a scaling factor that is none.
  void finish(const Latents& about);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier
