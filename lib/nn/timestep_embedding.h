// Timesteps as sines and cosines of many frequencies, and as vectors that blocks are steered by.
#pragma once

#include "base/choices.h"
#include "nn/scope.h"

namespace atelier {

// The two ways in use do not fit each other's weights.
//   ddpm     sines, then cosines; frequencies 10000^(-i / (half - 1)), i = 0 .. half - 1 (Ho et al.
//            2020, arXiv:2006.11239, and its code)
//   openai   cosines, then sines; frequencies 10000^(-i / half) (Nichol and Dhariwal 2021,
//            arXiv:2102.09672, and DiT)
enum class TimestepEncoding { ddpm, openai };
inline constexpr Choice<TimestepEncoding> kTimestepEncodings[] = {
    {"ddpm", TimestepEncoding::ddpm}, {"openai", TimestepEncoding::openai}};
TimestepEncoding parse_timestep_encoding(std::string_view text);  // UsageError naming them all

// timestep f32 [N] -> [N, width], half = width / 2; of an odd width the last number is 0.
// ShapeError for a width below 2.
Expr timestep_encoding(Expr timestep, std::int64_t width, TimestepEncoding encoding,
                       Where = Where::here());

// Linear, SiLU, linear of an encoding: [N, width] -> [N, outputs]; parameters linear0, linear1.
// `init`: of both weights, biases then start at zero; absent: as linear() does.
Expr timestep_mlp(const Scope& scope, Expr encoding, std::int64_t outputs, const Init& init = {},
                  Where = Where::here());

}  // namespace atelier
