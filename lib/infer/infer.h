// Running trained models: batches, seeds and checkpoints for any registered model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "infer/sample_args.h"
#include "io/checkpoint.h"
#include "io/latents.h"
#include "models/registry.h"
#include "run/plan.h"

namespace atelier {

// A model with its weights, ready to use.
class Loaded {
 public:
  // Reads a checkpoint ("-" = standard input) and builds the model it names. `average`: which
  // weights to use: "auto" (the first average if there is one), "none", or an index ("0").
  // Throws Error naming the input: no checkpoint, unknown model, tensors that are missing or of
  // another shape than the configuration says, no such average.
  Loaded(const std::string& input, const std::string& average = "auto");
  // Around a store that is being trained (the trainer's grids); the store must outlive it.
  // `store_prefix`: "" or that of an average, "ema0/".
  Loaded(Model model, Store& store, std::string store_prefix);
  Loaded(Loaded&&) noexcept;
  ~Loaded();

  const Model& model() const;
  const Checkpoint& checkpoint() const;
  DataShape data_shape() const;
  const std::string& name() const;  // of the file, for messages
  // A plan over `rows` rows in eval mode whose output "y" is what `build` gives. Throws Error
  // naming the file if the checkpoint lacks a tensor that the graph needs.
  Plan plan(std::int64_t rows, const std::function<Expr(const Scope&)>& build) const;
  // The shape of what `build` gives, without making a plan of it.
  Shape shape(std::int64_t rows, const std::function<Expr(const Scope&)>& build) const;
  Binarize binarize() const;   // as the pictures were that the model was trained on
  std::string digest() const;  // of the weights in use, 16 hexadecimal digits
  // Of a model that makes latents: what their files say of them, its own scaling factor and the vae
  // of those trained on.
  std::optional<LatentSpace> latent_space() const;
  // Throws Error unless the model takes such pictures, or with `real` vectors or latents: "x.h5:
  // pictures of 8x8x3, but vae.h5 takes 28x28x1", "x.h5: vectors of 2, but vae.h5 takes pictures of
  // 28x28x1".
  void require_shape(const std::string& source, std::int64_t height, std::int64_t width,
                     std::int64_t channels, bool real = false) const;
  // The same of a data set; latents are of the space too that the model makes: Error("l.h5:
  // scaling_factor is '1000', but '0.5' in dit.h5").
  void require_fit(const Dataset& data) const;
  // Gives the row [..] of each picture of what `build` makes of a batch, f32 [N, ..]: in the order
  // of `indices`, the same whatever the batch. Pictures are binarized as those trained on, labels
  // are there if the set has classes, `seed` is that of the noise. Throws Error if the shapes
  // differ.
  void for_each_row(const Dataset& data, std::span<const std::int64_t> indices,
                    std::int64_t batch_size,
                    const std::function<Expr(const Scope&, const Batch&)>& build,
                    const std::function<void(std::int64_t index, std::span<const float> row)>& give,
                    std::int64_t seed = 0) const;
  Store& store() const;                     // for estimators of eval/
  const std::string& store_prefix() const;  // of the weights in use

  // Fills the reading options that the user did not give (`given` is asked by flag, "--filter")
  // with how the model's own pictures were prepared: its size, crop, filter, channels, background.
  // Vectors and latents are not prepared.
  void prepare(ReadOptions& reading, const std::function<bool(std::string_view flag)>& given) const;

  // What the model draws for the given seeds, f32 [H,W,C] each: pictures 0..1, or vectors or
  // latents in units of their own; the same for any batch size, order or shard. Throws Error("x.h5:
  // this model cannot draw samples") if so, for a class that it does not have, and UsageError for a
  // truncation of a model whose pictures have no one latent. `stop` is asked before each batch;
  // false: it said so, and the rest was not given.
  bool sample_values(std::span<const std::int32_t> seeds,
                     const std::function<void(std::int64_t index, std::span<const float>)>& give,
                     const SampleArgs& args = {}, const std::function<bool()>& stop = {});
  // The same as pictures u8 [H,W,C], or several with SampleArgs::trajectory; Error too if what it
  // makes is none.
  bool sample(std::span<const std::int32_t> seeds,
              const std::function<void(std::int64_t index, std::span<const std::uint8_t>)>& give,
              const SampleArgs& args = {}, const std::function<bool()>& stop = {});
  // encode then decode: the model's reconstruction of pictures of a data set of its shape,
  // binarized as those that it was trained on. Throws Error if the shapes differ, or if what it
  // makes is no pictures.
  void reconstruct(const Dataset& data, std::span<const std::int64_t> indices,
                   const std::function<void(std::int64_t, std::span<const std::uint8_t>)>& give,
                   std::int64_t batch_size = 64);
  // What the encoder says of each picture (a VAE: the posterior mean), f32 [indices, ..] row-major.
  std::vector<float> encode(const Dataset& data, std::span<const std::int64_t> indices,
                            std::int64_t batch_size = 64);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier
