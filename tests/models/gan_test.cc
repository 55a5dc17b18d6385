// GAN: sizes of the published networks, what is decided by the data, and refused combinations.
#include "models/gan.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <memory>

#include "base/error.h"
#include "models/counts.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

GanConfig fitted(GanConfig config, std::int64_t side, std::int64_t channels) {
  config.choose({.height = side, .width = side, .channels = channels});
  config.check();
  return config;
}

struct Sizes {
  std::int64_t generator, discriminator;
  double generator_macs, discriminator_macs;  // of a picture
};
Sizes sizes_of(const GanConfig& c) {
  Graph making, judging;
  Store store;
  Scope generator(making, store, Mode::train), discriminator(judging, store, Mode::train);
  gan_generate(c, generator, making.input("z", DType::f32, {2, c.latent_dim}));
  gan_discriminate(
      c, discriminator,
      judging.input("x", DType::f32, {2, c.image_height, c.image_width, c.in_channels}));
  return {testing::parameters_of(generator), testing::parameters_of(discriminator),
          testing::macs_of(making) / 2, testing::macs_of(judging) / 2};
}

// The discriminator's loss and terms of a batch of one picture of 8x8.
std::map<std::string, double> told_of_one_picture(const GanConfig& config) {
  const Shape picture{1, 8, 8, 1};
  Model model = make_gan(std::make_shared<GanConfig>(config));
  model.fit({.height = 8, .width = 8, .channels = 1});
  Graph graph;
  Store store(4);
  Scope scope(graph, store, Mode::train, noise_inputs(graph, 1));
  Expr image = graph.input("image", DType::f32, picture);
  Objective objective = model.players()[0].objective(scope, {.image = image});
  OracleState state = testing::state_of(store);
  for (auto& [name, slot] : state.slots) {
    for (double& v : slot.v) v *= 8;  // slopes on either side of 1
  }
  std::vector<double> pixels(64);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = 0.5 + 0.5 * std::sin(double(i));
  state.inputs["image"] = testing::dense_of(picture, pixels);
  state.inputs["ids"] = testing::dense_of({1}, {0}, DType::i32);
  state.inputs["clock"] = testing::dense_of({3}, {3, 0, 1}, DType::i32);
  std::map<std::string, double> told{{"loss", testing::value_of(objective.loss, state)[0]}};
  for (const Term& term : objective.terms)
    told[term.name] = testing::value_of(term.value, state)[0];
  return told;
}

}  // namespace

TEST_CASE("DCGAN is as large as its reference implementation") {
  struct Row {
    std::int64_t side, base, generator, discriminator;
    double generator_megamacs, discriminator_megamacs;
  };
  for (const Row& row :
       {Row{64, 64, 3576704, 2765568, 104.6, 103.8}, Row{32, 64, 1068928, 663296, 18.0, 17.6},
        Row{32, 32, 370624, 167808, 4.8, 4.6}}) {
    GanConfig config;
    config.base_channels = row.base;
    Sizes sizes = sizes_of(fitted(config, row.side, 3));
    fmt::print(
        "summary: A11 DCGAN {} px, {} channels: {} and {}, {:.2f} and {:.2f} million "
        "multiply-accumulates\n",
        row.side, row.base, sizes.generator, sizes.discriminator, sizes.generator_macs / 1e6,
        sizes.discriminator_macs / 1e6);
    CHECK(sizes.generator == row.generator);
    CHECK(sizes.discriminator == row.discriminator);
    // The published ones have one digit behind the point.
    CHECK(sizes.generator_macs / 1e6 == testing::near(row.generator_megamacs, 0.011));
    CHECK(sizes.discriminator_macs / 1e6 == testing::near(row.discriminator_megamacs, 0.011));
  }
}

TEST_CASE("a penalty has the weight that is asked for, on the slope that is told") {
  struct Row {
    const char* penalty;
    bool one_sided;
    double weight;
  };
  double worst = 0;
  for (const Row& row :
       {Row{"gradient", false, 10}, Row{"gradient", false, 2.5}, Row{"gradient", true, 10},
        Row{"gradient", true, 2.5}, Row{"dragan", false, 10}, Row{"dragan", false, 2.5},
        Row{"dragan", true, 10}, Row{"dragan", true, 2.5}, Row{"r1", false, 10},
        Row{"r1", false, 2.5}}) {
    GanConfig config;
    config.base_channels = 3;
    config.loss = "wasserstein";
    config.penalty = row.penalty;
    config.one_sided_penalty = row.one_sided;
    config.gradient_penalty_weight = row.weight;
    auto told = told_of_one_picture(config);
    // Of a batch of one row the mean slope is the row's.
    double s = told["mean_slope"], beyond = row.one_sided ? std::max(0.0, s - 1) : s - 1;
    double expected =
        config.penalty == "r1" ? 0.5 * row.weight * s * s : row.weight * beyond * beyond;
    INFO(row.penalty, " ", s);
    CHECK(s > 1e-3);
    CHECK(told["penalty"] == testing::near(expected, 1e-9));
    CHECK(told["loss"] == testing::near(told["fake_logit"] - told["real_logit"] + expected, 1e-9));
    worst = std::max(worst, std::abs(told["penalty"] - expected));
  }
  fmt::print("summary: B7 penalties of gan-train: {:.1e} off weight x f(slope)\n", worst);
}

