// The loss of diffusion models where its value is known.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diffusion/timestep_draw.h"
#include "infer/training.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

using Text = std::string;

}  // namespace

TEST_CASE("A12: new networks have the error of the noise itself") {
  OneThread alone;
  const std::int64_t rows = 128, pixels = 16 * 16 * 3, batches = 4;
  const Attributes unet{{"net", Text("unet")},
                        {"base_channels", std::int64_t{4}},
                        {"channel_mult", Text("1,2")},
                        {"attention_sizes", Text("8")}};
  const Attributes dit{{"net", Text("dit")},
                       {"patch_size", std::int64_t{4}},
                       {"embed_dim", std::int64_t{8}},
                       {"depth", std::int64_t{1}},
                       {"num_heads", std::int64_t{2}}};
  std::vector<float> pictures = normal_rows(rows * pixels, 2);
  for (const Attributes& net : {unet, dit}) {
    Store store(3);
    TrainingStep step = TrainingStep::make(
        store, fitted("ddpm", net, {.height = 16, .width = 16, .channels = 3}), rows);
    double error = 0;
    for (std::int64_t batch = 0; batch < batches; ++batch)
      error += double(step.run(pictures, identity_order(rows), 0, batch)) / batches;
    // The mean of 393,216 squares of normal numbers has a standard error of 0.0023.
    fmt::print("summary: A12 {}: mean square error of a new network {:.4f}\n",
               std::get<Text>(net[0].second), error);
    CHECK(std::abs(error - 1) < 0.01);
  }
}

// A new network says 0 of v = s eps - n x0, whose square is s^2 + 9 n^2 at a timestep if pictures
// have a deviation of 3: four times as much at the last as at the first.
TEST_CASE("D18: a loss of timesteps drawn by their history is that of all alike") {
  OneThread alone;
  const std::int64_t rows = 256, timesteps = 20, batches = 300;
  Model model = fitted("ddpm",
                       {{"embed_dim", std::int64_t{4}},
                        {"depth", std::int64_t{1}},
                        {"prediction_type", Text("v")},
                        {"beta_schedule", Text("cosine")},
                        {"num_timesteps", timesteps},
                        {"timestep_sampler", Text("loss-second-moment")}},
                       {.height = 1, .width = 1, .channels = 4, .real = true});
  Store store(3);
  TrainingStep step = TrainingStep::make(store, model, rows);
  std::vector<float> vectors = normal_rows(rows * 4, 2);
  double squares = 0;
  for (float& v : vectors) squares += 9 * double(v) * double(v) / double(vectors.size());
  for (float& v : vectors) v *= 3;
  // The first five timesteps are drawn about ten times as often as the others.
  std::vector<double> past(std::size_t(timesteps), 0.1), share;
  std::fill_n(past.begin(), 5, 1.0);
  double total = 0;
  for (double v : past) total += v;
  for (double v : past) share.push_back(0.999 * v / total + 0.001 / double(timesteps));
  double mean = 0, second = 0;
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    std::span<float> values = store.values("train/loss_history");
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = float(past[i / std::size_t(kLossHistory)]);
    std::ranges::fill(store.values("train/loss_counts"), float(kLossHistory));
    double loss = double(step.run(vectors, identity_order(rows), 0, batch));
    mean += loss / batches;
    second += loss * loss / batches;
  }
  double error = std::sqrt((second - mean * mean) / batches), alike = 0, unweighted = 0;
  NoiseSchedule schedule = model.diffusion().schedule;
  for (std::size_t t = 0; t < past.size(); ++t) {
    double a = schedule.alphas_cumprod[t], expected = a + squares * (1 - a);
    alike += expected / double(timesteps);
    unweighted += expected * share[t];
  }
  fmt::print(
      "summary: D18 loss of drawn timesteps {:.4f}, of all alike {:.4f}: {:.1f} standard errors "
      "apart; without weights {:.4f}\n",
      mean, alike, std::abs(mean - alike) / error, unweighted);
  CHECK(std::abs(mean - alike) < 3 * error);
  CHECK(std::abs(unweighted - alike) > 20 * error);
}
