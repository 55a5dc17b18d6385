// What a model is to the rest of the suite: a configuration and a few functions that build graphs.
// Trainers, samplers and evaluators know this page and no family.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fields.h"
#include "diffusion/objective.h"
#include "nn/objective.h"
#include "nn/scope.h"

namespace atelier {

struct DataShape {
  std::int64_t height = 0, width = 0, channels = 0;
  std::int64_t num_classes = 0;  // 0: no labels
  bool binary = false;           // pixels are 0 or 1
  // Numbers in units of their own, not pixels 0..1: vectors [1,1,channels], or latents.
  bool real = false;
  double scaling_factor = 1;    // of latents: what makes their deviation 1
  std::int64_t vocab_size = 0;  // of the tokenizer; 0: no captions
  std::int64_t least_rows = 0;  // of the smallest batch of a training; 0: nothing is trained
  std::string source = {};      // of the pictures, for messages

  bool vectors() const { return real && height == 1 && width == 1; }
};

// The fields image_height, image_width and in_channels, which the data decide.
Fields picture_fields(std::int64_t& height, std::int64_t& width, std::int64_t& channels);

// For models of pictures: Error("points.h5: holds vectors, but vae is a model of pictures").
void require_pictures(const DataShape& shape, std::string_view model);

// Which of the things that an encoder says of a picture is wanted.
struct EncodeArgs {
  // "auto": what the model was trained to give (a VAE's posterior mean, CLIP's embedding, the
  // input of a classifier's last layer); of transformers also "cls" or "mean" of the tokens.
  std::string pool = "auto";
  std::int64_t layer = -1;  // with cls and mean: after how many blocks; -1: all, and the last norm
};
// For models that have one thing to say: UsageError for any other choice.
void require_default(const EncodeArgs& args);

// Which pictures are drawn.
struct DrawArgs {
  std::int64_t rows = 1;
  Expr label = {};  // i32 [rows]: their classes, for models that data_shape() says draw classes
  double truncation = 1;  // factor of the latents: below 1 nearer to the middle, and more alike
};

// What a sample is asked to be.
struct Condition {
  Expr label = {};  // i32 [N], the number of classes being none: of models that know classes
};

// What trainers, samplers and judges of diffusion/ need to know of a model that tells noise from
// data. What is noised is scale x + offset of the data's x, f32 [N, height, width, channels] of
// data_shape().
struct DiffusionSpec {
  NoiseSchedule schedule;
  DiffusionArgs args;
  double scale = 1, offset = 0;
  bool bounded = false;     // of -1..1: samplers may clip what they predict
  bool knows_none = false;  // trained with labels left out: guidance has where to start from
};

// Squares of so many pixels that a picture is cut into, from its upper left corner; those at the
// right and lower edge may reach beyond it.
struct TokenGrid {
  std::int64_t rows = 0, columns = 0, patch_size = 0;
};

// A named choice of field values, of the model and of its training ("learning_rate"): what
// `--preset` starts from.
struct Preset {
  const char* name;
  const char* summary;  // one line
  Attributes values;
};

// Null functions are what a model cannot do. The configuration lives behind `state`; `fields` point
// into it. All functions may be called once a graph, with any Scope of the same names.
struct Model {
  std::string name;
  Fields fields;
  std::vector<Preset> presets;
  std::shared_ptr<void> state;

  // Takes what the data decides (fields with from_data), then checks the configuration as a whole:
  // UsageError for impossible combinations.
  std::function<void(const DataShape&)> fit;

  // Fields that do nothing in the fitted configuration, each with the option that says so:
  // {"kernel_size", "--net mlp"}. Null: none is known.
  std::function<std::vector<std::pair<std::string, std::string>>()> idle;

  std::function<Objective(const Scope&, const Batch&)> objective;  // training; or players
  // Parts that are trained in turns, as the configuration says now; empty: the objective.
  std::function<std::vector<Player>()> players;
  // Why the gradients of a batch are not the mean of its slices', which must then not be trained on
  // one after the other; null or empty: they are, batch norms apart.
  std::function<std::string()> no_slices;
  // The same objective in two steps, for losses that compare the rows of a batch with each other:
  // what each row says on its own, f32 [N, ..] each, and what is made of it all. A trainer may run
  // the first step in slices and the second over the whole batch (Gao et al. 2021,
  // arXiv:2101.06983). objective(s, b) = contrast(s, features(s, b), b).
  std::function<std::vector<Expr>(const Scope&, const Batch&)> features;
  std::function<Objective(const Scope&, std::span<const Expr>, const Batch&)> contrast;
  // Terms of held-out rows, each [N], the first being the one that "best" is chosen by.
  std::function<std::vector<Term>(const Scope&, const Batch&)> validation;
  // One importance sample a row of log p(x, z) - log q(z | x): f32 [N], nats. The log-mean-exp of k
  // draws is the k-sample bound of log p(x) (Burda et al. 2015, arXiv:1509.00519).
  std::function<Expr(const Scope&, const Batch&)> log_weight;
  // -> f32 [N, ..]; with default arguments it is what decode takes. UsageError for a pool or a
  // layer that the model does not have.
  std::function<Expr(const Scope&, Expr image, const EncodeArgs&)> encode;
  // The other name of pool "auto", "cls" or "mean", or "auto" itself; null: it has none.
  std::function<std::string()> pool;
  // -> image f32 [N,H,W,C], 0..1. `label` i32 [N]: as in DrawArgs.
  std::function<Expr(const Scope&, Expr latent, Expr label)> decode;
  std::function<Shape(std::int64_t rows)> latent_shape;
  std::function<Expr(const Scope&, const DrawArgs&)> draw;  // prior -> image, by scope noise
  // The latents that draw makes its pictures of, f32 latent_shape, by the same noise, where
  // draw(s, {n, l}) = decode(s, prior(s, n), l). Null: a drawn picture has no one latent.
  std::function<Expr(const Scope&, std::int64_t rows)> prior;
  // Why this configuration has no prior, so that draw, prior and log_weight throw; empty: it has
  // one.
  std::function<std::string()> no_prior;

  // In the place of draw: what is seen of noised data, as Denoiser has it and diffusion() says.
  std::function<Expr(const Scope&, Expr noised, Expr timestep, const Condition&)> denoise;
  std::function<DiffusionSpec()> diffusion;

  std::function<Expr(const Scope&, Expr tokens)> encode_text;  // i32 [N,T] -> f32 [N,D]
  std::function<std::int64_t()> context_length;                // T: tokens of a caption
  std::function<Expr(const Scope&, Expr image)> classify;      // -> logits f32 [N, classes]
  // Weights with which tokens look at tokens, one f32 [N, heads, T, T] a block, rows (the third
  // axis) summing to 1. The last places of T are those of token_grid, row by row; what lies before
  // them, such as a class token, belongs to no place in the picture.
  std::function<std::vector<Expr>(const Scope&, Expr image)> attention;
  std::function<TokenGrid()> token_grid;

  std::function<DataShape()> data_shape;  // of the fitted model: what pictures it takes and gives
};

// UsageError if --class-conditional has no labels, or more than can have weights of their own each.
void require_classes(std::int64_t num_classes);
// UsageError for heads that do not divide the width of tokens, and for patches larger than the
// pictures.
void require_heads(std::int64_t num_heads, std::int64_t embed_dim);
void require_patches(std::int64_t patch_size, std::int64_t height, std::int64_t width);

// A pool by the name that vectors record, so that equal ones are called equal: "auto" is "cls" or
// "mean" where the model means that by it.
std::string resolved_pool(const Model& model, const std::string& pool);

}  // namespace atelier
