// Parts trained in turns: who moves when, what is taken back, what noise they see.
#include "train/turns.h"

#include <doctest/doctest.h>

#include <map>

#include "nn/losses.h"
#include "nn/optimizers.h"
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
  CHECK(run.turns.batches() == 4);
  REQUIRE(run.turns.run(run.loader, 0, 1e-2));
  CHECK(run.turns.rows() == 16);
  CHECK(run.turns.next().index == 16);
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
    data.values[std::size_t(4 * (16 + bad))] = -1;
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
