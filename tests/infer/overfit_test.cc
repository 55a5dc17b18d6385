// Every kind of network learns eight pictures by heart.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "infer/training.h"

using namespace atelier;

namespace {

using Text = std::string;

struct Row {
  const char* name;
  Attributes values;
  DataShape shape;
  int steps;
  double rate;
  double left;  // of the loss above its floor, at the end
};

// Drawings of two grey levels, so that a Bernoulli likelihood can reach 0.
std::vector<float> drawings(std::int64_t count, const DataShape& shape) {
  RandomStream random(6, stream_of("drawings"));
  std::vector<float> values(std::size_t(count * shape.height * shape.width * shape.channels));
  for (float& v : values) v = random.uniform() < 0.5 ? 0 : 1;
  return values;
}

}  // namespace

TEST_CASE("networks of the VAE family overfit eight examples") {
  testing::OneThread one_thread;
  const DataShape digits{10, 9, 1, 0}, colour{12, 12, 3, 0};
  const Attributes fc{{"hidden_dim", Text("64")}, {"latent_dim", std::int64_t{8}}};
  const Attributes conv{
      {"net", Text("conv")}, {"channels", Text("16,32")}, {"latent_dim", std::int64_t{8}}};
  auto with = [](Attributes values, const Attributes& more) {
    values.insert(values.end(), more.begin(), more.end());
    return values;
  };
  const Attributes plain{{"variational", false}}, gaussian{{"likelihood", Text("gaussian")}};
  // A VAE of eight distinct pictures keeps at least ln 8 = 2.1 nats of KL: it must tell them apart.
  const Row rows[] = {
      {"fc VAE, Bernoulli", fc, digits, 1500, 3e-3, 0.2},
      {"fc autoencoder, Bernoulli", with(fc, plain), digits, 1500, 3e-3, 0.01},
      {"conv VAE, Gaussian", with(conv, gaussian), colour, 800, 1e-2, 0.2},
      {"conv autoencoder, Gaussian", with(conv, with(plain, gaussian)), colour, 800, 1e-2, 0.01},
      {"conv autoencoder, group norm, Bernoulli",
       with(conv, with(plain, {{"norm", Text("group")},
                               {"activation", Text("silu")},
                               {"likelihood", Text("bernoulli")}})),
       colour, 800, 1e-2, 0.01},
  };
  const std::int64_t examples = 8;
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Model model = testing::fitted("vae", row.values, row.shape);
    Store store(4);
    auto step = testing::TrainingStep::make(store, model, examples);
    std::vector<float> data = drawings(examples, row.shape);
    auto order = testing::identity_order(examples);
    bool bernoulli = Text(row.name).ends_with("Bernoulli");
    double pixels = double(data.size()) / double(examples);
    double floor = bernoulli ? 0 : pixels / 2 * std::log(2 * std::numbers::pi);
    ScheduleArgs schedule{
        .kind = LrSchedule::cosine, .learning_rate = row.rate, .total_steps = row.steps};
    double start = 0, end = 0;
    const int last = 20;  // an average over the noise
    for (int t = 0; t < row.steps; ++t) {
      double loss = double(step.run(data, order, learning_rate_at(schedule, t), t)) - floor;
      if (t == 0) start = loss;
      if (t >= row.steps - last) end += loss / last;
    }
    fmt::print("summary: {}: eight pictures, loss above its floor {:.2f} -> {:.3f} nats\n",
               row.name, start, end);
    CHECK(end > 0);
    CHECK(end < row.left * start);
  }
}
