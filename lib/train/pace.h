// What the flags of a training say together: how long it is, and what happens when.
#pragma once

#include <cstdint>

#include "nn/schedules.h"
#include "train/trainer.h"

namespace atelier {

struct Pace {
  std::int64_t total_steps = 0;
  std::int64_t val_every = 1;   // updates
  std::int64_t save_every = 0;  // updates; 0: by time or never
  double save_seconds = 0;      // 0: by updates or never
  double max_seconds = 0;       // 0: no limit
  ScheduleArgs schedule;
};

// How long an epoch is: what it has in batches, and how many of them a step reads.
struct EpochLength {
  std::int64_t batches = 1, batches_per_step = 1;
};

// Held-out pictures that this task can be validated on.
bool has_validation(const Task& task, const TrainData& data);

// Reads the flags that are texts and refuses (UsageError naming the flag) what cannot be meant:
// flags that exclude each other, or that would have no effect in this run.
Pace settle_pace(const Task& task, const TrainConfig& config, const TrainData& data,
                 EpochLength epoch);

}  // namespace atelier
