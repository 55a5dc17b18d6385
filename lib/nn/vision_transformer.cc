// Patches, positions, blocks.
#include "nn/vision_transformer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "nn/layers.h"

namespace atelier {
namespace {

// Non-overlapping patches, each through one linear map: [N, rows, columns, width]. Written as a
// product of patches and weights, since that is what a convolution of stride = kernel is.
Expr patches(const Scope& scope, Expr image, const VisionTransformerArgs& args, Where where) {
  Within within(scope, where);
  const Shape s = image.shape();
  std::int64_t p = args.patch_size;
  PatchGrid grid = patch_grid(s[1], s[2], p);
  if (grid.rows * p != s[1]) image = pad(image, 1, 0, grid.rows * p - s[1], 0, where);
  if (grid.columns * p != s[2]) image = pad(image, 2, 0, grid.columns * p - s[2], 0, where);
  Expr tiles = reshape(image, {s[0], grid.rows, p, grid.columns, p, s[3]}, where);
  tiles = transpose(tiles, {0, 1, 3, 2, 4, 5}, where);
  Expr rows = reshape(tiles, {s[0] * grid.rows * grid.columns, p * p * s[3]}, where);
  Shape weight_shape{p, p, s[3], args.width};  // as of the convolution, for other programs
  std::int64_t fan_in = fan_in_of(weight_shape);
  Expr weight = scope.param("weight", weight_shape, fan_in_uniform(fan_in), where);
  Expr y = matmul(rows, reshape(weight, {fan_in, args.width}, where), false, false, where);
  if (args.patch_bias)
    y = Operand(y, where) + scope.param("bias", {args.width}, fan_in_uniform(fan_in), where);
  return reshape(y, {s[0], grid.rows * grid.columns, args.width}, where);
}

// Positions of the class token, if there is one, and of the patches, [tokens, width].
Expr positions(const Scope& scope, PatchGrid grid, const VisionTransformerArgs& args, Where where) {
  std::int64_t first = args.class_token ? 1 : 0, count = grid.rows * grid.columns;
  if (args.positions != "sincos")
    return scope.param("pos_embed", {first + count, args.width}, normal(0.02), where);
  Expr places = sincos_positions(scope.graph(), grid.rows, grid.columns, args.width, where);
  return args.class_token ? pad(places, 0, 1, 0, 0, where) : places;
}

// Training keeps some patches of each picture, all subsets alike likely: those whose random numbers
// have the lowest ranks, picked by a product with a matrix of zeros and ones.
Expr some_of(const Scope& scope, Expr x, double dropped, Where where) {
  if (!scope.training() || dropped == 0) return x;
  Within within(scope, where);
  Graph& graph = scope.graph();
  std::int64_t rows = x.shape()[0], count = x.shape()[1];
  std::int64_t kept = std::max<std::int64_t>(1, std::llround((1 - dropped) * double(count)));
  Shape pairs{rows, count, count};
  Expr u = scope.uniform("patch_dropout", {rows, count}, where);
  Expr mine = broadcast(reshape(u, {rows, count, 1}, where), pairs, where);
  Expr other = broadcast(reshape(u, {rows, 1, count}, where), pairs, where);
  Expr one = broadcast(graph.constant(1), pairs, where);
  Expr lower = atelier::where(less(other, mine), one, 0.0, where);
  Expr not_higher = 1.0 - atelier::where(less(mine, other), one, 0.0, where);
  // Equal numbers are ranked by their places.
  Expr earlier = less(iota(graph, pairs, {2}, where), iota(graph, pairs, {1}, where));
  Expr rank = sum(atelier::where(earlier, not_higher, lower, where), {2}, where);
  Shape picks{rows, kept, count};
  Expr ranks = broadcast(reshape(rank, {rows, 1, count}, where), picks, where);
  Expr hit = equal(cast(ranks, DType::i32, where), iota(graph, picks, {1}, where));
  Expr choice = atelier::where(hit, broadcast(graph.constant(1), picks, where), 0.0, where);
  return matmul(stop_gradient(choice, where), x, false, false, where);
}

// What the first block gets.
Expr first_tokens(const Scope& scope, Expr image, const VisionTransformerArgs& args, Where where) {
  const Shape s = image.shape();
  Expr x = patches(scope / "patch_embed" / "proj", image, args, where);
  Expr places = positions(scope, patch_grid(s[1], s[2], args.patch_size), args, where);
  std::int64_t first = args.class_token ? 1 : 0, tokens = places.shape()[0];
  Expr of_patches = slice(places, 0, first, tokens, 1, where);
  x = Operand(x, where) + reshape(of_patches, {1, tokens - first, args.width}, where);
  x = some_of(scope, x, args.patch_dropout, where);
  if (args.class_token) {
    Expr token = scope.param("cls_token", {1, args.width}, normal(0.02), where);
    token = Operand(token, where) + slice(places, 0, 0, 1, 1, where);
    Expr each = broadcast(reshape(token, {1, 1, args.width}, where), {s[0], 1, args.width}, where);
    Expr both[] = {each, x};
    x = concat(both, 1, where);
  }
  x = dropout(scope / "pos_drop", x, args.blocks.dropout, where);
  if (args.norm_pre) x = layer_norm(scope / "norm_pre", x, args.blocks.norm_eps, where);
  return x;
}

void require_picture(const Scope& scope, std::string_view what, Expr image,
                     const VisionTransformerArgs& args, Where where) {
  Graph& graph = scope.graph();
  if (!image || image.shape().rank() != 4)
    graph.refuse(what, "expected [N,H,W,C]", {&image, 1}, where);
  if (args.patch_size < 1)
    graph.refuse(what, "the patches must have a side of at least 1", {&image, 1}, where);
}

}  // namespace

PatchGrid patch_grid(std::int64_t height, std::int64_t width, std::int64_t patch_size) {
  return {(height + patch_size - 1) / patch_size, (width + patch_size - 1) / patch_size};
}

Expr vision_tokens(const Scope& scope, Expr image, const VisionTransformerArgs& args,
                   std::int64_t layers, Where where) {
  Within within(scope, where);
  require_picture(scope, "vision_tokens", image, args, where);
  std::int64_t depth = args.blocks.depth;
  if (layers < -1 || layers > depth)
    scope.graph().refuse("vision_tokens", fmt::format("no {} blocks, there are {}", layers, depth),
                         {&image, 1}, where);
  Expr x = first_tokens(scope, image, args, where);
  for (std::int64_t i = 0; i < (layers < 0 ? depth : layers); ++i) {
    x = transformer_block(scope / "blocks" / int(i), x, args.blocks, where);
  }
  return x;
}

std::vector<Expr> vision_attention(const Scope& scope, Expr image,
                                   const VisionTransformerArgs& args, Where where) {
  Within within(scope, where);
  require_picture(scope, "vision_attention", image, args, where);
  std::vector<Expr> weights;
  Expr x = first_tokens(scope, image, args, where);
  for (std::int64_t i = 0; i < args.blocks.depth; ++i) {
    Scope block = scope / "blocks" / int(i);
    weights.push_back(attention_weights(block, x, args.blocks, where));
    x = transformer_block(block, x, args.blocks, where);
  }
  return weights;
}

Expr pool_tokens(const Scope& scope, Expr tokens, const VisionTransformerArgs& args,
                 const std::string& pool, bool norm, Where where) {
  Within within(scope, where);
  if (!tokens || tokens.shape().rank() != 3)
    scope.graph().refuse("pool_tokens", "expected [N, tokens, width]", {&tokens, 1}, where);
  if (pool == "cls" && !args.class_token)
    scope.graph().refuse("pool_tokens", "there is no class token", {&tokens, 1}, where);
  const Shape s = tokens.shape();
  bool cls = pool == "cls";
  // Only what is pooled needs the norm, which looks at each token on its own.
  Expr chosen = cls                ? slice(tokens, 1, 0, 1, 1, where)
                : args.class_token ? slice(tokens, 1, 1, s[1], 1, where)
                                   : tokens;
  if (norm) chosen = layer_norm(scope / "norm", chosen, args.blocks.norm_eps, where);
  return reshape(cls ? chosen : mean(chosen, {1}, where), {s[0], s[2]}, where);
}

}  // namespace atelier
