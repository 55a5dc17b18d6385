// Discrete noise schedules (Ho et al. 2020, arXiv:2006.11239) and the timesteps that samplers keep
// of them; on the host, in double.
//
// A picture x0 at timestep i is sqrt(a_i) x0 + sqrt(1 - a_i) noise with a = alphas_cumprod; index 0
// is the least noisy, and before it lies the clean picture, whose a is 1.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/choices.h"

namespace atelier {

enum class BetaSchedule { linear, cosine, sigmoid, scaled_linear };
inline constexpr Choice<BetaSchedule> kBetaSchedules[] = {
    {"linear", BetaSchedule::linear},
    {"cosine", BetaSchedule::cosine},
    {"sigmoid", BetaSchedule::sigmoid},
    {"scaled-linear", BetaSchedule::scaled_linear}};
BetaSchedule parse_beta_schedule(std::string_view text);  // UsageError naming them all

struct NoiseScheduleArgs {
  BetaSchedule beta_schedule = BetaSchedule::linear;
  std::int64_t num_timesteps = 1000;
  // Ends of linear and scaled-linear, stated for 1000 timesteps; n of them scale both by 1000 / n,
  // so that all of them together add the same noise. 0: what the papers took.
  double beta_start = 0, beta_end = 0;
  bool zero_terminal_snr = false;  // nothing of x0 is left at the last timestep
};

// One value an index, all of one length.
struct NoiseSchedule {
  std::vector<std::int64_t> timesteps;  // of training, ascending: what the network is told
  std::vector<double> alphas_cumprod;   // falling; the last is 0 with a zero terminal SNR
  std::vector<double> betas;            // 1 - a_i / a_(i-1)
  // q(x_(i-1) | x_i, x0) = N(posterior_mean_x0 x0 + posterior_mean_noised x_i,
  // posterior_variance); the log of the variance has that of index 1 at index 0, where it is 0
  // (of a single timestep: that of its beta).
  std::vector<double> posterior_mean_x0, posterior_mean_noised, posterior_variance,
      posterior_log_variance;
  std::vector<double> snr;  // a_i / (1 - a_i)

  std::int64_t size() const { return std::int64_t(alphas_cumprod.size()); }
  bool zero_terminal_snr() const { return alphas_cumprod.back() == 0; }
  // a_(i-1), and 1 for the clean picture before index 0.
  double alphas_cumprod_before(std::int64_t index) const {
    return index == 0 ? 1 : alphas_cumprod[std::size_t(index - 1)];
  }
};

//   linear         beta from 1e-4 to 0.02 (Ho et al. 2020)
//   scaled-linear  sqrt(beta) from sqrt(0.00085) to sqrt(0.012) (Rombach et al. 2022)
//   cosine         a = f(i + 1) / f(0), f(t) = cos^2((t / n + 0.008) / 1.008 pi / 2), every beta at
//                  most 0.999 (Nichol and Dhariwal 2021, arXiv:2102.09672)
//   sigmoid        a falls as sigmoid from -3 to 3, shifted and scaled from 1 to 0, every beta at
//                  most 0.999 (Jabri et al. 2022, arXiv:2212.11972)
// zero_terminal_snr shifts and scales sqrt(a) so that its last is 0 and its first stays (Lin et al.
// 2023, arXiv:2305.08891). Throws UsageError for fewer than 1 timestep (2 with zero_terminal_snr)
// and for ends of beta outside 0 < start <= end < 1 once scaled.
NoiseSchedule make_noise_schedule(const NoiseScheduleArgs& args);

// Errors are told for each quarter of the timesteps, [edge(q), edge(q + 1)) for q = 0 .. 3; of
// fewer than 4 timesteps some are empty.
inline constexpr int kTimestepQuarters = 4;
inline std::int64_t quarter_edge(std::int64_t num_timesteps, int quarter) {
  return num_timesteps * quarter / kTimestepQuarters;
}

// The schedule that visits only the indices `kept`, ascending: betas are 1 - a_i / a_(the one kept
// before). Throws UsageError unless they are strictly ascending within the schedule.
NoiseSchedule respace(const NoiseSchedule& schedule, std::span<const std::int64_t> kept);

// How `count` of n timesteps are chosen, in order of k = 0 .. count - 1:
//   leading   floor(n / count) k: from the clean end, the DDIM paper's
//   linspace  round((n - 1) k / (count - 1)): both ends; of one timestep the noisy end
//   trailing  round(n - n (count - 1 - k) / count) - 1: from the noisy end (Lin et al. 2023)
enum class TimestepSpacing { leading, linspace, trailing };
inline constexpr Choice<TimestepSpacing> kTimestepSpacings[] = {
    {"leading", TimestepSpacing::leading},
    {"linspace", TimestepSpacing::linspace},
    {"trailing", TimestepSpacing::trailing}};
TimestepSpacing parse_timestep_spacing(std::string_view text);  // UsageError naming them all

// Ascending, without repetitions. Halves are rounded up. UsageError unless 1 <= count <= n.
std::vector<std::int64_t> spaced_timesteps(std::int64_t num_timesteps, std::int64_t count,
                                           TimestepSpacing spacing);

// A list that the user gave, in falling or rising order, as an ascending one. UsageError if it is
// empty, in no order, has repetitions or leaves [0, num_timesteps).
std::vector<std::int64_t> listed_timesteps(std::int64_t num_timesteps,
                                           std::span<const std::int64_t> list);

}  // namespace atelier
