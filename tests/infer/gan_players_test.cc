// The players of a GAN, update by update: who moves, within which bounds, what noise they see, and
// micro-batches.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "infer/training.h"
#include "models/gan.h"

using namespace atelier;

namespace {

using Text = std::string;

// An update of one player, as the training loop does it.
struct Turn {
  Plan plan;
  std::int64_t rows;

  // `accumulate` 0: the whole update. 1: an earlier micro-batch; k > 1: the last of k.
  Turn(Store& store, const Model& model, std::size_t which, std::int64_t rows, int accumulate = 0)
      : plan(make(store, model, which, rows, accumulate)), rows(rows) {}

  // Picture i of the batch is that of place first + i, and so is its noise.
  double run(std::int64_t step, std::int64_t first = 0) {
    if (plan.has_input("image")) {
      auto image = plan.input("image");
      std::size_t width = image.size() / std::size_t(rows);
      std::vector<float> all = testing::normal_rows(64 * std::int64_t(width), 3);
      for (std::size_t i = 0; i < image.size(); ++i) {
        double v = double(all[std::size_t(first) * width + i]);
        image[i] = float(1 / (1 + std::exp(-v)));
      }
    }
    auto ids = plan.input<std::int32_t>("ids");
    std::iota(ids.begin(), ids.end(), std::int32_t(first));
    auto clock = plan.input<std::int32_t>("clock");
    clock[0] = 7;
    clock[1] = 0;
    clock[2] = std::int32_t(step);
    if (plan.has_input("rate")) plan.input("rate")[0] = 0.01f;
    plan.run();
    return double(plan.scalar("loss"));
  }

 private:
  static Plan make(Store& store, const Model& model, std::size_t which, std::int64_t rows,
                   int accumulate) {
    Graph graph;
    Scope root(graph, store, Mode::train, noise_inputs(graph, rows));
    DataShape shape = model.data_shape();
    Expr image =
        graph.input("image", DType::f32, {rows, shape.height, shape.width, shape.channels});
    Player player = model.players()[which];
    Objective objective =
        player.objective(root, {.image = image, .step = optimizer_step(root / "generator")});
    Scope part = root / player.name;
    std::vector<Expr> grads = gradient(objective.loss, part.params());
    graph.output("loss", objective.loss);
    if (accumulate == 1) {
      accumulate_gradients(part, grads);
    } else {
      if (accumulate > 1) grads = accumulated_mean(part, grads, accumulate);
      apply_optimizer(part, grads, graph.input("rate", DType::f32, {}), {.adam = {.beta1 = 0.5}});
    }
    return Plan(graph, store);
  }
};

Model gan_of(const Attributes& values, std::int64_t side) {
  return testing::fitted("gan", values, {.height = side, .width = side, .channels = 1});
}

using Bytes = std::map<std::string, std::vector<std::byte>>;
Bytes bytes_of(const Store& store, const std::string& player) {
  Bytes all;
  for (const std::string& name : store.names()) {
    if (!name.starts_with(player + ".")) continue;
    const StoredTensor& tensor = store.at(name);
    all[name].assign(tensor.data(), tensor.data() + tensor.bytes());
  }
  return all;
}

// How many bytes of `a` differ from those of `b`.
std::size_t apart(const Bytes& a, const Bytes& b) {
  std::size_t count = 0;
  for (const auto& [name, bytes] : a) {
    auto other = b.find(name);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      count += other == b.end() || bytes[i] != other->second[i];
  }
  return count;
}

}  // namespace

TEST_CASE("clipped weights stay within their bound, and the other player is left alone") {
  testing::OneThread one_thread;
  const double bound = 0.01;
  for (const char* norm : {"batch", "none"}) {
    Model model = gan_of({{"base_channels", std::int64_t{4}},
                          {"latent_dim", std::int64_t{3}},
                          {"loss", Text("wasserstein")},
                          {"discriminator_norm", Text(norm)},
                          {"weight_clip", bound}},
                         8);
    Store store(1);
    Turn critic(store, model, 0, 6), generator(store, model, 1, 6);
    double most = 0;
    for (std::int64_t step = 0; step < 5; ++step) {
      Bytes before = bytes_of(store, "generator");
      critic.run(2 * step);
      CHECK(bytes_of(store, "generator") == before);
      for (const auto& [name, bytes] : bytes_of(store, "discriminator")) {
        if (name.find("running") != name.npos) continue;
        for (float v : std::as_const(store).values(name))
          most = std::max(most, std::abs(double(v)));
      }
      before = bytes_of(store, "discriminator");
      Bytes own = bytes_of(store, "generator");
      generator.run(2 * step + 1);
      CHECK(bytes_of(store, "discriminator") == before);
      CHECK(bytes_of(store, "generator") != own);
    }
    fmt::print("summary: B10 weights clipped at {}, {} norm: at most {:.6f}\n", bound, norm, most);
    CHECK(most == double(float(bound)));  // of steps of 0.01 some reach it
  }
}

