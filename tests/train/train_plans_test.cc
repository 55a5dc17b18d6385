// Updates: whole or in micro-batches, refused ones included.
#include "train/train_plans.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "support/near.h"
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
  CHECK(plans.terms()[0].value == testing::near(4.5));  // of 1 .. 8
  REQUIRE(plans.update(Rows(data, 8, 4).batch, 1, 1e-2));
  REQUIRE(plans.terms().size() == 1);
  CHECK(plans.terms()[0].value == testing::near(10.5));  // of 9 .. 12
  REQUIRE(plans.update(Rows(data, 0, 8).batch, 2, 1e-2));
  CHECK(plans.terms()[0].value == testing::near(4.5));
}

TEST_CASE("the graph of vectors sees their numbers as they are") {
  SmallSet data(8);
  for (std::size_t i = 0; i < data.values.size(); ++i) data.values[i] = i % 2 ? -1500 : 0.25f;
  data.set.real = true;
  data.set.height = data.set.width = 1;
  data.set.channels = 4;
  Task task = small_task();
  task.objective = [](const Scope& scope, const Batch& batch) {
    Expr x = reshape(batch.image, {batch.image.shape()[0], 4});
    Objective objective{reshape(mean(square(linear(scope / "map", x, 1))), {}), "squares", {}};
    objective.terms.push_back({"mean", "of numbers", mean(x)});
    return objective;
  };
  TrainConfig config = small_config();
  Store store(1);
  TrainPlans plans(task, config, data.set, store);
  REQUIRE(plans.update(Rows(data, 0, 8).batch, 0, 1e-2));
  CHECK(plans.terms()[0].value == -749.875);
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

namespace {

// Two linear views of a picture, told apart from those of all other pictures of the batch; the
// scale is a parameter of the comparison itself. No batch norm: it would see the slices.
std::vector<Expr> two_views(const Scope& scope, const Batch& batch) {
  std::int64_t rows = batch.image.shape()[0];
  Expr x = log(reshape(batch.image, {rows, 4}));
  Expr noise = scope.normal("noise", {rows, 4});
  return {linear(scope / "one", x + 0.1 * noise, 3), linear(scope / "other", x * x, 3)};
}
Objective tell_apart(const Scope& scope, std::span<const Expr> views, const Batch&) {
  Expr scale = scope.param("scale", {1}, constant(0.5));
  Expr logits = scale * matmul(views[0], views[1], false, true);
  Expr own = iota(scope.graph(), {logits.shape()[0]}, {0});
  Expr loss = cross_entropy(logits, own);
  return {reshape(mean(loss), {}), "nats", {{"scale", "", reshape(scale, {})}}};
}
Task contrast_task() {
  Task task = small_task();
  task.features = two_views;
  task.contrast = tell_apart;
  task.objective = [](const Scope& scope, const Batch& batch) {
    return tell_apart(scope, two_views(scope, batch), batch);
  };
  return task;
}

// sqrt(sum of squared differences / sum of squares) of the first moments, which after one update
// are the gradient times a constant.
double gradient_difference(const Store& a, const Store& b) {
  double apart = 0, size = 0;
  for (const std::string& name : a.names("optimizer/exp_avg/")) {
    auto x = a.values(name), y = b.values(name);
    for (std::size_t i = 0; i < x.size(); ++i) {
      apart += std::pow(double(x[i]) - double(y[i]), 2);
      size += std::pow(double(x[i]), 2);
    }
  }
  return std::sqrt(apart / size);
}

}  // namespace

TEST_CASE("slices of a loss that compares rows give the gradient of the whole batch") {
  Task task = contrast_task();
  SmallSet data(16);
  for (std::size_t i = 0; i < data.values.size(); ++i)
    data.values[i] = 1 + float((i * 7919) % 97) / 97;
  double worst = 0;
  for (std::int64_t rows : {16, 13, 5}) {
    Store whole_store(1);
    TrainConfig config = small_config();
    config.batch_size = 16;
    TrainPlans whole(task, config, data.set, whole_store);
    REQUIRE(whole.update(Rows(data, 0, rows).batch, 0, 1e-3));
    for (std::int64_t slices : {2, 3, 4, 16}) {
      INFO("rows ", rows, ", slices ", slices);
      TrainConfig sliced_config = config;
      sliced_config.grad_accum_steps = slices;
      Store store(1);
      TrainPlans sliced(task, sliced_config, data.set, store);
      REQUIRE(sliced.update(Rows(data, 0, rows).batch, 0, 1e-3));
      CHECK(sliced.loss() == testing::near(whole.loss(), 1e-6));
      CHECK(sliced.grad_norm() == testing::near(whole.grad_norm(), 1e-5));
      REQUIRE(sliced.terms().size() == 1);
      CHECK(sliced.terms()[0].value == testing::near(0.5));
      CHECK(sliced.parameters() == whole.parameters());
      CHECK(sliced.tensors() == whole.tensors());
      worst = std::max(worst, gradient_difference(whole_store, store));
      for (const std::string& name : store.names("train/accumulated/"))
        for (float v : store.values(name)) CHECK(v == 0);
    }
  }
  fmt::print("summary: cached gradients against those of the whole batch: {:.1e}\n", worst);
  CHECK(worst < 1e-6);
}

TEST_CASE("a slice that is not finite leaves every tensor as it was") {
  Task task = contrast_task();
  for (std::int64_t bad = 0; bad < 8; ++bad) {
    INFO("bad picture ", bad);
    SmallSet data(16);
    data.values[std::size_t(4 * (8 + bad))] = -1;
    TrainConfig config = small_config();
    config.grad_accum_steps = 4;
    Store store(1);
    TrainPlans plans(task, config, data.set, store);
    REQUIRE(plans.update(Rows(data, 0, 8).batch, 0, 1e-3));
    auto before = bytes_of(store);
    CHECK(!plans.update(Rows(data, 8, 8).batch, 1, 1e-3));
    CHECK(!plans.non_finite().empty());
    CHECK(bytes_of(store) == before);
  }
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
