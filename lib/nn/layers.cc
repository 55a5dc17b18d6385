// Layers.
#include "nn/layers.h"

#include <fmt/format.h>

namespace atelier {
namespace {

Init or_default(const Init& init, std::int64_t fan_in) {
  return init ? init : fan_in_uniform(fan_in);
}

// What a layer needs of its input x, which may be absent or of another graph.
void require(bool fits, const Scope& scope, std::string_view layer, std::string_view reason, Expr x,
             Where where) {
  Graph& graph = scope.graph();
  if (x && x.graph != &graph) graph.refuse(layer, "x is of another graph", {&x, 1}, where);
  if (!fits) graph.refuse(layer, reason, {&x, 1}, where);
}
void require_pictures(const Scope& scope, std::string_view layer, Expr x, Where where) {
  require(x && x.shape().rank() == 4, scope, layer, "expected [N,H,W,C]", x, where);
}
void require_channels(const Scope& scope, std::string_view layer, Expr x, Where where) {
  require(x && x.shape().rank() >= 1, scope, layer, "expected [.., C]", x, where);
}

}  // namespace

Expr linear(const Scope& scope, Expr x, std::int64_t outputs, const LinearArgs& args, Where where) {
  Within within(scope, where);
  require(x && x.shape().rank() >= 1, scope, "linear", "expected [.., in]", x, where);
  const Shape shape = x.shape();
  std::int64_t inputs = shape[-1];
  Expr weight =
      scope.param("weight", {inputs, outputs}, or_default(args.weight_init, inputs), where);
  Expr rows = shape.rank() == 2 ? x : reshape(x, {shape.count() / inputs, inputs}, where);
  Expr y = matmul(rows, weight, false, false, where);
  if (args.bias) {
    y = Operand(y, where) +
        scope.param("bias", {outputs}, or_default(args.bias_init, inputs), where);
  }
  return shape.rank() == 2 ? y : reshape(y, shape.with(-1, outputs), where);
}

Expr conv2d(const Scope& scope, Expr x, std::int64_t channels, const Conv2dArgs& args,
            Where where) {
  Within within(scope, where);
  require_pictures(scope, "conv2d", x, where);
  require(args.groups >= 1 && x.shape()[3] % args.groups == 0, scope, "conv2d",
          fmt::format("{} groups do not divide the channels", args.groups), x, where);
  Shape weight_shape{args.kernel, args.kernel, x.shape()[3] / args.groups, channels};
  std::int64_t fan_in = fan_in_of(weight_shape);
  Expr weight = scope.param("weight", weight_shape, or_default(args.weight_init, fan_in), where);
  Expr y = conv(x, weight,
                {.stride = {args.stride, args.stride},
                 .pad = {args.padding, args.padding, args.padding, args.padding},
                 .dilation = {args.dilation, args.dilation},
                 .groups = args.groups},
                where);
  if (!args.bias) return y;
  return Operand(y, where) +
         scope.param("bias", {channels}, or_default(args.bias_init, fan_in), where);
}

Expr conv2d_transpose(const Scope& scope, Expr x, std::int64_t channels,
                      const ConvTranspose2dArgs& args, Where where) {
  Within within(scope, where);
  require_pictures(scope, "conv2d_transpose", x, where);
  Shape weight_shape{args.kernel, args.kernel, channels, x.shape()[3]};
  std::int64_t fan_in = fan_in_of(weight_shape);
  Expr weight = scope.param("weight", weight_shape, or_default(args.weight_init, fan_in), where);
  std::int64_t grown = args.kernel + args.output_padding - 2 * args.padding;
  std::int64_t height = args.height ? args.height : (x.shape()[1] - 1) * args.stride + grown;
  std::int64_t width = args.width ? args.width : (x.shape()[2] - 1) * args.stride + grown;
  Expr y = conv_dx(x, weight, height, width,
                   {.stride = {args.stride, args.stride},
                    .pad = {args.padding, args.padding, args.padding, args.padding}},
                   where);
  if (!args.bias) return y;
  return Operand(y, where) +
         scope.param("bias", {channels}, or_default(args.bias_init, fan_in), where);
}

Expr layer_norm(const Scope& scope, Expr x, double norm_eps, Where where) {
  Within within(scope, where);
  require_channels(scope, "layer_norm", x, where);
  std::int64_t width = x.shape()[-1];
  Expr scale = scope.param("weight", {width}, ones(), where);
  Expr shift = scope.param("bias", {width}, zeros(), where);
  return layer_norm(x, scale, shift, norm_eps, where).y;
}

Expr group_norm(const Scope& scope, Expr x, std::int64_t groups, double norm_eps, Where where) {
  Within within(scope, where);
  require_channels(scope, "group_norm", x, where);
  std::int64_t width = x.shape()[-1];
  Expr scale = scope.param("weight", {width}, ones(), where);
  Expr shift = scope.param("bias", {width}, zeros(), where);
  return group_norm(x, scale, shift, int(groups), norm_eps, where).y;
}

Expr batch_norm(const Scope& scope, Expr x, const BatchNormArgs& args, Where where) {
  Within within(scope, where);
  require_channels(scope, "batch_norm", x, where);
  std::int64_t width = x.shape()[-1], rows = x.shape().count() / width;
  Init init = args.weight_init ? args.weight_init : ones();
  Expr scale = scope.param("weight", {width}, init, where);
  Expr shift = scope.param("bias", {width}, zeros(), where);
  Expr mean = scope.state("running_mean", {width}, 0, where);
  Expr variance = scope.state("running_var", {width}, 1, where);
  if (!scope.training()) {
    Expr factor = scale / sqrt(variance + args.norm_eps, where);
    return Operand(x, where) * factor + (shift - mean * factor);
  }
  require(rows >= 2, scope, "batch_norm", "training needs more than one value a channel", x, where);
  Normed normed = batch_norm(x, scale, shift, args.norm_eps, where);
  double unbiased = double(rows) / double(rows - 1);
  Expr momentum = scope.momentum(args.momentum);
  scope.update(mean, mean + momentum * (normed.mean - mean), where);
  scope.update(variance, variance + momentum * (unbiased * normed.variance_or_rstd - variance),
               where);
  return normed.y;
}

bool is_running_statistic(std::string_view name) {
  std::string_view leaf = name.substr(name.find_last_of("./") + 1);
  return leaf == "running_mean" || leaf == "running_var";
}

Expr embedding(const Scope& scope, Expr index, std::int64_t rows, std::int64_t dim,
               const Init& init, Where where) {
  Within within(scope, where);
  return take(scope.param("weight", {rows, dim}, init, where), index, where);
}

Expr dropout(const Scope& scope, Expr x, double prob, Where where) {
  Within within(scope, where);
  require_channels(scope, "dropout", x, where);
  if (!scope.training() || prob == 0) return x;
  Expr dropped = less(scope.uniform("mask", x.shape(), where), prob);
  return atelier::where(dropped, 0.0, x * (1 / (1 - prob)), where);
}

Expr activate(std::string_view name, Expr x, Where where) {
  if (name == "none") return x;
  if (name == "relu") return relu(x, where);
  if (name == "leaky_relu") return leaky_relu(x, 0.2, where);
  if (name == "silu") return silu(x, where);
  if (name == "gelu") return gelu(x, where);
  if (name == "tanh") return tanh(x, where);
  if (name == "sigmoid") return sigmoid(x, where);
  throw UsageError(fmt::format(
      "activation '{}': expected none, relu, leaky_relu, silu, gelu, tanh, sigmoid", name));
}

}  // namespace atelier
