// Initial values of parameters, as functions of (seed, name) alone.
//
// fan_in of a weight is the product of all axes but the last: [in,out] of a linear layer,
// [KH,KW,C/groups,O] of a convolution. For a transposed convolution, whose weight is stored as that
// of the convolution it transposes, this is PyTorch's count too.
#pragma once

#include "nn/scope.h"

namespace atelier {

Init zeros();
Init ones();
Init constant(double value);
Init normal(double std, double mean = 0);
Init uniform(double bound);  // [-bound, bound)
// +-1/sqrt(fan_in): what PyTorch's Linear and Conv give weights and biases alike (kaiming_uniform
// with a = sqrt(5)).
Init fan_in_uniform(std::int64_t fan_in);
Init xavier_uniform(double gain = 1);                   // Glorot and Bengio 2010
Init kaiming_normal(double gain = 1.4142135623730951);  // He et al. 2015, arXiv:1502.01852; ReLU
// Rows or columns of the [fan_in, last axis] matrix orthonormal, times gain (Saxe et al. 2013,
// arXiv:1312.6120).
Init orthogonal(double gain = 1);

std::int64_t fan_in_of(const Shape& weight);

}  // namespace atelier
