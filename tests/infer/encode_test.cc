// Encoders by batches, latents of seeds, and attention in closed form.
#include "infer/encode.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "infer/attention.h"
#include "infer/attention_report.h"
#include "infer/latents.h"
#include "infer/loading.h"
#include "support/near.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

using Text = std::string;

std::vector<Item> random_items(std::int64_t count, const DataShape& shape = kShape) {
  RandomStream random(3, stream_of("encode_test"));
  std::vector<Item> items;
  for (std::int64_t i = 0; i < count; ++i) {
    Item item;
    item.name = fmt::format("item {}", i);
    item.picture = {shape.height, shape.width, shape.channels, {}};
    item.picture.pixels.resize(std::size_t(shape.height * shape.width * shape.channels));
    for (auto& pixel : item.picture.pixels) pixel = std::uint8_t(random.below(256));
    items.push_back(item);
  }
  return items;
}

std::vector<float> encoded(Encoder& encoder, const std::vector<Item>& items, std::size_t batch) {
  std::vector<float> all;
  std::vector<std::int64_t> places = testing::identity_order(std::int64_t(items.size()));
  for (std::size_t first = 0; first < items.size(); first += batch) {
    std::size_t count = std::min(batch, items.size() - first);
    std::span<const float> rows = encoder.encode(std::span(items).subspan(first, count),
                                                 std::span(places).subspan(first, count));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

// A model that only attends: `blocks` gives weights [rows, heads, tokens, tokens] of each block.
Model attending(const DataShape& shape,
                const std::function<std::vector<Expr>(Expr image, std::int64_t rows)>& blocks) {
  Model model;
  model.name = "attending";
  model.data_shape = [shape] { return shape; };
  model.attention = [blocks](const Scope&, Expr image) { return blocks(image, image.shape()[0]); };
  model.token_grid = [] { return TokenGrid{2, 3, 4}; };
  return model;
}

// 2x3 patches of 4 pixels and one token before them, two heads: the first of each block looks only
// at itself, the second alike at all patches, half of it at the token before the grid.
std::vector<Expr> two_heads(Expr image, std::int64_t rows) {
  const std::int64_t tokens = 7;
  Graph& graph = *image.graph;
  Shape square{1, 1, tokens, tokens};
  Expr query = iota(graph, square, {2}), key = iota(graph, square, {3});
  Expr self = cast(equal(query, key), DType::f32);
  Expr first = cast(equal(key, 0 * key), DType::f32);
  Expr all = 0.5 * first + (0.5 / 6) * (1.0 - first);
  Expr zero = 0.0 * mean(reshape(image, {rows, -1}), {1});
  const Expr heads[] = {self, all};
  Expr both = reshape(zero, {rows, 1, 1, 1}) + concat(heads, 1);
  return {both, both};
}
const DataShape kPatched{8, 12, 1, 0};

}  // namespace

TEST_CASE("rows of an encoder do not depend on the batch, and normalized ones have length 1") {
  Model model = small_vae();
  Store store(4);
  initialise(store, model);
  Loaded loaded(model, store, "");
  std::vector<Item> items = random_items(61);
  Encoder plain(loaded);
  CHECK(plain.dim() == 4);
  std::vector<float> whole = encoded(plain, items, 61);
  CHECK(whole.size() == 61 * 4);
  for (std::size_t batch : {1, 3, 60}) {
    Encoder again(loaded);
    CHECK(encoded(again, items, batch) == whole);
  }
  Encoder unit(loaded, {.args = {}, .normalize = true});
  std::vector<float> normal = encoded(unit, items, 7);
  for (std::size_t i = 0; i < 61; ++i) {
    double square = 0, dot = 0, length = 0;
    for (std::size_t k = 4 * i; k < 4 * i + 4; ++k) {
      square += double(normal[k]) * normal[k];
      dot += double(normal[k]) * whole[k];
      length += double(whole[k]) * whole[k];
    }
    CHECK(square == testing::near(1, 1e-6));
    CHECK(dot == testing::near(std::sqrt(length), 1e-6));
  }
  CHECK(message_of([&] { Encoder(loaded, {.args = {.pool = "cls"}}); }) ==
        "vae: pool 'cls': this model has no tokens, only auto");
  Model blind = small_vae();
  blind.encode = nullptr;
  Loaded without(blind, store, "");
  CHECK(message_of([&] { Encoder encoder(without); }) == "vae: this model has no encoder");
  CHECK(message_of([&] { loaded.require_shape("set", 9, 8, 3); }) ==
        "set: pictures of 9x8x3, but vae takes 9x7x3");
}

TEST_CASE("pictures and vectors of one shape are told apart, and vectors are no pictures") {
  const DataShape one_pixel{.height = 1, .width = 1, .channels = 3};
  Model model;
  model.name = "points";
  DataShape shape = one_pixel;
  model.data_shape = [&] { return shape; };
  model.encode = [](const Scope&, Expr image, const EncodeArgs&) { return image; };
  model.decode = [](const Scope&, Expr latent, Expr) { return latent; };
  model.draw = [](const Scope& scope, const DrawArgs& args) {
    return 0.0 * scope.normal("x", {args.rows, 1, 1, 3});
  };
  Store store(1);
  Loaded loaded(model, store, "");
  Dataset pictures = random_dataset(2, one_pixel, "one pixel"), vectors = pictures;
  const std::vector<float> values{-7, 0, 1e6f, 2, 3, -0.5f};
  vectors.dtype = DType::f32;
  vectors.real = true;
  vectors.pixels = std::as_bytes(std::span(values));
  const std::vector<std::int64_t> both{0, 1};
  auto refusal = [&](const Dataset& data) {
    return message_of([&] { loaded.encode(data, both); });
  };
  auto ignore = [](std::int64_t, std::span<const std::uint8_t>) {};
  CHECK(refusal(pictures) == "");
  CHECK(refusal(vectors) == "random: vectors of 3, but points takes pictures of 1x1x3");
  CHECK(loaded.sample(std::vector<std::int32_t>{0}, ignore));
  shape.real = true;
  CHECK(loaded.encode(vectors, both) == values);
  CHECK(refusal(pictures) == "random: pictures of 1x1x3, but points takes vectors of 3");
  vectors.channels = 2;
  CHECK(refusal(vectors) == "random: vectors of 2, but points takes 3");
  CHECK(message_of([&] { loaded.require_shape("l.h5", 4, 4, 4, true); }) ==
        "l.h5: latents of 4x4x4, but points takes vectors of 3");
  const std::string no_pictures = "points: this model makes vectors, which are no pictures";
  CHECK(message_of([&] { loaded.sample(std::vector<std::int32_t>{0}, ignore); }) == no_pictures);
  CHECK(message_of([&] { loaded.reconstruct(vectors, both, ignore); }) == no_pictures);
  CHECK(!loaded.latent_space());
  ReadOptions reading;
  loaded.prepare(reading, [](std::string_view) { return false; });
  CHECK(to_attributes(reading.fields()) == to_attributes(ReadOptions().fields()));
  shape.height = 2;
  shape.scaling_factor = 0.5;
  CHECK(loaded.latent_space() == LatentSpace{.scaling_factor = 0.5, .vae = ""});
  CHECK(message_of([&] { loaded.sample(std::vector<std::int32_t>{0}, ignore); }) ==
        "points: this model makes latents, which are no pictures");
}

TEST_CASE("latents of seeds decode to the pictures that sample draws") {
  Model model = small_vae();
  Store store(4);
  initialise(store, model);
  Loaded loaded(model, store, "");
  std::vector<std::int32_t> seeds{5, 0, 77};
  std::vector<std::vector<std::uint8_t>> drawn, decoded;
  loaded.sample(seeds, [&](std::int64_t, std::span<const std::uint8_t> picture) {
    drawn.emplace_back(picture.begin(), picture.end());
  });
  std::vector<float> latents = latents_of_seeds(loaded, seeds);
  CHECK(std::int64_t(latents.size()) == 3 * latent_size(loaded));
  for (std::int64_t batch : {1, 2, 64}) {
    decoded.clear();
    decode_latents(
        loaded, 3,
        [&](std::int64_t i, std::span<float> into) {
          std::ranges::copy(std::span(latents).subspan(std::size_t(i) * into.size(), into.size()),
                            into.begin());
        },
        [&](std::span<const std::uint8_t> picture) {
          decoded.emplace_back(picture.begin(), picture.end());
        },
        {.batch_size = batch});
    CHECK(decoded == drawn);
  }
  Loaded plain(small_vae(false), store, "");
  CHECK(message_of([&] { latents_of_seeds(plain, seeds); }) ==
        "vae: a plain autoencoder (variational false) has no prior to draw samples from");
  Model other = small_vae();
  other.prior = nullptr;
  CHECK(message_of([&] { latents_of_seeds(Loaded(other, store, ""), seeds); }) ==
        "vae: pictures that this model draws have no one latent");
  other.draw = nullptr;
  CHECK(message_of([&] { latents_of_seeds(Loaded(other, store, ""), seeds); }) ==
        "vae: this model cannot draw samples");
  other.decode = nullptr;
  CHECK(message_of([&] { latent_size(Loaded(other, store, "")); }) ==
        "vae: this model has no decoder");
}

TEST_CASE("attention to oneself is near, to everything as far as the grid, whatever is before it") {
  Store store;
  Loaded loaded(attending(kPatched, two_heads), store, "");
  AttentionMeter meter(loaded);
  std::vector<Item> items = random_items(6, kPatched);
  std::vector<std::int64_t> places = testing::identity_order(6);
  std::size_t drawn = 0;
  meter.add(items, places, [&](std::size_t, std::span<const float> maps) {
    ++drawn;
    CHECK(maps.size() == 12);
    for (float value : maps) CHECK(value == testing::near(1));
  });
  CHECK(drawn == 6);
  CHECK(meter.layers() == 2);
  CHECK(meter.heads() == 2);
  double expected = 0;
  for (int a = 0; a < 6; ++a) {
    for (int b = 0; b < 6; ++b) expected += 4 * std::hypot(a / 3 - b / 3, a % 3 - b % 3) / 36;
  }
  CHECK(meter.distance(0, 0) == testing::near(0, 1e-9));
  CHECK(meter.distance(1, 1) == testing::near(expected, 1e-6));
  CHECK(meter.distance(1) == testing::near(expected / 2, 1e-6));
  CHECK(rank_correlation_with_depth(meter) == 0);
  Model blind = attending(kPatched, two_heads);
  blind.attention = nullptr;
  Loaded without(blind, store, "");
  CHECK(message_of([&] { AttentionMeter none(without); }) ==
        "attending: this model has no attention");
  // Of a model that has it or not, as it is configured, building says so.
  Loaded sometimes(attending(kPatched,
                             [](Expr, std::int64_t) -> std::vector<Expr> {
                               throw UsageError("this model has no attention");
                             }),
                   store, "");
  CHECK(message_of([&] { AttentionMeter none(sometimes); }) ==
        "attending: this model has no attention");
}

TEST_CASE("attention is measured on the model's own patches, also where they reach over the edge") {
  const DataShape pictures{8, 10, 1, 3};
  Model model = make_model("classifier");
  for (const BoundField& field : model.fields) {
    if (field.name == "patch_size") field.set(Scalar(std::int64_t{3}));
    if (field.name == "embed_dim") field.set(Scalar(std::int64_t{8}));
    if (field.name == "depth") field.set(Scalar(std::int64_t{1}));
    if (field.name == "num_heads") field.set(Scalar(std::int64_t{2}));
  }
  model.fit(pictures);
  Store store(3);
  {
    Graph graph;
    Scope scope(graph, store, Mode::eval);
    model.classify(scope, graph.input("image", DType::f32, {1, 8, 10, 1}));
  }
  // Without queries and keys every token looks at all alike.
  for (const std::string& name : store.names()) {
    if (name.find("qkv") != name.npos) std::ranges::fill(store.values(name), 0.0f);
  }
  Loaded loaded(model, store, "");
  AttentionMeter meter(loaded);
  CHECK(meter.grid().rows == 3);
  CHECK(meter.grid().columns == 4);
  CHECK(meter.grid().patch_size == 3);
  std::vector<Item> items = random_items(2, pictures);
  meter.add(items, testing::identity_order(2));
  double expected = 0;
  for (int a = 0; a < 12; ++a) {
    for (int b = 0; b < 12; ++b) expected += 3 * std::hypot(a / 4 - b / 4, a % 4 - b % 4) / 144;
  }
  CHECK(meter.distance(0) == testing::near(expected, 1e-6));
}

TEST_CASE("what attention does becomes a table and a picture, whatever the batches") {
  Store store;
  Loaded loaded(attending(kPatched, two_heads), store, "");
  std::vector<Item> items = random_items(11, kPatched);
  std::vector<std::int64_t> places = testing::identity_order(11);
  const std::string base =
      std::filesystem::temp_directory_path() / fmt::format("attention_test.{}", getpid());
  std::string tables[2], maps[2];
  for (std::size_t k : {0, 1}) {
    std::string table = fmt::format("{}.{}.tsv", base, k), map = fmt::format("{}.{}.png", base, k);
    AttentionReport report(loaded, table, map);
    std::size_t batch = k == 0 ? 11 : 3;
    for (std::size_t first = 0; first < items.size(); first += batch) {
      std::size_t count = std::min(batch, items.size() - first);
      report.add(std::span(items).subspan(first, count), std::span(places).subspan(first, count));
    }
    report.finish();
    CHECK(report.summary() ==
          "attention: 2.3 pixels in layer 1, 2.3 in layer 2, rank correlation with depth 0.00");
    tables[k] = read_text(table);
    maps[k] = read_text(map);
    std::filesystem::remove(table);
    std::filesystem::remove(map);
  }
  CHECK(tables[0] == tables[1]);
  CHECK(maps[0] == maps[1]);
  INFO(tables[0]);
  CHECK(tables[0].starts_with("layer\tdistance\thead1\thead2\n1\t"));
  // Eight rows of a picture and two maps, in gutters of 2.
  Picture grid = decode_picture(std::as_bytes(std::span(maps[0])));
  CHECK(grid.width == 3 * 12 + 4 * 2);
  CHECK(grid.height == 8 * 8 + 9 * 2);
}
