// Which timesteps a training step looks at: all alike, or by how much their losses were lately.
#pragma once

#include <cstdint>

#include "graph/ops.h"

namespace atelier {

// Uniform numbers f32 [N] in [0, 1) -> i32 [N] in [0, num_timesteps), all alike likely.
Expr uniform_timesteps(Expr uniform, std::int64_t num_timesteps, Where = Where::here());

// The last losses of every timestep (Nichol and Dhariwal 2021, section 3.3): values f32 [T,
// kLossHistory], in no order, and how many losses it has had, f32 [T], below 2 kLossHistory: beyond
// that it stays where values are full and the place of the next one is the same. Both start at 0.
inline constexpr std::int64_t kLossHistory = 10;
struct LossHistory {
  Expr values, counts;
};

// f32 [T], summing to 1: in proportion to the root mean square of the timestep's losses, mixed with
// one part in 1000 of all alike; all alike until every timestep has kLossHistory losses. Has no
// gradient.
Expr timestep_probabilities(const LossHistory& history, Where = Where::here());

struct TimestepDraw {
  Expr timestep;  // i32 [N]
  Expr weight;    // f32 [N]: 1 / (T probability), by which a mean over rows is unbiased
};
// probabilities f32 [T], uniform numbers f32 [N, T] in [0, 1): the largest of log(probability) plus
// Gumbel noise falls on each timestep with its probability (Gumbel 1954; Maddison et al. 2014,
// arXiv:1411.0030).
TimestepDraw draw_timesteps(Expr probabilities, Expr uniform, Where = Where::here());

// The history after the losses f32 [N] (as they are, without a weight) of the timesteps i32 [N]. Of
// a timestep that appears several times the losses enter in order of the rows, and the last
// kLossHistory of them stay.
LossHistory record_losses(const LossHistory& history, Expr timestep, Expr loss,
                          Where = Where::here());

}  // namespace atelier