TEST_CASE("instance noise falls in a line, and at its end the bits are those of a plain GAN") {
  testing::OneThread one_thread;
  // Both players after one update each, `done` updates of the generator behind them.
  auto after = [](double noise, std::int64_t steps, double done) {
    Model model = gan_of({{"hidden_dim", Text("5")},
                          {"latent_dim", std::int64_t{3}},
                          {"instance_noise", noise},
                          {"instance_noise_steps", steps}},
                         4);
    Store store(1);
    Turn discriminator(store, model, 0, 6), generator(store, model, 1, 6);
    store.values("optimizer/step/generator")[0] = float(done);
    discriminator.run(0);
    generator.run(1);
    Bytes all = bytes_of(store, "discriminator");
    all.merge(bytes_of(store, "generator"));
    return all;
  };
  Bytes plain = after(0, 0, 0);
  std::size_t bytes = 0, off_line = 0, off_plain = 0;
  for (int done = 0; done <= 5; ++done) {
    INFO("updates ", done);
    double left = 0.5 * std::max(0.0, 1 - done / 4.0);
    Bytes scheduled = after(0.5, 4, done);
    // The same noise, times the deviation that the schedule leaves: all of it is exact in f32. The
    // generator's updates enter its own pace, so that the same number of them is compared with.
    Bytes line = after(left, 0, done), without = after(0, 0, done);
    CHECK(scheduled == line);
    CHECK((scheduled == without) == (done >= 4));
    bytes += apart(scheduled, {});
    off_line += apart(scheduled, line);
    if (done >= 4) off_plain += apart(scheduled, without);
  }
  CHECK(after(0.5, 4, 0) != plain);
  fmt::print(
      "summary: B11 instance noise: after 0 to 5 updates of 4 {} of {} bytes off its line, at its "
      "end {} off a plain GAN\n",
      off_line, bytes, off_plain);
}

TEST_CASE("micro-batches of both players give the gradient of the whole batch") {
  testing::OneThread one_thread;
  // Losses without batch norm; penalties but dragan, whose noise has the deviation of the batch.
  double worst = 0;
  for (const char* loss : {"minimax", "non-saturating", "least-squares", "hinge", "wasserstein"}) {
    for (const char* penalty : {"none", "gradient", "r1"}) {
      Model model = gan_of({{"hidden_dim", Text("6")},
                            {"latent_dim", std::int64_t{3}},
                            {"activation", Text("tanh")},
                            {"loss", Text(loss)},
                            {"penalty", Text(penalty)},
                            {"instance_noise", 0.1}},
                           4);
      for (std::size_t which : {0, 1}) {
        Store whole(1), sliced(1);
        Turn all(whole, model, which, 12), part(sliced, model, which, 4, 1),
            last(sliced, model, which, 4, 3);
        all.run(5);
        part.run(5, 0);
        part.run(5, 4);
        last.run(5, 8);
        double apart = 0, size = 0;
        for (const std::string& name : whole.names("optimizer/exp_avg/")) {
          auto x = whole.values(name), y = sliced.values(name);
          for (std::size_t i = 0; i < x.size(); ++i) {
            apart += std::pow(double(x[i]) - double(y[i]), 2);
            size += std::pow(double(x[i]), 2);
          }
        }
        REQUIRE(size > 0);
        worst = std::max(worst, std::sqrt(apart / size));
      }
    }
  }
  fmt::print("summary: A15 GAN in micro-batches against whole batches: {:.1e}\n", worst);
  CHECK(worst < 1e-6);
}