TEST_CASE("networks of any sides give pictures of these sides") {
  for (std::int64_t kernel : {3, 4, 5, 6}) {
    for (std::int64_t height : {8, 9, 17, 28}) {
      for (std::int64_t width : {8, 11, 30}) {
        GanConfig config;
        config.base_channels = 2;
        config.latent_dim = 3;
        config.kernel_size = kernel;
        config.choose({.height = height, .width = width, .channels = 1});
        CHECK(config.net == "dcgan");
        Graph graph;
        Store store;
        Scope root(graph, store, Mode::train);
        Expr x = gan_generate(config, root / "generator", graph.input("z", DType::f32, {2, 3}));
        CHECK(to_string(x.shape()) == to_string(Shape{2, height, width, 1}));
        CHECK(to_string(gan_discriminate(config, root / "discriminator", x).shape()) ==
              to_string(Shape{2}));
      }
    }
  }
}

TEST_CASE("what is auto follows from the data and the penalty") {
  CHECK(fitted({}, 7, 1).net == "mlp");
  CHECK(fitted({}, 8, 1).net == "dcgan");
  CHECK(fitted({}, 32, 3).discriminator_norm == "batch");
  GanConfig penalised;
  penalised.penalty = "gradient";
  CHECK(fitted(penalised, 32, 3).discriminator_norm == "layer");
  CHECK(fitted({}, 32, 3).weight_init == "normal");
  CHECK(fitted({}, 4, 1).weight_init == "default");
}

TEST_CASE("combinations that cannot be meant are refused with the reason") {
  auto said = [](void (*change)(GanConfig&)) {
    GanConfig config;
    change(config);
    try {
      fitted(config, 32, 3);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  CHECK(said([](GanConfig& c) {
          c.penalty = "gradient";
          c.discriminator_norm = "batch";
        }) ==
        "--penalty gradient: with --discriminator-norm batch a row's slope depends on the others; "
        "expected layer or none");
  CHECK(said([](GanConfig& c) {
          c.loss = "wasserstein";
          c.label_smoothing = 0.1;
        }) == "--label-smoothing 0.1: --loss wasserstein has no labels");
  CHECK(said([](GanConfig& c) {
          c.penalty = "r1";
          c.one_sided_penalty = true;
        }) == "--one-sided-penalty: --penalty r1 has no sides");
  CHECK(said([](GanConfig& c) {
          c.penalty = "dragan";
          c.weight_clip = 0.01;
        }) == "--weight-clip 0.01: --penalty dragan bounds the slopes already");
  CHECK(said([](GanConfig& c) { c.instance_noise_steps = 100; }) ==
        "--instance-noise-steps: needs --instance-noise");
  CHECK(said([](GanConfig& c) {
          c.hidden_dim = "128,";
          c.net = "mlp";
        }) == "--hidden-dim '128,': expected numbers from 1 to 1000000, such as 128,128");
}

TEST_CASE("options of the other network, and those that nothing reads, are told apart") {
  auto idle = [](GanConfig config, std::int64_t side) {
    std::string names;
    for (const auto& [name, with] : fitted(config, side, 3).idle())
      names += fmt::format("{}({}) ", name, with);
    return names;
  };
  CHECK(idle({}, 32) ==
        "hidden_dim(--net dcgan) activation(--net dcgan) input_divisor(--net dcgan) "
        "gradient_penalty_weight(--penalty none) ");
  GanConfig penalised;
  penalised.penalty = "gradient";
  CHECK(idle(penalised, 4) ==
        "base_channels(--net mlp) kernel_size(--net mlp) bias(--net mlp) "
        "weight_init_gain(--weight-init default) ");
}

TEST_CASE("latents with sides are refused, vectors are not") {
  GanConfig config;
  config.choose({.height = 1, .width = 1, .channels = 7, .real = true});
  CHECK(config.net == "mlp");
  CHECK_THROWS_WITH_AS(
      GanConfig().choose(
          {.height = 8, .width = 8, .channels = 4, .real = true, .source = "latents.h5"}),
      "latents.h5: holds latents of 8x8x4, but gan is a model of pictures and of vectors", Error);
}

TEST_CASE("batches are not cut where a loss looks at all of them") {
  GanConfig config;
  CHECK(config.no_slices().empty());
  config.penalty = "dragan";
  CHECK(config.no_slices() == "--penalty dragan moves pictures by the deviation of a whole batch");
  config.unroll_steps = 5;
  CHECK(config.no_slices() == "--unroll-steps 5 looks ahead on a whole batch");
}

TEST_CASE("DCGAN starts weights around 0 and the factors of its batch norms around 1") {
  GanConfig config = fitted({}, 32, 3);
  Graph graph;
  Store store(2);
  Scope root(graph, store, Mode::train);
  gan_generate(config, root / "generator", graph.input("z", DType::f32, {2, config.latent_dim}));
  auto moments = [&](const char* name) {
    auto values = std::as_const(store).values(name);
    double mean = 0, squares = 0, count = double(values.size());
    for (float v : values) mean += double(v) / count;
    for (float v : values) squares += std::pow(double(v) - mean, 2) / count;
    return std::pair(mean, std::sqrt(squares));
  };
  auto [mean, deviation] = moments("generator.up2.weight");
  CHECK(std::abs(mean) < 1e-3);
  CHECK(deviation == testing::near(0.02, 0.02));
  auto [factor, spread] = moments("generator.spread.norm.weight");  // 256 of them
  CHECK(factor == testing::near(1, 0.01));
  CHECK(spread == testing::near(0.02, 0.25));
  for (float v : std::as_const(store).values("generator.spread.norm.bias")) CHECK(v == 0);
}
