// Parts trained in turns: who moves when, what is taken back, what noise they see.
#include "train/turns.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "nn/adversarial.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "support/near.h"
#include "train/support.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

using Bytes = std::map<std::string, std::vector<std::byte>>;
Bytes bytes_of(const Store& store) {
  Bytes all;
  for (const std::string& name : store.names()) {
    const StoredTensor& tensor = store.at(name);
    all[name].assign(tensor.data(), tensor.data() + tensor.bytes());
  }
  return all;
}

// Two adversaries of one number each. The first reads the pictures, whose logarithm is NaN for
// negative ones; the second looks at its weight.
Expr weight(const Scope& root, const char* player) {
  return reshape((root / player).param("w", {1}, constant(0.5)), {});
}
std::vector<TrainedPlayer> two_players(std::int64_t updates, std::int64_t ahead = 0) {
  TrainedPlayer first{{.name = "discriminator",
                       .objective =
                           [](const Scope& root, const Batch& batch) {
                             Expr level = mean_of_rows(sum_rows(log(batch.image)));
                             Expr noise =
                                 mean_of_rows(root.normal("noise", {batch.image.shape()[0]}));
                             Expr w = weight(root, "discriminator");
                             Expr loss = square(w * level - weight(root, "generator")) + noise * w;
                             return Objective{loss, "squares", {{"noise", "of one", noise}}};
                           },
                       .updates = updates,
                       .averaged = false}};
  TrainedPlayer second{
      {.name = "generator",
       .objective =
           [](const Scope& root, const Batch&) {
             Expr w = weight(root, "generator");
             return Objective{square(w + 2.0 * weight(root, "discriminator")), "squares", {}};
           },
       .look_ahead = ahead}};
  return {first, second};
}

Task task_of(std::vector<TrainedPlayer> players) {
  Task task = small_task();
  task.objective = nullptr;
  task.players = std::move(players);
  return task;
}

struct Run {
  Task task;
  TrainConfig config = small_config();
  Store store{1};
  Loader loader;
  Turns turns;
  Run(const SmallSet& data, std::vector<TrainedPlayer> players)
      : task(task_of(std::move(players))),
        loader(data.set, first(data.set.size), {.batch_size = 4, .shuffle = false}),
        turns(task, with_average(config), data.set, store) {}

 private:
  static const TrainConfig& with_average(TrainConfig& config) {
    config.ema_decay = "0.9";
    config.batch_size = 4;
    return config;
  }
};

}  // namespace

TEST_CASE("each player moves its own weights, as often as it should, on batches of its own") {
  SmallSet data(24);
  Run run(data, two_players(3));
  CHECK(run.turns.batches() == 3);
  REQUIRE(run.turns.run(run.loader, 0, 1e-2));
  CHECK(run.turns.rows() == 12);
  CHECK(run.turns.next().index == 12);
  auto done = [&](const char* player) {
    return run.store.values(std::string("optimizer/step/") + player)[0];
  };
  CHECK(done("discriminator") == 3);
  CHECK(done("generator") == 1);
  CHECK(run.turns.parameters() == 2);
  CHECK(run.turns.tensors() == std::set<std::string>{"discriminator.w", "generator.w"});
  CHECK(run.store.has("ema0/generator.w"));
  CHECK(!run.store.has("ema0/discriminator.w"));
  // The first player's loss is a term of the step; the last one's is the step's.
  REQUIRE(run.turns.terms().size() == 2);
  CHECK(run.turns.terms()[0].name == "discriminator_loss");
  CHECK(run.turns.terms()[1].name == "noise");
}

TEST_CASE("noise differs from update to update, and does not depend on where a run began") {
  SmallSet data(24);
  auto noise = [&](std::int64_t step, std::int64_t updates) {
    Run run(data, two_players(updates));
    REQUIRE(run.turns.run(run.loader, step, 0));
    return run.turns.terms()[1].value;
  };
  CHECK(noise(0, 1) != noise(1, 1));
  CHECK(noise(0, 2) != noise(0, 1));  // a mean of two
  CHECK(noise(5, 2) == noise(5, 2));
}

