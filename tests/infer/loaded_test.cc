// Loaded models: samples and reconstructions by number, checkpoints and their faults.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>

#include "infer/infer.h"
#include "infer/loading.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

using Text = std::string;
using Pictures = std::map<std::int64_t, std::vector<std::uint8_t>>;

// Random weights, and an average that differs from them.
void initialise_both(Store& store, const Model& model) {
  initialise(store, model);
  for (const std::string& name : store.names()) {
    StoredTensor& average = store.create("ema0/" + name, store.at(name).type);
    std::memcpy(average.data(), store.at(name).data(), average.bytes());
    for (float& v : store.values("ema0/" + name)) v *= 1.5f;
  }
}

Pictures draw(Loaded& model, const std::vector<std::int32_t>& seeds, std::int64_t batch_size) {
  Pictures pictures;
  model.sample(seeds,
               [&](std::int64_t index, std::span<const std::uint8_t> pixels) {
                 pictures[seeds[std::size_t(index)]].assign(pixels.begin(), pixels.end());
               },
               {.batch_size = batch_size});
  return pictures;
}

struct Directory {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("loaded_test.{}", getpid());
  Directory() { std::filesystem::create_directories(path); }
  ~Directory() { std::filesystem::remove_all(path); }
};

std::string write(const Directory& directory, const Model& model, const Store& store,
                  const std::string& without = "") {
  Checkpoint checkpoint;
  checkpoint.config = {{"model", model.name}};
  for (const auto& entry : to_attributes(model.fields)) checkpoint.config.push_back(entry);
  std::string path = directory.path / "model.h5";
  write_checkpoint(path, checkpoint, store, [&](std::string_view name) { return name != without; });
  return path;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a sample is the same in any batch, order and company") {
  Model model = small_vae();
  Store store(4);
  initialise_both(store, model);
  Loaded loaded(model, store, "");
  Pictures all = draw(loaded, {0, 1, 2, 3, 4, 5, 6}, 64);
  CHECK(all.size() == 7);
  CHECK(all[0].size() == 9 * 7 * 3);
  CHECK(all[0] != all[1]);
  for (std::int64_t batch_size : {1, 2, 3, 5}) {
    Pictures again = draw(loaded, {6, 2, 0, 5, 1, 4, 3}, batch_size);
    CHECK(again == all);
  }
}

TEST_CASE("reconstructions and codes do not depend on the batch") {
  Model model = small_vae();
  Store store(4);
  initialise_both(store, model);
  Loaded loaded(model, store, "");
  Dataset data = random_dataset(7, kShape, "loaded_test");
  std::vector<std::int64_t> indices{5, 0, 6, 3};
  Pictures first, second;
  auto keep = [](Pictures& into) {
    return [&into](std::int64_t index, std::span<const std::uint8_t> pixels) {
      into[index].assign(pixels.begin(), pixels.end());
    };
  };
  loaded.reconstruct(data, indices, keep(first), 64);
  loaded.reconstruct(data, indices, keep(second), 3);
  CHECK(first.size() == 4);
  CHECK(first == second);
  std::vector<float> codes = loaded.encode(data, indices, 64);
  CHECK(codes.size() == 4 * 4);
  CHECK(codes == loaded.encode(data, indices, 1));
  data.channels = 1;
  CHECK(contains(message_of([&] { loaded.encode(data, indices); }),
                 "random: pictures of 9x7x1, but vae takes 9x7x3"));
}

TEST_CASE("averages are used where they are wanted") {
  Model model = small_vae();
  Store store(4);
  initialise_both(store, model);
  Directory directory;
  std::string path = write(directory, model, store);
  Loaded plain(path, "none"), automatic(path), first(path, "0");
  Pictures of_weights = draw(plain, {1, 2}, 2), of_average = draw(automatic, {1, 2}, 2);
  CHECK(of_weights != of_average);
  CHECK(draw(first, {1, 2}, 2) == of_average);
  Loaded in_memory(model, store, "ema0/");
  CHECK(draw(in_memory, {1, 2}, 2) == of_average);
  CHECK(contains(message_of([&] { Loaded(path, "1"); }),
                 "model.h5: no average 1: it holds those from 0 to 0"));
  CHECK_THROWS_AS(Loaded(path, "best"), UsageError);
}

TEST_CASE("what a checkpoint lacks or cannot do is said and never invented") {
  Directory directory;
  {
    Model model = small_vae();
    Store store(4);
    initialise_both(store, model);
    for (const std::string& name : store.names("ema0/")) store.erase(name);
    std::string path = write(directory, model, store, "decoder.up1.weight");
    Loaded loaded(path);
    CHECK(contains(message_of([&] { draw(loaded, {0}, 1); }),
                   "model.h5: no tensor 'decoder.up1.weight'"));
  }
  {
    Model model = small_vae();
    Store store(4);
    initialise_both(store, model);
    Model wider = testing::fitted(
        "vae", {{"net", Text("conv")}, {"channels", Text("8,13")}, {"latent_dim", std::int64_t{4}}},
        kShape);
    Loaded loaded(write(directory, wider, store));
    std::string message = message_of([&] { draw(loaded, {0}, 1); });
    CHECK(contains(message, "model.h5: parameter '"));
    CHECK(contains(message, "expected f32["));
  }
  {
    Model model = small_vae(false);
    Store store(4);
    initialise_both(store, model);
    Loaded loaded(write(directory, model, store));
    CHECK(contains(message_of([&] { draw(loaded, {0}, 1); }),
                   "model.h5: a plain autoencoder (variational false) has no prior"));
  }
  Model model = small_vae();
  model.name = "vea";
  CHECK(contains(message_of([&] { Loaded(write(directory, model, Store())); }),
                 "model.h5: unknown model 'vea'"));
}
