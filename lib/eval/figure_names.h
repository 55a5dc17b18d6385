// The names of all figures, by what they are asked for with: bars on others are refused before
// hours of work.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eval/figures.h"

namespace atelier {

enum class Job : std::uint8_t {
  compare,
  control,
  probe,
  retrieve,
  zero_shot,
  reconstruct,
  baselines,
  classify,
  stats
};

// What comparisons have, which decides what they can say.
struct Compared {
  bool interval = true;        // resamples of the Frechet distance
  bool reference_rows = true;  // a reference that is known by its rows, not by stats alone
};

// Names of the numbers that a job may print; which of them it does, the data decide.
std::vector<std::string> figure_names(Job job, Compared with = {});

// UsageError for a bar on none of `names`, listing them; any bar will do if there are none.
void require_known(std::span<const Bar> bars, const std::vector<std::string>& names);

}  // namespace atelier
