// How well a diffusion model tells noise from data: its errors by timestep, and the terms of its
// variational bound (Ho et al. 2020, arXiv:2006.11239, equation 5).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "infer/infer.h"

namespace atelier {

// One error in three units: at the level a = alphas_cumprod a prediction whose mean square error in
// v is e is off by a e in the noise and by (1 - a) e in the clean data.
struct PredictionErrors {
  double epsilon = 0, x0 = 0, v = 0;  // mean squares a number

  double of(PredictionType type) const;
};
// Of the mean square error `mse` of a prediction of this type; 0 < a < 1.
PredictionErrors prediction_errors(PredictionType type, double mse, double alphas_cumprod);
// The mean over the timesteps [first, last) of a schedule, of what has this error in v at a level;
// without ends over all.
PredictionErrors mean_errors(const NoiseSchedule& schedule,
                             const std::function<double(double alphas_cumprod)>& v_error);
PredictionErrors mean_errors(const NoiseSchedule& schedule,
                             const std::function<double(double alphas_cumprod)>& v_error,
                             std::int64_t first, std::int64_t last);

// Edges 1 = e_0 < e_1 < .. < e_k = T of k = min(count, T - 1) ranges [e_j, e_j+1) of the timesteps
// behind the first, as nearly as can be of equal ratios: terms of the bound fall about as the
// inverse of the timestep, so that all ranges hold about as much of it. count >= 1.
std::vector<std::int64_t> visit_edges(std::int64_t num_timesteps, std::int64_t count);

struct DenoisingArgs {
  std::int64_t batch_size = 64, seed = 0;
  // Of how many ranges of timesteps (visit_edges) each row visits one timestep, drawn evenly; 0:
  // every timestep is a range. The first timestep is visited always.
  std::int64_t visited_timesteps = 0;
  std::vector<std::int64_t> timesteps = {};  // places in the schedule that are told of each
  // A further figure of a visit: `row` is the index in the data set, noised and epsilon f32 [H*W*C]
  // what the network saw and the noise that it said. May be empty.
  std::function<double(std::int64_t row, double alphas_cumprod, std::span<const float> noised,
                       std::span<const float> epsilon)>
      measure = {};
};

// Bits a number, means over the rows; bits of 8-bit levels, of real data of the density in the
// data's own units.
struct BoundTerms {
  double prior = 0;           // KL(q(x_T | x0) || N(0, I))
  double divergence = 0;      // sum of the KL divergences of all timesteps but the first
  double decoder = 0;         // -log p(x0 | x_1)
  double standard_error = 0;  // of the sum, by how rows differ; 0 of a single row

  double total() const { return prior + divergence + decoder; }
};

struct DenoisingScore {
  struct Errors {
    PredictionErrors prediction;  // of the network's own prediction: nothing is clipped
    double measured = 0;
  };
  Errors mean;               // over all timesteps alike
  std::vector<Errors> told;  // at DenoisingArgs::timesteps
  BoundTerms bound;
};

// Unbiased for means over all timesteps and the noise, whatever is visited. Predicted pictures are
// clipped to their range in the bound, as samplers do. Noise and timesteps are drawn by the row's
// index, so that the result does not depend on batch_size, threads or other rows' company. Throws
// Error("x.h5: this model is no diffusion model"), for data of another shape, for labels that the
// model needs and the data lack, and for predictions that are not finite; UsageError for timesteps
// outside the schedule.
DenoisingScore score_denoising(const Loaded& loaded, const Dataset& data,
                               std::span<const std::int64_t> indices, const DenoisingArgs& args);

// Rows taken to their noise and back by DDIM (Song et al. 2021, arXiv:2010.02502, section 4.3),
// over so many timesteps from the first to the last each way: the mean square a number of what they
// come back off by, in the units that are noised. Nothing is clipped on the way. Throws as
// score_denoising(), and UsageError for more steps than there are timesteps.
double inversion_error(const Loaded& loaded, const Dataset& data,
                       std::span<const std::int64_t> indices, std::int64_t steps,
                       std::int64_t batch_size = 64);

}  // namespace atelier
