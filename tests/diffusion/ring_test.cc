// Samplers in plans on a ring of eight Gaussians whose score is known: what they draw against what
// is known of the ring and of the samplers.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/parallel.h"
#include "diffusion/sampler_plan.h"
#include "support/near.h"

using namespace atelier;
using testing::schedule_of;

namespace {

constexpr int kModes = 8;
constexpr double kSd = 0.1;

std::vector<float> ring_points(std::int64_t count) {
  std::vector<float> points = testing::normal_values(2 * count, "ring");
  std::vector<double> means = testing::ring_means();
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] = float(means[(i / 2 % kModes) * 2 + i % 2] + kSd * points[i]);
  }
  return points;
}

struct Drawn {
  double within = 0;   // share of points within three sd of a mode
  double mode_sd = 0;  // of a coordinate around the nearest mode
  double least_share = 1, largest_share = 0;
};

Drawn described(std::span<const float> points) {
  std::vector<double> means = testing::ring_means();
  std::array<double, kModes> count{};
  double squares = 0, within = 0, total = double(points.size() / 2);
  for (std::size_t i = 0; i < points.size(); i += 2) {
    double best = INFINITY;
    std::size_t mode = 0;
    for (std::size_t k = 0; k < kModes; ++k) {
      double square =
          std::pow(points[i] - means[2 * k], 2) + std::pow(points[i + 1] - means[2 * k + 1], 2);
      if (square < best) best = square, mode = k;
    }
    squares += best;
    within += best <= 9 * kSd * kSd;
    ++count[mode];
  }
  Drawn drawn{within / total, std::sqrt(squares / (2 * total))};
  for (double c : count) {
    drawn.least_share = std::min(drawn.least_share, c / total);
    drawn.largest_share = std::max(drawn.largest_share, c / total);
  }
  return drawn;
}

// A step on a few points is so short that a team would wait for itself more than it works.
struct OneThread {
  OneThread() { set_threads(1); }
  ~OneThread() { set_threads(0); }
};

double mean_square(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double(a[i]) - double(b[i]), 2);
  return sum / double(a.size());
}

}  // namespace

TEST_CASE("DDIM on the exact score draws the ring, and finds back what it inverted") {
  struct Row {
    std::int64_t sample_steps;
    double inversion, within, mode_sd;
  };
  constexpr Row kRows[] = {{10, 1.27e-2, 0.717, 0.185},  {20, 4.0e-3, 0.910, 0.1145},
                           {50, 1.1e-3, 0.977, 0.0947},  {100, 3.2e-4, 0.985, 0.0965},
                           {250, 5.4e-5, 0.989, 0.0978}, {1000, 3.5e-6, 0.989, 0.0989}};
  OneThread alone;
  constexpr std::int64_t kPoints = 4000;
  NoiseSchedule all = schedule_of(BetaSchedule::linear);
  for (const Row& row : kRows) {
    INFO("steps ", row.sample_steps);
    VisitArgs visit{
        .sample_steps = row.sample_steps, .spacing = TimestepSpacing::linspace, .clipped = false};
    NoiseSchedule s = visited_schedule(all, visit);
    auto down = sampler_steps(s, {}), up = inversion_steps(s);
    auto plan = testing::mixture_plan(all, kPoints, testing::ring_means(), 2, kSd * kSd, down);
    Drawn drawn = described(plan.walk(testing::normal_values(2 * kPoints, "start"), down));
    std::vector<float> points = ring_points(kPoints);
    double inversion = mean_square(points, plan.walk(plan.walk(points, up), down));
    CHECK(inversion < 1.5 * row.inversion);
    CHECK(inversion > row.inversion / 1.5);
    CHECK(std::abs(drawn.within - row.within) < 0.01);
    CHECK(drawn.mode_sd == testing::near(row.mode_sd, 0.03));
    // Three standard errors of a share.
    double error = 3 * std::sqrt(0.125 * 0.875 / double(kPoints));
    CHECK(drawn.least_share > 0.125 - error);
    CHECK(drawn.largest_share < 0.125 + error);
    fmt::print(
        "summary: D10 DDIM on the ring, {} steps, {} points: inverted and back {:.2e}, within 3 sd "
        "{:.4f}, mode sd {:.4f}, shares {:.3f} to {:.3f}\n",
        row.sample_steps, kPoints, inversion, drawn.within, drawn.mode_sd, drawn.least_share,
        drawn.largest_share);
  }
}

