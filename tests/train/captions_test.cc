// Trainings with captions: what plans and validation are fed, which tokenizer is used, resuming.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "io/checkpoint.h"
#include "support/near.h"
#include "train/support.h"
#include "train/train_plans.h"
#include "train/train_sets.h"
#include "train/validator.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

struct Directory {
  std::filesystem::path path;
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "atelier-text.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string at(const std::string& name) const { return (path / name).string(); }
};

constexpr std::int64_t kLength = 24;

// 12 captioned pictures, of which the last 4 are held out.
struct Captioned {
  SmallSet small{12};
  TrainSets sets;
  Captioned() {
    sets.train = small.set;
    for (int i = 0; i < 12; ++i) {
      sets.train.captions.push_back("avatar " + std::to_string(i) +
                                    " with a hat, glasses and a beard on a pink background");
    }
    sets.data.train = sets.data.validation = &sets.train;
    sets.data.train_indices = first(8);
    sets.data.validation_indices = {8, 9, 10, 11};
  }
  void read(const TrainConfig& config, const std::string& on_error = "fail") {
    read_train_captions({.caption_drop = 0.5}, 400, kLength, on_error, config, sets);
  }
};

// Tokens on a small scale, as numbers.
Expr numbers(const Batch& batch) { return cast(batch.tokens, DType::f32) / 1000.0; }

Task text_task(const Captioned& made) {
  Task task = small_task();
  task.training = {{"caption_drop", 0.5}};
  auto bytes = made.sets.captions->tokenizer().bytes();
  task.tokenizer.assign(bytes.begin(), bytes.end());
  task.objective = [](const Scope& scope, const Batch& batch) {
    std::int64_t rows = batch.image.shape()[0];
    Expr text = linear(scope / "text", numbers(batch), 3);
    Expr image = linear(scope / "image", reshape(batch.image, {rows, 4}), 3);
    return Objective{reshape(mean(square(text - image)), {}), "squares", {}};
  };
  task.validation = [](const Scope&, const Batch& batch) {
    std::int64_t rows = batch.image.shape()[0];
    return std::vector<Term>{{"sum", "tokens", reshape(sum(numbers(batch), {1}), {rows})}};
  };
  return task;
}

std::string bytes_at(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TrainConfig text_config(const Directory& directory) {
  TrainConfig config = small_config();
  config.run_dir = directory.at("run");
  config.output = directory.at("text.h5");
  config.batch_size = 3;
  return config;
}

}  // namespace

TEST_CASE("graphs have tokens if the pictures have captions that are read") {
  Captioned made;
  for (std::int64_t length : {std::int64_t{0}, kLength}) {
    Graph graph;
    GraphInputs in = graph_inputs(graph, made.sets.train, 5, length);
    CHECK(bool(in.batch.tokens) == (length > 0));
    if (length > 0) CHECK(in.batch.tokens.shape() == Shape{5, kLength});
  }
}

TEST_CASE("validation sees whole captions") {
  Directory directory;
  Captioned made;
  TrainConfig config = text_config(directory);
  made.read(config);
  Task task = text_task(made);
  Store store(1);
  Validator validator(task, config, made.sets.train, made.sets.data.validation_indices, store,
                      made.sets.data.validation_captions);
  double expected = 0;
  for (std::int64_t i : made.sets.data.validation_indices) {
    std::vector<std::int32_t> row(static_cast<std::size_t>(kLength));
    made.sets.captions->tokenizer().write(made.sets.train.captions[std::size_t(i)], row);
    for (std::int32_t id : row) expected += id / 1000.0 / 4;
  }
  auto terms = validator.run("", [] { return false; });
  CHECK(terms[0].value == testing::near(expected, 1e-6));
}

TEST_CASE("a training with captions goes on to the byte, with the tokenizer of its checkpoint") {
  Directory straight, broken;
  Captioned made;
  TrainConfig config = text_config(straight);
  made.read(config);
  REQUIRE(train(text_task(made), config, made.sets.data) == 0);

  config = text_config(broken);
  config.save_every = "4";
  config.keep = 9;
  Captioned before;
  before.read(config);
  REQUIRE(train(text_task(before), config, before.sets.data) == 0);
  std::filesystem::remove(broken.path / "run" / "step-00000008.h5");
  std::filesystem::remove(broken.path / "run" / "step-00000010.h5");
  config.resume = "auto";
  Captioned after;
  after.read(config);
  REQUIRE(train(text_task(after), config, after.sets.data) == 0);
  CHECK(bytes_at(broken.at("text.h5")) == bytes_at(straight.at("text.h5")));

  Hdf5Reader file{straight.path / "text.h5"};
  Checkpoint checkpoint = read_checkpoint_attributes(file);
  CHECK(checkpoint.tokenizer == text_task(made).tokenizer);
  CHECK(to_text(*find(checkpoint.training, "caption_drop")) == "0.5");
  CHECK(find(checkpoint.inputs, "caption_digest"));
  CHECK(find(checkpoint.inputs, "val_caption_digest"));

  // Another caption of the same pictures is another training.
  after.sets.train.captions[3] += " and a pipe";
  CHECK(message_of([&] {
          train(text_task(after), config, after.sets.data);
        }).find("input 'caption_digest' was") != std::string::npos);
  after.sets.train.captions[3] = made.sets.train.captions[3];
  Task other = text_task(after);
  other.tokenizer.pop_back();
  CHECK(message_of([&] {
          train(other, config, after.sets.data);
        }).find("its tokenizer is another one") != std::string::npos);
}

TEST_CASE("the tokenizer is that of the checkpoint that is gone on from, else a new one") {
  Directory directory;
  Captioned made;
  TrainConfig config = text_config(directory);
  CHECK(!stored_tokenizer(config));
  config.resume = "auto";
  CHECK(!stored_tokenizer(config));  // no run directory yet
  config.resume = "";
  made.read(config);
  REQUIRE(train(text_task(made), config, made.sets.data) == 0);
  CHECK(!stored_tokenizer(config));
  TrainConfig again = config;
  again.init = config.output;
  again.run_dir = directory.at("other");
  again.resume = "auto";
  Captioned others;
  for (std::string& caption : others.sets.train.captions) caption = "quite other words";
  others.read(again);
  CHECK(std::ranges::equal(others.sets.captions->tokenizer().bytes(),
                           made.sets.captions->tokenizer().bytes()));
  // A broken checkpoint is passed over.
  std::filesystem::create_directories(directory.path / "other");
  std::filesystem::copy(directory.path / "run" / "step-00000010.h5",
                        directory.path / "other" / "step-00000010.h5");
  std::ofstream(directory.path / "other" / "step-00000020.h5") << "x";
  again.init = "";
  CHECK(stored_tokenizer(again));
  again.resume = directory.at("other/step-00000020.h5");
  CHECK_THROWS_AS(stored_tokenizer(again), Error);
  again.resume = "-";
  CHECK_THROWS_AS(stored_tokenizer(again), UsageError);
}

TEST_CASE("pictures without a caption end a training before it begins, or are left out") {
  Directory directory;
  Captioned made;
  made.sets.train.captions[2] = " ";
  made.sets.train.captions[9] = "";
  TrainConfig config = text_config(directory);
  CHECK(message_of([&] { made.read(config); }) ==
        "small: no caption for 1 of the 8 pictures, such as index 2");
  CHECK(!made.sets.skipped());
  made.read(config, "skip");
  CHECK(made.sets.data.train_indices.size() == 7);
  CHECK(made.sets.data.validation_indices.size() == 3);
  CHECK(made.sets.skipped());
}
