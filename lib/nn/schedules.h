// Learning rates as functions of the step, computed on the host in double.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

enum class LrSchedule { cosine, constant, linear, one_cycle, step };

// "cosine", "constant", "linear", "one-cycle", "step"; UsageError naming them otherwise.
LrSchedule parse_lr_schedule(std::string_view text);

struct ScheduleArgs {
  LrSchedule kind = LrSchedule::constant;
  double learning_rate = 1e-3;    // the highest of the run
  double min_learning_rate = 0;   // cosine and linear: reached one step after the last
  std::int64_t total_steps = 0;   // of the run; constant and step do not need it
  std::int64_t warmup_steps = 0;  // linear rise from learning_rate / warmup_steps; not one-cycle
  std::vector<std::int64_t> milestones = {};  // step: in optimizer steps, ascending
  double gamma = 0.1;                         // step: factor at each milestone
};

// Rate of the update number `step`, counted from 0:
//   cosine     min + (rate - min) (1 + cos(pi f)) / 2, f = (step - warmup) / (total - warmup)
//   linear     rate + (min - rate) f
//   step       rate gamma^(milestones at or before step)
//   one-cycle  PyTorch's OneCycleLR with its defaults (Smith and Topin 2017, arXiv:1708.07120):
//              cosine from rate / 25 to rate over the first 30 %, then to rate / 25e4
// Steps beyond total_steps keep the last rate. Throws UsageError for cosine, linear and one-cycle
// without total_steps, and for a warm-up with one-cycle, which has its own.
double learning_rate_at(const ScheduleArgs& schedule, std::int64_t step);

}  // namespace atelier
