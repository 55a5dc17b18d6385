// Updates: whole or in micro-batches, refused ones included.
#include "train/train_plans.h"

#include <doctest/doctest.h>

#include <map>

#include "train/support.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

std::map<std::string, std::vector<std::byte>> bytes_of(const Store& store) {
  std::map<std::string, std::vector<std::byte>> all;
  for (const std::string& name : store.names()) {
    const StoredTensor& tensor = store.at(name);
    all[name].assign(tensor.data(), tensor.data() + tensor.bytes());
  }
  return all;
}

// The pictures [first, first + rows) of a set as a batch.
struct Rows {
  std::vector<std::int32_t> ids;
  HostBatch batch;
  Rows(const SmallSet& data, std::int64_t from, std::int64_t rows) : ids(std::size_t(rows), 0) {
    std::iota(ids.begin(), ids.end(), 0);
    batch.rows = rows;
    batch.images = data.set.pixels.subspan(std::size_t(from * data.set.row_bytes()),
                                           std::size_t(rows * data.set.row_bytes()));
    batch.ids = ids;
  }
};

}  // namespace

TEST_CASE("an update that is not finite leaves every tensor as it was, at any micro-batch") {
  Task task = small_task();
  for (std::int64_t slices : {1, 2, 4}) {
    for (std::int64_t bad = 0; bad < 8; ++bad) {
      INFO("micro-batches ", slices, ", bad picture ", bad);
      SmallSet data(16);
      data.values[std::size_t(4 * (8 + bad))] = -1;
      TrainConfig config = small_config();
      config.grad_accum_steps = slices;
      config.ema_decay = "0.9";
      Store store(1);
      TrainPlans plans(task, config, data.set, store);
      REQUIRE(plans.update(Rows(data, 0, 8).batch, 0, 1e-2));
      auto before = bytes_of(store);
      REQUIRE(before.contains("norm.running_mean"));
      CHECK(!plans.update(Rows(data, 8, 8).batch, 1, 1e-2));
      CHECK(plans.non_finite().find("support.h") != std::string::npos);
      CHECK(bytes_of(store) == before);
      // The next update is that of a run that never saw the bad one.
      REQUIRE(plans.update(Rows(data, 0, 8).batch, 1, 1e-2));
      Store other(1);
      TrainPlans straight(task, config, data.set, other);
      REQUIRE(straight.update(Rows(data, 0, 8).batch, 0, 1e-2));
      REQUIRE(straight.update(Rows(data, 0, 8).batch, 1, 1e-2));
      CHECK(bytes_of(store) == bytes_of(other));
    }
  }
}

TEST_CASE("terms are means over all micro-batches, those that compile a plan included") {
  SmallSet data(12);
  Task task = small_task();
  TrainConfig config = small_config();
  config.grad_accum_steps = 2;
  Store store(1);
  TrainPlans plans(task, config, data.set, store);
  REQUIRE(plans.update(Rows(data, 0, 8).batch, 0, 1e-2));
  REQUIRE(plans.terms().size() == 1);
  CHECK(plans.terms()[0].unit == "of pixels");
  CHECK(plans.terms()[0].value == doctest::Approx(4.5));  // of 1 .. 8
  REQUIRE(plans.update(Rows(data, 8, 4).batch, 1, 1e-2));
  REQUIRE(plans.terms().size() == 1);
  CHECK(plans.terms()[0].value == doctest::Approx(10.5));  // of 9 .. 12
  REQUIRE(plans.update(Rows(data, 0, 8).batch, 2, 1e-2));
  CHECK(plans.terms()[0].value == doctest::Approx(4.5));
}

TEST_CASE("the tensors of a net are its parameters and its running statistics") {
  SmallSet data(8);
  Task task = small_task();
  TrainConfig config = small_config();
  config.ema_decay = "0.9";
  Store store;
  TrainPlans plans(task, config, data.set, store);
  plans.for_rows(8);
  CHECK(plans.tensors() == std::set<std::string>{"map.bias", "map.weight", "norm.bias",
                                                 "norm.running_mean", "norm.running_var",
                                                 "norm.weight"});
}

TEST_CASE("the smallest graph of an epoch is that of its last batch or of a micro-batch") {
  struct Row {
    std::int64_t batch_size, slices, pictures, least;
  };
  for (Row row : {Row{64, 1, 65, 1}, Row{64, 1, 64, 64}, Row{64, 1, 3, 3}, Row{1, 1, 9, 1},
                  Row{8, 8, 16, 1}, Row{8, 4, 13, 2}, Row{8, 4, 12, 1}, Row{8, 1, 0, 0}}) {
    INFO(row.batch_size, " in ", row.slices, " of ", row.pictures);
    TrainConfig config;
    config.batch_size = row.batch_size;
    config.grad_accum_steps = row.slices;
    CHECK(least_rows(config, row.pictures) == row.least);
  }
}
