// Learning-rate schedules.
#include "nn/schedules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace atelier {
namespace {

// From `start` to `end` along half a cosine as `fraction` goes from 0 to 1.
double anneal(double start, double end, double fraction) {
  return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * fraction));
}

// Defaults of torch.optim.lr_scheduler.OneCycleLR.
constexpr double kRisingPart = 0.3, kStartDivisor = 25, kFinalDivisor = 1e4;

double one_cycle(double highest, double step, double total) {
  double start = highest / kStartDivisor, end = start / kFinalDivisor;
  double top = kRisingPart * total - 1, last = total - 1;
  if (step <= top) return anneal(start, highest, top > 0 ? step / top : 1);
  return anneal(highest, end, last > top ? (step - top) / (last - top) : 1);
}

}  // namespace

LrSchedule parse_lr_schedule(std::string_view text) {
  if (text == "cosine") return LrSchedule::cosine;
  if (text == "constant") return LrSchedule::constant;
  if (text == "linear") return LrSchedule::linear;
  if (text == "one-cycle") return LrSchedule::one_cycle;
  if (text == "step") return LrSchedule::step;
  throw UsageError(
      fmt::format("--lr-schedule '{}': expected cosine, constant, linear, one-cycle, step", text));
}

double learning_rate_at(const ScheduleArgs& s, std::int64_t step) {
  bool needs_total = s.kind != LrSchedule::constant && s.kind != LrSchedule::step;
  if (needs_total && s.total_steps < 1) {
    throw UsageError(
        "--lr-schedule: cosine, linear and one-cycle need the number of steps of the run");
  }
  if (s.kind == LrSchedule::one_cycle && s.warmup_steps > 0) {
    throw UsageError("--warmup-steps: one-cycle has a warm-up of its own, expected 0");
  }
  if (needs_total) step = std::min(step, s.total_steps - 1);
  if (s.kind == LrSchedule::one_cycle) {
    return one_cycle(s.learning_rate, double(step), double(s.total_steps));
  }
  if (step < s.warmup_steps) return s.learning_rate * double(step + 1) / double(s.warmup_steps);
  double span = double(std::max<std::int64_t>(s.total_steps - s.warmup_steps, 1));
  double fraction = double(step - s.warmup_steps) / span;
  switch (s.kind) {
    case LrSchedule::cosine:
      return anneal(s.learning_rate, s.min_learning_rate, fraction);
    case LrSchedule::linear:
      return s.learning_rate + (s.min_learning_rate - s.learning_rate) * fraction;
    case LrSchedule::step: {
      auto passed = std::count_if(s.milestones.begin(), s.milestones.end(),
                                  [step](std::int64_t m) { return m <= step; });
      return s.learning_rate * std::pow(s.gamma, double(passed));
    }
    default:
      return s.learning_rate;
  }
}

}  // namespace atelier
