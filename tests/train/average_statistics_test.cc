// Running statistics of averaged weights: those of batches that go through the averages.
#include "train/average_statistics.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "data/loader.h"
#include "train/support.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

using Bytes = std::map<std::string, std::vector<std::byte>>;
Bytes bytes_of(const Store& store, const std::string& prefix) {
  Bytes all;
  for (const std::string& name : store.names(prefix)) {
    const StoredTensor& tensor = store.at(name);
    all[name].assign(tensor.data(), tensor.data() + tensor.bytes());
  }
  return all;
}

// The small task after a few updates, with two averages of its weights.
struct Run {
  SmallSet data{21};  // of which batches of 8 leave 5
  TrainConfig config = small_config();
  Task task = small_task();
  TrainData sets;
  Store store{1};

  explicit Run(std::int64_t updates, std::int64_t slices = 1) {
    for (std::size_t i = 0; i < data.values.size(); ++i)
      data.values[i] = 1 + float((i * 7919) % 97) / 97;
    config.ema_decay = "0.9,0.5";
    config.grad_accum_steps = slices;
    sets.train = &data.set;
    sets.train_indices = first(data.set.size);
    TrainPlans plans(task, config, data.set, store);
    Loader loader(data.set, sets.train_indices, loader_options(config, sets));
    for (std::int64_t step = 0; step < updates; ++step)
      REQUIRE(plans.update(loader.next(), step, 1e-2));
  }
};

// What channel `c` of the averaged map gives for each row of a batch.
std::vector<double> channel(const Store& store, const std::string& prefix, const HostBatch& batch,
                            std::size_t c) {
  auto weight = store.values(prefix + "map.weight"), bias = store.values(prefix + "map.bias");
  std::vector<double> y(std::size_t(batch.rows), double(bias[c]));
  auto* pixels = reinterpret_cast<const float*>(batch.images.data());
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (std::size_t j = 0; j < 4; ++j)
      y[i] += std::log(double(pixels[4 * i + j])) * double(weight[3 * j + c]);
  }
  return y;
}

}  // namespace

TEST_CASE("statistics of averages are means over batches that go through the averaged weights") {
  for (std::int64_t slices : {1, 2}) {
    Run run(6, slices);
    AverageStatistics statistics(run.task, run.config, run.sets, run.store);
    statistics.estimate();
    LoaderOptions options = loader_options(run.config, run.sets);
    options.batch_size = 8 / slices;
    const Store& store = run.store;
    double worst = 0, apart = 0;
    for (const char* prefix : {"ema0/", "ema1/"}) {
      std::vector<double> means(3, 0), variances(3, 0);
      Loader loader(run.data.set, run.sets.train_indices, options);
      for (std::int64_t batches = 0; batches < kStatisticsBatches;) {
        HostBatch batch = loader.next();
        if (batch.rows < options.batch_size) continue;
        ++batches;
        for (std::size_t c = 0; c < 3; ++c) {
          double mean = 0, squares = 0, rows = double(batch.rows);
          for (double v : channel(store, prefix, batch, c)) mean += v / rows;
          for (double v : channel(store, prefix, batch, c)) squares += (v - mean) * (v - mean);
          means[c] += mean / double(kStatisticsBatches);
          variances[c] += squares / (rows - 1) / double(kStatisticsBatches);
        }
      }
      for (std::size_t c = 0; c < 3; ++c) {
        double mean = double(store.values(std::string(prefix) + "norm.running_mean")[c]);
        double variance = double(store.values(std::string(prefix) + "norm.running_var")[c]);
        worst = std::max({worst, std::abs(mean - means[c]), std::abs(variance - variances[c])});
        apart = std::max(apart, std::abs(mean - double(store.values("norm.running_mean")[c])));
      }
    }
    fmt::print(
        "summary: statistics of averages in slices of {}: {:.1e} from those of the batches\n",
        options.batch_size, worst);
    CHECK(worst < 1e-6);
    CHECK(apart > 1e-3);  // those of the weights themselves are others
  }
}

TEST_CASE("statistics of averages follow from the weights, not from when they were taken") {
  Run run(6);
  Bytes weights = bytes_of(run.store, "");
  std::erase_if(weights, [](const auto& entry) { return entry.first.starts_with("ema"); });
  AverageStatistics statistics(run.task, run.config, run.sets, run.store);
  // Only what the model itself has: the network that is trained is left alone.
  CHECK(run.store.has("ema0/norm.running_mean"));
  CHECK(run.store.has("ema1/norm.running_var"));
  statistics.estimate();
  Bytes once = bytes_of(run.store, "ema");
  std::ranges::fill(run.store.values("ema0/norm.running_mean"), 1e20f);
  statistics.estimate();
  CHECK(bytes_of(run.store, "ema") == once);
  AverageStatistics(run.task, run.config, run.sets, run.store).estimate();
  CHECK(bytes_of(run.store, "ema") == once);
  Bytes after = bytes_of(run.store, "");
  for (const auto& weight : weights) {
    INFO(weight.first);
    CHECK(after.at(weight.first) == weight.second);
  }
}

TEST_CASE("of players, those have statistics of averages whose weights are averaged") {
  auto objective = [](const char* player) {
    return [player](const Scope& root, const Batch& batch) {
      return small_objective(root / player, batch);
    };
  };
  SmallSet data(16);
  Task task = small_task();
  task.objective = nullptr;
  task.players = {{{.name = "one", .objective = objective("one"), .averaged = false}},
                  {{.name = "two", .objective = objective("two")}}};
  TrainConfig config = small_config();
  config.ema_decay = "0.9";
  TrainData sets;
  sets.train = &data.set;
  sets.train_indices = first(16);
  Store store(1);
  for (int player : {0, 1}) TrainPlans(task, config, data.set, store, 0, player).for_rows(8);
  AverageStatistics statistics(task, config, sets, store);
  statistics.estimate();
  CHECK(store.has("ema0/two.norm.running_var"));
  CHECK(!store.has("ema0/one.norm.running_var"));
  CHECK(store.values("two.norm.running_var")[0] == 1);  // nothing was trained
  CHECK(store.values("ema0/two.norm.running_var")[0] != 1);
}
