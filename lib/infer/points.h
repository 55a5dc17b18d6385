// Latents out of files: a picture through the encoder, or back to its noise, or rows that img2vec
// wrote.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "infer/infer.h"

namespace atelier {

// Of a file of kind vectors the row, of any other source the picture of this index, from 0; of
// diffusion models, of vectors and latents too, by invert(), as `args` says. Error naming the file
// if it has none, or if the model cannot encode or decode.
std::vector<float> latent_of_file(const Loaded& model, const std::string& source,
                                  std::int64_t index, const ReadOptions& reading,
                                  const SampleArgs& args = {});

// All rows of vectors, "-" being standard input: [N, latent_size]. Error naming the file for those
// of another model, other weights, another width, or normalized ones, whose lengths are lost.
std::vector<float> latents_of_vectors(const Loaded& model, const std::string& input);

}  // namespace atelier
