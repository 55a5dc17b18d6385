// Networks of diffusion models: sizes of the published ones, zero at the start, any sides.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/random.h"
#include "models/counts.h"
#include "models/dit.h"
#include "models/unet.h"
#include "nn/layers.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;
using testing::macs_of;
using testing::parameters_of;

namespace {

struct Row {
  const char* name;
  UnetConfig config;
  std::int64_t side, channels, out_channels, parameters;
  double megamacs;
};

UnetConfig small_unet(const char* mult, std::int64_t base, const char* sizes) {
  UnetConfig c;
  c.base_channels = base;
  c.channel_mult = mult;
  c.attention_sizes = sizes;
  return c;
}

}  // namespace

TEST_CASE("U-Nets are as large as their reference implementations") {
  UnetConfig ddpm = small_unet("1,2,2,2", 128, "16");
  ddpm.num_res_blocks = 2;
  UnetConfig iddpm = small_unet("1,2,2,2", 128, "16,8");
  iddpm.num_res_blocks = 3;
  iddpm.num_heads = 4;
  iddpm.scale_shift = true;
  iddpm.time_embedding = "openai";
  for (const Row& row : {Row{"DDPM CIFAR-10", ddpm, 32, 3, 3, 35746307, 6054},
                         Row{"IDDPM CIFAR-10", iddpm, 32, 3, 6, 52546438, 8137},
                         Row{"64 channels", small_unet("1,2,2", 64, "8"), 32, 3, 3, 4437699, 988},
                         Row{"32 channels", small_unet("1,2,2", 32, "8"), 32, 3, 3, 1113955, 248},
                         Row{"latents", small_unet("1,2", 64, "8,4"), 8, 4, 4, 2847044, 67.5}}) {
    Graph graph;
    Store store;
    Scope scope(graph, store, Mode::train, noise_inputs(graph, 1));
    row.config.check(row.side, row.side);
    unet(row.config, scope, graph.input("x", DType::f32, {1, row.side, row.side, row.channels}),
         graph.input("t", DType::f32, {1}), {}, row.out_channels);
    double megamacs = macs_of(graph) / 1e6;
    fmt::print("summary: A11 U-Net {}: {}, {:.1f} ({}) million multiply-accumulates\n", row.name,
               parameters_of(scope), megamacs, row.megamacs);
    CHECK(parameters_of(scope) == row.parameters);
    CHECK(megamacs == testing::near(row.megamacs, 0.01));
  }
}

// The published counts hold the table of positions and one more class, for none.
TEST_CASE("diffusion transformers are as large as their reference implementation") {
  struct DitRow {
    const char* name;
    std::int64_t dim, depth, heads, patch, side, channels, out_channels, classes, parameters;
    double megamacs;
  };
  for (const DitRow& row : {DitRow{"S/2", 384, 12, 6, 2, 32, 4, 8, 1000, 32963360, 5450},
                            DitRow{"S/4", 384, 12, 6, 4, 32, 4, 8, 1000, 32945024, 1370},
                            DitRow{"S/8", 384, 12, 6, 8, 32, 4, 8, 1000, 33148160, 360},
                            DitRow{"192x12 p4", 192, 12, 3, 4, 32, 3, 3, 10, 8190768, 344},
                            DitRow{"128x6 p4", 128, 6, 4, 4, 32, 3, 3, 10, 1885488, 77},
                            DitRow{"128x6 p4 grey", 128, 6, 4, 4, 32, 1, 1, 10, 1877264, 77}}) {
    DitConfig c{
        .patch_size = row.patch, .embed_dim = row.dim, .depth = row.depth, .num_heads = row.heads};
    c.check(row.side, row.side);
    Graph graph;
    Store store;
    Scope scope(graph, store, Mode::train);
    Expr label = graph.input("label", DType::i32, {1});
    Expr condition = embedding(scope / "class", label, row.classes + 1, row.dim);
    dit(c, scope, graph.input("x", DType::f32, {1, row.side, row.side, row.channels}),
        graph.input("t", DType::f32, {1}), condition, row.out_channels);
    std::int64_t side = row.side / row.patch, positions = side * side * row.dim;
    double megamacs = macs_of(graph) / 1e6;
    fmt::print(
        "summary: A11 DiT {}: {} and {} of positions, {:.1f} ({}) million multiply-accumulates\n",
        row.name, parameters_of(scope), positions, megamacs, row.megamacs);
    CHECK(parameters_of(scope) + positions == row.parameters);
    // Those of S/2, S/4 and S/8 are published in tens.
    CHECK(std::abs(megamacs - row.megamacs) <=
          std::max(0.01 * row.megamacs, row.dim == 384 ? 5.0 : 0));
  }
}

namespace {

using Network = std::function<Expr(const Scope&, Expr x, Expr t)>;

Network small_networks(int which) {
  if (which == 0)
    return [](const Scope& s, Expr x, Expr t) {
      return unet(small_unet("1,2,2", 4, "3"), s, x, t, {}, x.shape()[3]);
    };
  return [](const Scope& s, Expr x, Expr t) {
    DitConfig c{.patch_size = 4, .embed_dim = 8, .depth = 2, .num_heads = 2};
    return dit(c, s, x, t, {}, x.shape()[3]);
  };
}

}  // namespace

