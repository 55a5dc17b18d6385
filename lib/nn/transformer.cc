// Pre-norm transformer blocks.
#include "nn/transformer.h"

#include <fmt/format.h>

#include <cmath>

#include "nn/layers.h"

namespace atelier {
namespace {

LinearArgs started(double std) { return {.weight_init = normal(std), .bias_init = zeros()}; }

// Queries, keys and values of each head, [N, tokens, heads, head_dim].
Heads normed_heads(const Scope& scope, Expr x, const TransformerArgs& args, Where where) {
  std::int64_t width = x.shape()[2];
  Expr normed = layer_norm(scope / "norm1", x, args.norm_eps, where);
  Expr qkv = linear(scope / "attn" / "qkv", normed, 3 * width,
                    started(1 / std::sqrt(double(width))), where);
  return heads_of(qkv, args.num_heads, where);
}

void require_tokens(const Scope& scope, std::string_view what, Expr x, const TransformerArgs& args,
                    Where where) {
  Graph& graph = scope.graph();
  if (!x || x.shape().rank() != 3)
    graph.refuse(what, "expected [N, tokens, width]", {&x, 1}, where);
  if (args.num_heads < 1 || x.shape()[2] % args.num_heads != 0)
    graph.refuse(what, fmt::format("{} heads do not divide the width", args.num_heads), {&x, 1},
                 where);
}

}  // namespace

Heads heads_of(Expr qkv, std::int64_t num_heads, Where where) {
  const Shape shape = qkv.shape();
  std::int64_t width = shape[2] / 3;
  auto part = [&](std::int64_t i) {
    Expr third = slice(qkv, 2, i * width, (i + 1) * width, 1, where);
    return reshape(third, {shape[0], shape[1], num_heads, width / num_heads}, where);
  };
  return {part(0), part(1), part(2)};
}

Expr transformer_block(const Scope& scope, Expr x, const TransformerArgs& args, Where where) {
  Within within(scope, where);
  require_tokens(scope, "transformer_block", x, args, where);
  const Shape shape = x.shape();
  std::int64_t width = shape[2];
  double added = 1 / std::sqrt(2.0 * double(args.depth) * double(width));

  Heads heads = normed_heads(scope, x, args, where);
  Expr seen = attention(heads.q, heads.k, heads.v, {.causal = args.causal}, where);
  Expr told =
      linear(scope / "attn" / "proj", reshape(seen, shape, where), width, started(added), where);
  x = Operand(x, where) + dropout(scope / "attn" / "drop", told, args.dropout, where);

  Expr normed = layer_norm(scope / "norm2", x, args.norm_eps, where);
  auto inner = std::int64_t(std::llround(args.mlp_ratio * double(width)));
  Expr hidden = gelu(linear(scope / "mlp" / "fc1", normed, inner,
                            started(1 / std::sqrt(2.0 * double(width))), where),
                     where);
  Expr thought = linear(scope / "mlp" / "fc2", hidden, width, started(added), where);
  return Operand(x, where) + dropout(scope / "mlp" / "drop", thought, args.dropout, where);
}

Expr attention_weights(const Scope& scope, Expr x, const TransformerArgs& args, Where where) {
  Within within(scope, where);
  require_tokens(scope, "attention_weights", x, args, where);
  Heads heads = normed_heads(scope, x, args, where);
  Expr q = transpose(heads.q, {0, 2, 1, 3}, where), k = transpose(heads.k, {0, 2, 1, 3}, where);
  std::int64_t tokens = x.shape()[1], head_dim = x.shape()[2] / args.num_heads;
  Expr scores =
      Operand(matmul(q, k, false, true, where), where) * (1 / std::sqrt(double(head_dim)));
  if (args.causal) {
    Graph& graph = scope.graph();
    Expr later =
        less(iota(graph, {tokens, tokens}, {0}, where), iota(graph, {tokens, tokens}, {1}, where));
    scores = atelier::where(broadcast(later, scores.shape(), where), -1e30, scores, where);
  }
  return softmax(scores, where);
}

Expr sincos_positions(Graph& graph, std::int64_t rows, std::int64_t columns, std::int64_t width,
                      Where where) {
  At at(graph, where);
  if (width % 4 != 0) {
    graph.refuse("sincos_positions", fmt::format("width {} is no multiple of 4", width), {}, where);
  }
  std::int64_t waves = width / 4;
  Shape shape{rows, columns, waves};
  auto places = [&](int axis) {
    return cast(iota(graph, shape, {axis}, where), DType::f32, where);
  };
  Expr frequency = exp(places(2) * (-std::log(10000.0) / double(waves)), where);
  std::vector<Expr> parts;
  for (int axis : {1, 0}) {
    Expr angle = places(axis) * frequency;
    parts.push_back(sin(angle, where));
    parts.push_back(cos(angle, where));
  }
  return reshape(concat(parts, 2, where), {rows * columns, width}, where);
}

}  // namespace atelier