TEST_CASE("what earlier turns have written is taken back when a later one is not finite") {
  for (std::int64_t bad : {0, 4, 8}) {
    INFO("bad picture ", bad);
    SmallSet data(40);
    data.values[std::size_t(4 * (12 + bad))] = -1;
    Run run(data, two_players(3));
    REQUIRE(run.turns.run(run.loader, 0, 1e-2));
    Bytes before = bytes_of(run.store);
    CHECK(!run.turns.run(run.loader, 1, 1e-2));
    CHECK(!run.turns.non_finite().empty());
    CHECK(bytes_of(run.store) == before);
  }
}

TEST_CASE("looking no update ahead gives the bytes of a plain run; looking ahead gives others") {
  SmallSet data(24);
  auto trained = [&](std::int64_t ahead) {
    Run run(data, two_players(1, ahead));
    for (std::int64_t step = 0; step < 3; ++step) REQUIRE(run.turns.run(run.loader, step, 1e-2));
    return bytes_of(run.store);
  };
  CHECK(trained(0) == trained(0));
  CHECK(trained(2) != trained(0));
}

namespace {

// Adversaries with a hidden layer each, whose losses are means over the rows: a critic with a
// penalty on its slopes between the rows and those that are made of noise.
std::vector<TrainedPlayer> two_networks() {
  auto made = [](const Scope& root, std::int64_t rows) {
    Scope own = root / "generator";
    Expr x = tanh(linear(own / "hidden", root.normal("latent", {rows, 3}), 5));
    return linear(own / "output", x, 4);
  };
  auto judged = [](const Scope& root, Expr x) {
    Scope own = root / "discriminator";
    Expr y = linear(own / "output", tanh(linear(own / "hidden", x, 5)), 1);
    return reshape(y, {x.shape()[0]});
  };
  TrainedPlayer critic{
      {.name = "discriminator",
       .objective =
           [=](const Scope& root, const Batch& batch) {
             std::int64_t rows = batch.image.shape()[0];
             Expr real = reshape(batch.image, {rows, 4}), fake = made(root, rows);
             Expr slope = slopes([&](Expr x) { return judged(root, x); },
                                 between_points(root / "penalty", real, fake));
             Expr difference = judged(root, fake) - judged(root, real);
             return Objective{
                 mean_of_rows(difference + 10.0 * slope_penalty(slope, false)), "", {}};
           },
       .averaged = false}};
  TrainedPlayer generator{
      {.name = "generator", .objective = [=](const Scope& root, const Batch& batch) {
         return Objective{mean_of_rows(-judged(root, made(root, batch.image.shape()[0]))), "", {}};
       }}};
  return {critic, generator};
}

}  // namespace

TEST_CASE("players in micro-batches have the gradient of the whole batch") {
  SmallSet data(24);
  Run whole(data, two_networks());
  REQUIRE(whole.turns.run(whole.loader, 0, 0));
  double worst = 0;
  for (std::int64_t slices : {2, 4}) {
    Run sliced(data, two_networks());
    sliced.config.grad_accum_steps = slices;
    REQUIRE(sliced.turns.run(sliced.loader, 0, 0));
    CHECK(sliced.turns.loss() == testing::near(whole.turns.loss(), 1e-5));
    // After one update the first moments are the gradients times a constant.
    for (const char* player : {"discriminator", "generator"}) {
      double apart = 0, size = 0;
      for (const std::string& name :
           whole.store.names(std::string("optimizer/exp_avg/") + player)) {
        auto x = whole.store.values(name), y = sliced.store.values(name);
        for (std::size_t i = 0; i < x.size(); ++i) {
          apart += std::pow(double(x[i]) - double(y[i]), 2);
          size += std::pow(double(x[i]), 2);
        }
      }
      REQUIRE(size > 0);
      worst = std::max(worst, std::sqrt(apart / size));
    }
  }
  fmt::print("summary: A15 players in micro-batches against whole batches: {:.1e}\n", worst);
  CHECK(worst < 1e-6);
}
