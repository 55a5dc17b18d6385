// Layers: functions of a scope and an expression. They declare their parameters in the scope under
// PyTorch's names (weight, bias, running_mean, running_var) and start them as PyTorch does.
// Layout is [.., C] everywhere; errors are ShapeError.
#pragma once

#include "nn/init.h"
#include "nn/scope.h"

namespace atelier {

struct LinearArgs {
  bool bias = true;
  Init weight_init = {}, bias_init = {};  // absent: fan_in_uniform
};
// x [.., in] -> [.., outputs]; weight [in, outputs].
Expr linear(const Scope& scope, Expr x, std::int64_t outputs, const LinearArgs& args = {},
            Where = Where::here());

struct Conv2dArgs {
  std::int64_t kernel = 3, stride = 1, padding = 0, dilation = 1, groups = 1;
  bool bias = true;
  Init weight_init = {}, bias_init = {};  // absent: fan_in_uniform
};
// x [N,H,W,C] -> [N,Ho,Wo,channels], Ho = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1;
// weight [kernel, kernel, C/groups, channels].
Expr conv2d(const Scope& scope, Expr x, std::int64_t channels, const Conv2dArgs& args = {},
            Where = Where::here());

struct ConvTranspose2dArgs {
  std::int64_t kernel = 3, stride = 1, padding = 0, output_padding = 0;
  // Height and width of the result, when they are known: any that conv2d would bring back to x's.
  std::int64_t height = 0, width = 0;
  bool bias = true;
  Init weight_init = {}, bias_init = {};  // absent: fan_in_uniform
};
// x [N,H,W,C] -> [N,Ho,Wo,channels], Ho = (H - 1) stride - 2 padding + kernel + output_padding
// unless given; weight [kernel, kernel, channels, C], that of the convolution which it transposes.
Expr conv2d_transpose(const Scope& scope, Expr x, std::int64_t channels,
                      const ConvTranspose2dArgs& args = {}, Where = Where::here());

// x [.., D], normalised over D; weight and bias [D].
Expr layer_norm(const Scope& scope, Expr x, double norm_eps = 1e-5, Where = Where::here());
// x [N, .., C], normalised over pixels and the C/groups channels of each group.
Expr group_norm(const Scope& scope, Expr x, std::int64_t groups, double norm_eps = 1e-5,
                Where = Where::here());

struct BatchNormArgs {
  double norm_eps = 1e-5, momentum = 0.1;
  Init weight_init = {};  // absent: ones
};
// x [.., C], normalised over all axes but the last (Ioffe and Szegedy 2015, arXiv:1502.03167).
// Training: by the batch, and running_mean, running_var move by `momentum`, or the share of
// Scope::settling, towards the batch's mean and unbiased variance. Evaluation: by the running
// values.
Expr batch_norm(const Scope& scope, Expr x, const BatchNormArgs& args = {}, Where = Where::here());

// Whether a tensor of that name, however deep, is such a running value and no parameter.
bool is_running_statistic(std::string_view name);

// index i32 [..] -> [.., dim]; weight [rows, dim] ~ N(0, 1).
Expr embedding(const Scope& scope, Expr index, std::int64_t rows, std::int64_t dim,
               const Init& init = normal(1), Where = Where::here());

// Training: each element is zero with probability `prob`, else divided by 1 - prob. x [N, ..].
Expr dropout(const Scope& scope, Expr x, double prob, Where = Where::here());

// "none", "relu", "leaky_relu" (slope 0.2), "silu", "gelu", "tanh", "sigmoid"; UsageError
// otherwise.
Expr activate(std::string_view name, Expr x, Where = Where::here());

}  // namespace atelier
