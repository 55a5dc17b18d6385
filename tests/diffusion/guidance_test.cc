// Classifier-free guidance on two classes whose scores are known.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "diffusion/sampler_plan.h"

using namespace atelier;
using testing::schedule_of;

namespace {

constexpr std::int64_t kRows = 500;  // enough for a rounding to show
constexpr double kMeans[] = {-1, 0.5}, kSd = 0.3;
constexpr std::int32_t kNone = 2;

// Noise of N(mean of the class, sd^2), and of the mixture of both where the label is kNone; labels
// i32 [rows] must be as many as x has.
Denoiser labelled(Expr levels, Expr means, Expr labels) {
  return [=](Expr x, Expr timestep) {
    Expr mixture = testing::mixture_noise(levels, means, kSd * kSd)(x, timestep);
    Expr level = take(levels, cast(timestep, DType::i32));
    Expr s = slice(level, 1, 0, 1), n = slice(level, 1, 1, 2);
    Expr mean = take(means, min(labels, 1));
    Expr given = n * (x - s * mean) / (square(s) * (kSd * kSd) + square(n));
    Expr none = equal(reshape(labels, {x.shape()[0], 1}), int(kNone));
    return where(none, mixture, given);
  };
}

// One step of each guidance scale by a plan; labels of the rows that the network sees.
struct Guided {
  NoiseSchedule all = schedule_of(BetaSchedule::linear);
  SamplerStep step =
      sampler_steps(respace(all, spaced_timesteps(1000, 10, TimestepSpacing::trailing)), {})[6];
  std::vector<float> x = testing::normal_values(kRows, "start");

  std::vector<float> run(bool guided, double scale, const std::vector<double>& labels) {
    std::vector<SamplerStep> steps{step};
    steps[0].guidance_scale = scale;
    SamplerPlan::Table tables[] = {{"levels", {all.size(), 2}, testing::levels_of(all)},
                                   {"means", {2, 1}, {kMeans[0], kMeans[1]}},
                                   {"labels", {std::int64_t(labels.size())}, labels}};
    SamplerPlan plan({kRows, 1}, {.clip_x0 = 0, .guided = guided}, steps, tables,
                     [](Graph&, std::span<const Expr> t) {
                       return labelled(t[0], t[1], cast(t[2], DType::i32));
                     });
    return plan.walk(x, steps);
  }
  using SamplerPlan = testing::SamplerPlan;
};

std::vector<double> classes() {
  std::vector<double> labels;
  for (std::int64_t i = 0; i < kRows; ++i) labels.push_back(double(i % 2));
  return labels;
}
std::vector<double> nobody() { return std::vector<double>(kRows, kNone); }

std::vector<double> both() {
  std::vector<double> labels = classes();
  labels.resize(2 * kRows, kNone);
  return labels;
}

}  // namespace

TEST_CASE("guidance by 1 gives the bits of the condition, by 0 those without one") {
  Guided guided;
  CHECK(guided.run(true, 1, both()) == guided.run(false, 1, classes()));
  CHECK(guided.run(true, 0, both()) == guided.run(false, 1, nobody()));
  CHECK(guided.run(true, 3, both()) != guided.run(false, 1, classes()));
}

TEST_CASE("a guided step on two Gaussian classes is what the formula of their scores says") {
  Guided guided;
  const SamplerStep& step = guided.step;
  double worst = 0;
  for (double scale : {-0.5, 0.5, 1.5, 4.0}) {
    std::vector<float> found = guided.run(true, scale, both());
    for (std::size_t i = 0; i < found.size(); ++i) {
      double x = guided.x[i], s = step.signal, n = step.sigma, v = s * s * kSd * kSd + n * n;
      // Scores: of each class -(x - s mean) / v, of the mixture their mean by responsibility.
      double score[2], density[2];
      for (int k = 0; k < 2; ++k) {
        score[k] = -(x - s * kMeans[k]) / v;
        density[k] = std::exp(-std::pow(x - s * kMeans[k], 2) / (2 * v));
      }
      double none = (density[0] * score[0] + density[1] * score[1]) / (density[0] + density[1]);
      double total = none + scale * (score[i % 2] - none);
      double eps = -n * total, x0 = (x - n * eps) / s;
      double expected = step.next_signal * x0 + step.next_sigma * eps;
      worst = std::max(worst, std::abs(double(found[i]) - expected));
    }
  }
  CHECK(worst < 1e-6);
  fmt::print("summary: D13 guided steps on two Gaussians: {:.1e} off the formula\n", worst);
}