TEST_CASE("new networks of diffusion give exactly zero, for pictures of any sides") {
  std::int64_t numbers = 0;
  for (int which : {0, 1}) {
    for (Shape sides : {Shape{2, 12, 12, 3}, Shape{1, 7, 10, 1}, Shape{1, 5, 4, 2}}) {
      Graph graph;
      Store store(3);
      Scope scope(graph, store, Mode::eval);
      Expr y = small_networks(which)(scope, graph.input("x", DType::f32, sides),
                                     graph.input("t", DType::f32, {sides[0]}));
      CHECK(to_string(y.shape()) == to_string(sides));
      OracleState state = testing::state_of(store);
      RandomStream random(1, stream_of("pictures"));
      std::vector<double> x(std::size_t(sides.count()), 0), t(std::size_t(sides[0]), 7);
      for (double& v : x) v = random.normal();
      state.inputs["x"] = testing::dense_of(sides, x);
      state.inputs["t"] = testing::dense_of({sides[0]}, t);
      for (double v : testing::value_of(y, state)) CHECK(v == 0);
      numbers += sides.count();
    }
  }
  fmt::print("summary: A12 new networks: {} numbers, each exactly 0\n", numbers);
}

TEST_CASE("every level of a U-Net sees the timestep, whatever its width") {
  // Of each level alone: the condition is the one way in, and the last convolution starts at zero.
  for (std::int64_t base : {4, 8, 16, 32}) {
    Graph graph;
    Store store(5);
    Scope scope(graph, store, Mode::eval);
    UnetConfig c = small_unet("1,2", base, "");
    Expr x = graph.input("x", DType::f32, {1, 8, 8, 1}), t = graph.input("t", DType::f32, {1});
    Expr y = unet(c, scope, x, t, {}, 1);
    for (const std::string& name : store.names()) {
      auto values = store.values(name);
      bool zero = std::ranges::all_of(values, [](float v) { return v == 0; });
      RandomStream random(2, stream_of(name));
      if (zero && values.size() > 1)
        for (float& v : values) v = float(0.1 * random.normal());
    }
    Expr loss = reshape(sum(square(y)), {});
    OracleState state = testing::state_of(store);
    RandomStream random(1, stream_of("picture"));
    std::vector<double> picture(64);
    for (double& v : picture) v = random.normal();
    state.inputs["x"] = testing::dense_of({1, 8, 8, 1}, picture);
    state.inputs["t"] = testing::dense_of({1}, {300});
    for (const char* block : {"down0.block0", "down1.block0", "middle.block0", "up0.block1"}) {
      INFO("base ", base, ", ", std::string(block));
      std::int64_t channels =
          std::string_view(block).find('0') == 4 || block[0] == 'u' ? base : 2 * base;
      std::string name = std::string(block) + ".time.weight";
      if (block[0] == 'm') channels = 2 * base;
      Expr weight = graph.slot(name, {DType::f32, {4 * base, channels}});
      double most = 0;
      for (double v : testing::value_of(gradient(loss, weight), state))
        most = std::max(most, std::abs(v));
      CHECK(most > 1e-6);
    }
  }
}

TEST_CASE("patches are taken apart and put together again, and zero gates let tokens through") {
  Graph graph;
  Store store(2);
  Scope scope(graph, store, Mode::eval);
  Expr x = graph.input("x", DType::f32, {2, 6, 4, 3});
  Expr back = unpatchify(patchify(x, 2), 2);
  Expr tokens = graph.input("tokens", DType::f32, {2, 3, 8});
  Expr through = dit_block({.embed_dim = 8, .num_heads = 2}, scope, tokens,
                           graph.input("steer", DType::f32, {2, 8}));
  OracleState state = testing::state_of(store);
  auto numbers = [](std::size_t count) {
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = std::sin(double(i));
    return values;
  };
  state.inputs["x"] = testing::dense_of({2, 6, 4, 3}, numbers(144));
  state.inputs["tokens"] = testing::dense_of({2, 3, 8}, numbers(48));
  state.inputs["steer"] = testing::dense_of({2, 8}, numbers(16));
  CHECK(testing::value_of(back, state) == numbers(144));
  CHECK(testing::value_of(through, state) == numbers(48));
  // The second patch of the first row: pixels (0,2) and (0,3), then (1,2) and (1,3).
  std::vector<double> patches = testing::value_of(patchify(x, 2), state);
  CHECK(patches[12] == std::sin(6.0));
  CHECK(patches[12 + 6] == std::sin(18.0));
}

TEST_CASE("timesteps are encoded in the two ways of the field") {
  Graph graph;
  Expr t = graph.input("t", DType::f32, {2});
  OracleState state;
  state.inputs["t"] = testing::dense_of({2}, {0, 37});
  for (auto kind : {TimestepEncoding::ddpm, TimestepEncoding::openai}) {
    std::vector<double> y = testing::value_of(timestep_encoding(t, 7, kind), state);
    REQUIRE(y.size() == 14);
    bool ddpm = kind == TimestepEncoding::ddpm;
    for (int row : {0, 1}) {
      for (int i = 0; i < 3; ++i) {
        double angle = (row == 0 ? 0 : 37) * std::pow(10000.0, -i / (ddpm ? 2.0 : 3.0));
        CHECK(y[std::size_t(row * 7 + i)] ==
              testing::near(ddpm ? std::sin(angle) : std::cos(angle), 1e-5));
        CHECK(y[std::size_t(row * 7 + 3 + i)] ==
              testing::near(ddpm ? std::cos(angle) : std::sin(angle), 1e-5));
      }
      CHECK(y[std::size_t(row * 7 + 6)] == 0);
    }
  }
}
