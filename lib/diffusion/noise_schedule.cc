// Noise schedules and their subsets.
#include "diffusion/noise_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "base/error.h"

namespace atelier {
namespace {

// Above it a step would leave next to nothing of the picture it starts from.
constexpr double kLargestBeta = 0.999;
// The count that beta_start and beta_end are stated for.
constexpr double kStatedTimesteps = 1000;

// Below it less than the rounding of 1 - beta would be left of a step.
constexpr double kSmallestBeta = 1e-12;

struct Ends {
  double start, end;
};

Ends ends_of(const NoiseScheduleArgs& args, Ends usual) {
  double scale = kStatedTimesteps / double(args.num_timesteps);
  double start = args.beta_start == 0 ? usual.start : args.beta_start;
  double end = args.beta_end == 0 ? usual.end : args.beta_end;
  if (start * scale >= kSmallestBeta && start <= end && end * scale < 1)
    return {start * scale, end * scale};
  if (args.beta_start == 0 && args.beta_end == 0)
    throw UsageError(fmt::format(
        "--num-timesteps {}: the schedule's betas are multiplied by 1000 over it and would reach "
        "{}; expected at least {} timesteps, or a smaller --beta-end",
        args.num_timesteps, end * scale, std::int64_t(std::floor(end * kStatedTimesteps)) + 1));
  throw UsageError(
      fmt::format("--beta-start {} and --beta-end {}: expected {} <= start <= end < 1 after "
                  "scaling by {} for {} timesteps",
                  start, end, kSmallestBeta, scale, args.num_timesteps));
}

double between(double first, double last, std::int64_t index, std::int64_t count) {
  return count == 1 ? first : first + (last - first) * double(index) / double(count - 1);
}

std::vector<double> cumulative_products(std::int64_t count,
                                        const std::function<double(std::int64_t)>& beta) {
  std::vector<double> products;
  double product = 1;
  for (std::int64_t i = 0; i < count; ++i) products.push_back(product *= 1 - beta(i));
  return products;
}

// Products of the betas that a falling function of time t in [0, 1] asks for, where they are not
// too large.
std::vector<double> bounded(std::int64_t count, const std::function<double(double)>& level) {
  return cumulative_products(count, [&](std::int64_t i) {
    double before = level(double(i) / double(count)), after = level(double(i + 1) / double(count));
    return std::min(1 - after / before, kLargestBeta);
  });
}

std::vector<double> linear(const NoiseScheduleArgs& args) {
  Ends ends = ends_of(args, {1e-4, 0.02});
  return cumulative_products(args.num_timesteps, [&](std::int64_t i) {
    return between(ends.start, ends.end, i, args.num_timesteps);
  });
}

std::vector<double> scaled_linear(const NoiseScheduleArgs& args) {
  Ends ends = ends_of(args, {0.00085, 0.012});
  return cumulative_products(args.num_timesteps, [&](std::int64_t i) {
    double root = between(std::sqrt(ends.start), std::sqrt(ends.end), i, args.num_timesteps);
    return root * root;
  });
}

std::vector<double> cosine(const NoiseScheduleArgs& args) {
  constexpr double kOffset = 0.008;  // keeps the first betas from vanishing
  return bounded(args.num_timesteps, [](double t) {
    double root = std::cos((t + kOffset) / (1 + kOffset) * std::numbers::pi / 2);
    return root * root;
  });
}

std::vector<double> sigmoid_levels(const NoiseScheduleArgs& args) {
  constexpr double kStart = -3, kEnd = 3;
  auto rise = [](double x) { return 1 / (1 + std::exp(-x)); };
  return bounded(args.num_timesteps, [&](double t) {
    return (rise(kEnd) - rise(kStart + t * (kEnd - kStart))) / (rise(kEnd) - rise(kStart));
  });
}

std::vector<double> levels_of(const NoiseScheduleArgs& args) {
  switch (args.beta_schedule) {
    case BetaSchedule::linear:
      return linear(args);
    case BetaSchedule::scaled_linear:
      return scaled_linear(args);
    case BetaSchedule::cosine:
      return cosine(args);
    case BetaSchedule::sigmoid:
      return sigmoid_levels(args);
  }
  throw UsageError("beta_schedule: expected linear, cosine, sigmoid or scaled-linear");
}

void end_in_noise(std::vector<double>& alphas_cumprod) {
  double first = std::sqrt(alphas_cumprod.front()), last = std::sqrt(alphas_cumprod.back());
  for (double& level : alphas_cumprod) {
    double root = (std::sqrt(level) - last) * first / (first - last);
    level = root * root;
  }
}

NoiseSchedule schedule_of(std::vector<double> alphas_cumprod, std::vector<std::int64_t> timesteps) {
  NoiseSchedule s;
  s.alphas_cumprod = std::move(alphas_cumprod);
  s.timesteps = std::move(timesteps);
  for (std::int64_t i = 0; i < s.size(); ++i) {
    double now = s.alphas_cumprod[std::size_t(i)], before = s.alphas_cumprod_before(i);
    double alpha = now / before, beta = 1 - alpha;
    s.betas.push_back(beta);
    s.posterior_mean_x0.push_back(std::sqrt(before) * beta / (1 - now));
    s.posterior_mean_noised.push_back(std::sqrt(alpha) * (1 - before) / (1 - now));
    s.posterior_variance.push_back(beta * (1 - before) / (1 - now));
    s.snr.push_back(now / (1 - now));
  }
  for (double variance : s.posterior_variance)
    s.posterior_log_variance.push_back(std::log(variance));
  s.posterior_log_variance[0] = s.size() > 1 ? s.posterior_log_variance[1] : std::log(s.betas[0]);
  return s;
}

bool strictly_ascending(std::span<const std::int64_t> list) {
  return std::ranges::adjacent_find(list, std::ranges::greater_equal{}) == list.end();
}

}  // namespace

BetaSchedule parse_beta_schedule(std::string_view text) {
  return chosen(kBetaSchedules, "--beta-schedule", text);
}

NoiseSchedule make_noise_schedule(const NoiseScheduleArgs& args) {
  std::int64_t least = args.zero_terminal_snr ? 2 : 1;
  if (args.num_timesteps < least) {
    throw UsageError(
        fmt::format("--num-timesteps {}: expected at least {}", args.num_timesteps, least));
  }
  std::vector<double> levels = levels_of(args);
  if (args.zero_terminal_snr) end_in_noise(levels);
  std::vector<std::int64_t> timesteps;
  for (std::int64_t i = 0; i < args.num_timesteps; ++i) timesteps.push_back(i);
  return schedule_of(std::move(levels), std::move(timesteps));
}

NoiseSchedule respace(const NoiseSchedule& schedule, std::span<const std::int64_t> kept) {
  if (kept.empty() || kept.front() < 0 || kept.back() >= schedule.size() ||
      !strictly_ascending(kept)) {
    throw UsageError(
        fmt::format("timesteps to keep: expected some of 0 to {}, ascending", schedule.size() - 1));
  }
  std::vector<double> levels;
  std::vector<std::int64_t> timesteps;
  for (std::int64_t index : kept) {
    levels.push_back(schedule.alphas_cumprod[std::size_t(index)]);
    timesteps.push_back(schedule.timesteps[std::size_t(index)]);
  }
  return schedule_of(std::move(levels), std::move(timesteps));
}

TimestepSpacing parse_timestep_spacing(std::string_view text) {
  return chosen(kTimestepSpacings, "--timestep-spacing", text);
}

std::vector<std::int64_t> spaced_timesteps(std::int64_t num_timesteps, std::int64_t count,
                                           TimestepSpacing spacing) {
  if (count < 1 || count > num_timesteps) {
    throw UsageError(fmt::format("--sample-steps {}: expected 1 to {}, the timesteps of the model",
                                 count, num_timesteps));
  }
  // Rounding halves up, never to even, keeps neighbours apart that are one or more apart.
  auto rounded = [](double x) { return std::int64_t(std::floor(x + 0.5)); };
  std::vector<std::int64_t> kept;
  for (std::int64_t k = 0; k < count; ++k) {
    double stride = double(num_timesteps) / double(count);
    switch (spacing) {
      case TimestepSpacing::leading:
        kept.push_back(num_timesteps / count * k);
        break;
      case TimestepSpacing::linspace:
        kept.push_back(count == 1 ? num_timesteps - 1
                                  : rounded(double((num_timesteps - 1) * k) / double(count - 1)));
        break;
      case TimestepSpacing::trailing:
        kept.push_back(rounded(double(num_timesteps) - stride * double(count - 1 - k)) - 1);
        break;
    }
  }
  return kept;
}

std::vector<std::int64_t> listed_timesteps(std::int64_t num_timesteps,
                                           std::span<const std::int64_t> list) {
  std::vector<std::int64_t> kept(list.begin(), list.end());
  if (kept.size() > 1 && kept.front() > kept.back()) std::ranges::reverse(kept);
  if (kept.empty() || !strictly_ascending(kept)) {
    throw UsageError("--timesteps: expected at least one, each once, in order");
  }
  if (kept.front() < 0 || kept.back() >= num_timesteps) {
    throw UsageError(fmt::format("--timesteps {}: expected 0 to {}",
                                 kept.front() < 0 ? kept.front() : kept.back(), num_timesteps - 1));
  }
  return kept;
}

}  // namespace atelier