TEST_CASE("DDPM with the small variance draws modes too narrow, with the large one too wide") {
  struct Row {
    std::int64_t sample_steps;
    double small, large;
  };
  constexpr Row kRows[] = {
      {50, 0.0847, 0.1348}, {100, 0.0861, 0.1159}, {250, 0.0911, 0.1051}, {1000, 0.0974, 0.1012}};
  OneThread alone;
  constexpr std::int64_t kPoints = 12000;
  NoiseSchedule all = schedule_of(BetaSchedule::linear);
  for (const Row& row : kRows) {
    INFO("steps ", row.sample_steps);
    VisitArgs visit{
        .sample_steps = row.sample_steps, .spacing = TimestepSpacing::linspace, .clipped = false};
    NoiseSchedule s = visited_schedule(all, visit);
    auto small = sampler_steps(s, {.sampler = Sampler::ddpm});
    auto large =
        sampler_steps(s, {.sampler = Sampler::ddpm, .variance_type = VarianceType::fixed_large});
    auto plan = testing::mixture_plan(all, kPoints, testing::ring_means(), 2, kSd * kSd, small);
    std::vector<float> start = testing::normal_values(2 * kPoints, "start");
    double narrow = described(plan.walk(start, small)).mode_sd;
    double wide = described(plan.walk(start, large)).mode_sd;
    CHECK(narrow == testing::near(row.small, 0.03));
    CHECK(wide == testing::near(row.large, 0.03));
    CHECK(narrow < kSd);
    CHECK(wide > kSd);
    fmt::print(
        "summary: D11 DDPM on the ring, {} steps, {} points: mode sd {:.4f} small, {:.4f} large\n",
        row.sample_steps, kPoints, narrow, wide);
  }
}

TEST_CASE("a sample is the same bits again, in any batch and with any number of threads") {
  NoiseSchedule all = schedule_of(BetaSchedule::linear);
  NoiseSchedule s = respace(all, spaced_timesteps(1000, 20, TimestepSpacing::trailing));
  constexpr std::int64_t kPoints = 96, kHalf = kPoints / 2;
  std::vector<float> start = testing::normal_values(2 * kPoints, "start");
  for (const SamplerArgs& args :
       {SamplerArgs{}, SamplerArgs{.sampler = Sampler::ddpm},
        SamplerArgs{.sampler = Sampler::dpm2m}, SamplerArgs{.sampler = Sampler::heun}}) {
    INFO(int(args.sampler));
    auto steps = sampler_steps(s, args);
    auto whole = testing::mixture_plan(all, kPoints, testing::ring_means(), 2, kSd * kSd, steps);
    auto half = testing::mixture_plan(all, kHalf, testing::ring_means(), 2, kSd * kSd, steps);
    std::vector<float> once = whole.walk(start, steps);
    CHECK(whole.walk(start, steps) == once);
    set_threads(3);
    CHECK(whole.walk(start, steps) == once);
    set_threads(1);
    CHECK(whole.walk(start, steps) == once);
    set_threads(0);
    for (std::int32_t first : {0, std::int32_t(kHalf)}) {
      if (needs_noise(steps)) half.name_rows(first);
      std::span<const float> part(start.data() + 2 * first, 2 * kHalf);
      std::vector<float> piece = half.walk(part, steps);
      CHECK(std::equal(piece.begin(), piece.end(), once.begin() + 2 * first));
    }
  }
  fmt::print(
      "summary: D9 4 samplers: the same bits in 2 runs, with 1 and 3 threads, in 2 batches\n");
}
