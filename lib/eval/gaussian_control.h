// The control of every figure about generators: pictures drawn from the Gaussian with the mean and
// the covariance of the training pixels.
#pragma once

#include <cstdint>
#include <span>

#include "eval/table.h"

namespace atelier {

// Rows mean + sum over training rows of w_i (x_i - mean) / sqrt(rows - 1), w standard normal: their
// mean and covariance are those of the table, of any width, without forming the covariance. Row r
// depends on the seed and r alone. Values are cut to 0..1. into: [count, columns].
// Throws Error for fewer than two training rows.
void draw_gaussian(const Table& training, std::uint64_t seed, std::span<float> into);

}  // namespace atelier
