// One step of any sampler as a graph.
#pragma once

#include "diffusion/prediction.h"
#include "diffusion/samplers.h"

namespace atelier {

struct StepArgs {
  PredictionType prediction_type = PredictionType::epsilon;
  VarianceType variance_type = VarianceType::fixed_small;  // learned_range: 2C channels
  // Predicted pictures are clipped to [-clip_x0, clip_x0], and the noise is derived again from what
  // is left; 0: not.
  double clip_x0 = 1;
  // Dynamic thresholding (Saharia et al. 2022, arXiv:2205.11487): instead, each row is clipped at
  // this quantile of its |x0| where that is above clip_x0, and scaled so that it ends at clip_x0.
  // 0: not.
  double threshold_quantile = 0;
  // Classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598): the network is called once
  // with 2N rows, x twice; the caller gives the first N their conditions and the others none. With
  // c and u its predictions, s c + (1 - s) u is taken, s the guidance scale of the step: exactly c
  // at 1, u at 0; the paper's w is s - 1. The range of a learned variance likewise, but with s
  // held within 0..1: that of c from 1 on.
  bool guided = false;
};

// Pixels that are known beforehand (inpainting): after each step those where the mask is 1 are put
// back, noised to the level that x then has. All f32 [N, .., C]; the mask may have C = 1. `noise`
// is standard normal: fresh in each step for ddpm, the same in all steps for samplers without
// noise.
struct KnownPixels {
  Expr mask = {}, x0 = {}, noise = {};
};

struct SamplerState {
  Expr x;          // f32 [N, .., C]
  Expr memo = {};  // like x; absent if no step reads it (needs_memo())
  Expr x0 = {};    // what the network took x for, clipped; filled by sampler_step()
};

// The state after a step. `coefficients` f32 [kStepCoefficients] is an input that the caller fills
// by step_coefficients() before each run; `noise` is standard normal like x, or absent if no step
// adds any (needs_noise()). Throws ShapeError for operands that do not fit each other or the
// network's output, UsageError for a quantile outside 0..1 or without clip_x0, and for a negative
// clip_x0.
SamplerState sampler_step(const StepArgs& args, const Denoiser& network, Expr coefficients,
                          const SamplerState& state, Expr noise = {}, const KnownPixels& known = {},
                          Where = Where::here());

// The quantile 0 <= q <= 1 of each row's elements, interpolated between neighbours as NumPy and
// PyTorch do; x f32 [N, ..], not negative -> [N]. Found by halving an interval, because the graph
// does not sort: elements that differ by less than 2^-23 of the row's largest count as equal.
// ShapeError for a scalar and for q beyond its range.
Expr quantile_per_row(Expr x, double q, Where = Where::here());

}  // namespace atelier
