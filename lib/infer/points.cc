// Checks that what is decoded is what the decoder's own encoder gave, or finds it by inversion.
#include "infer/points.h"

#include <fmt/format.h>

#include <span>

#include "base/error.h"
#include "base/file.h"
#include "data/input.h"
#include "data/picture_reader.h"
#include "infer/diffuse.h"
#include "infer/encode.h"
#include "infer/latents.h"
#include "io/vectors.h"

namespace atelier {
namespace {

void require_latents(const Loaded& model, const Vectors& v, const std::string& name) {
  auto refuse = [&](const std::string& what) { throw Error(fmt::format("{}: {}", name, what)); };
  const std::string& own = model.model().name;
  // Of what a generator was trained on its file does not tell: vectors of an encoder, perhaps.
  if (v.drawn()) {
    if (!model.model().encode)
      refuse(fmt::format("vectors that a '{}' drew are data, not latents of {}", v.model,
                         model.name()));
  } else if (!v.model.empty() && v.model != own) {
    refuse(fmt::format("vectors of model '{}', but {} is '{}'", v.model, model.name(), own));
  }
  std::int64_t size = latent_size(model);
  if (v.dim != size)
    refuse(fmt::format("vectors of {} numbers, but {} decodes {}", v.dim, model.name(), size));
  if (v.normalized) refuse("normalized vectors, whose lengths are lost, cannot be decoded");
  if (const Scalar* pool = find(v.config, "pool"); pool && *pool != Scalar(std::string("auto")))
    refuse(fmt::format("vectors of --pool {} cannot be decoded", to_text(*pool)));
  if (const Scalar* weights = find(v.inputs, "model");
      weights && to_text(*weights) != model.digest())
    refuse(fmt::format("vectors of other weights than those of {}", model.name()));
}

std::vector<float> row_of_vectors(const Loaded& model, Input input, std::int64_t index) {
  std::int64_t size = latent_size(model);
  std::string source = input.source;
  Vectors v = take_vectors(std::move(input));
  require_latents(model, v, source);
  if (index >= v.size())
    throw Error(fmt::format("{}: has no vector {}, it holds {} from 0", source, index, v.size()));
  return {v.values.begin() + index * size, v.values.begin() + (index + 1) * size};
}

// Of `size` numbers, as decoders take them.
std::vector<float> encoded(const Loaded& model, const Item& item, std::int64_t place,
                           std::int64_t size) {
  Encoder encoder(model);
  if (encoder.dim() != size) {
    throw Error(fmt::format("{}: its encoder gives {} numbers and its decoder takes {}",
                            model.name(), encoder.dim(), size));
  }
  std::span<const float> row = encoder.encode({&item, 1}, {&place, 1});
  return {row.begin(), row.end()};
}

std::vector<float> inverted(const Loaded& model, const Item& item, const std::string& source,
                            const SampleArgs& args) {
  Dataset one;  // which the item outlives
  one.source = source;
  one.size = 1;
  one.height = item.picture.height;
  one.width = item.picture.width;
  one.channels = item.picture.channels;
  one.dtype = item.dtype();
  one.real = item.real;
  one.pixels = item.bytes();
  const std::int64_t first = 0;
  return invert(model, one, {&first, 1}, args);
}

// A vector or a latent that such a model makes, as data.
std::vector<float> inverted_row(const Loaded& model, const std::string& source, std::int64_t index,
                                ReadOptions reading, const SampleArgs& args) {
  reading.real = true;
  Dataset rows = read_dataset({&source, 1}, reading);
  if (index >= rows.size)
    throw Error(fmt::format("{}: has no row {}, it holds {} from 0", source, index, rows.size));
  return invert(model, rows, {&index, 1}, args);
}

}  // namespace

std::vector<float> latents_of_vectors(const Loaded& model, const std::string& input) {
  Vectors v = read_all_vectors(input);
  require_latents(model, v, input_name(input));
  return std::move(v.values);
}

std::vector<float> latent_of_file(const Loaded& model, const std::string& source,
                                  std::int64_t index, const ReadOptions& reading,
                                  const SampleArgs& args) {
  std::int64_t size = latent_size(model);
  if (model.data_shape().real && latents_are_noise(model))
    return inverted_row(model, source, index, reading, args);
  std::vector<Input> inputs = identify_all({&source, 1}, reading);
  if (inputs.size() == 1 && kind_of(inputs[0]) == "vectors")
    return row_of_vectors(model, std::move(inputs[0]), index);
  PictureReader reader(std::move(inputs), reading, {index, index + 1});
  Item item;
  if (!reader.next(item)) throw Error(fmt::format("{}: has no picture {}", source, index));
  const Picture& picture = item.picture;
  model.require_shape(reader.source(), picture.height, picture.width, picture.channels);
  if (latents_are_noise(model)) return inverted(model, item, reader.source(), args);
  return encoded(model, item, reader.place(), size);
}

}  // namespace atelier
