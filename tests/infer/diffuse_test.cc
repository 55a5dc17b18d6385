// Diffusion models at work: there and back, known pixels, trajectories, classes, what is refused.
#include "infer/diffuse.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "diffusion/known_networks.h"
#include "infer/classes.h"
#include "infer/latents.h"
#include "infer/loading.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

constexpr double kSd = 0.1;
using Rows = std::vector<float>;

// A model without weights, which tells noise as `network` does.
Model known_model(DataShape shape, std::function<Expr(const Scope&, Expr, Expr, Expr)> network,
                  bool knows_none = false) {
  Model model;
  model.name = "known";
  model.denoise = [network](const Scope& scope, Expr noised, Expr timestep,
                            const Condition& condition) {
    return network(scope, noised, timestep, condition.label);
  };
  model.diffusion = [knows_none] {
    DiffusionSpec spec;
    spec.schedule = schedule_of(BetaSchedule::linear);
    spec.knows_none = knows_none;
    return spec;
  };
  model.data_shape = [shape] { return shape; };
  return model;
}

Expr levels_table(const Scope& scope) {
  NoiseSchedule all = schedule_of(BetaSchedule::linear);
  return scope.table("levels", {all.size(), 2}, levels_of(all));
}

Model ring_model() {
  DataShape shape{.height = 1, .width = 1, .channels = 2, .real = true};
  return known_model(shape, [](const Scope& scope, Expr noised, Expr timestep, Expr) {
    Expr means = scope.table("means", {8, 2}, ring_means());
    Denoiser network = mixture_noise(levels_table(scope), means, kSd * kSd);
    Expr points = reshape(noised, {noised.shape()[0], 2});
    return reshape(network(points, timestep), noised.shape());
  });
}

// DiffuseOptions::start of rows one after another.
auto starting_at(const Rows& noise) {
  return [&noise](std::int64_t index, std::span<float> x) {
    std::ranges::copy(std::span(noise).subspan(std::size_t(index) * x.size(), x.size()), x.begin());
  };
}

Dataset ring_points(std::int64_t count) {
  auto points = std::make_shared<Rows>(normal_values(2 * count, "ring"));
  std::vector<double> means = ring_means();
  for (std::size_t i = 0; i < points->size(); ++i)
    (*points)[i] = float(means[(i / 2 % 8) * 2 + i % 2] + kSd * double((*points)[i]));
  Dataset data;
  data.source = "ring";
  data.size = count;
  data.height = data.width = 1;
  data.channels = 2;
  data.dtype = DType::f32;
  data.real = true;
  data.pixels = std::as_bytes(std::span(*points));
  data.storage = points;
  return data;
}

// Pairs of pixels of variance 1 and this correlation, of which the best network is known.
constexpr double kCorrelation = 0.9;
Model pair_model() {
  DataShape shape{.height = 1, .width = 2, .channels = 1, .real = true};
  return known_model(shape, [](const Scope& scope, Expr noised, Expr timestep, Expr) {
    Expr x = reshape(noised, {noised.shape()[0], 2});
    Expr level = take(levels_table(scope), cast(timestep, DType::i32));
    Expr s = slice(level, 1, 0, 1), n = slice(level, 1, 1, 2);
    Expr first = slice(x, 1, 0, 1), second = slice(x, 1, 1, 2);
    Expr sum = n * (first + second) / (square(s) * (1 + kCorrelation) + square(n));
    Expr difference = n * (first - second) / (square(s) * (1 - kCorrelation) + square(n));
    return reshape(concat(std::array{0.5 * (sum + difference), 0.5 * (sum - difference)}, 1),
                   noised.shape());
  });
}

// Numbers of two classes, N(-1, sd^2) and N(0.5, sd^2); without a class, of both.
Model number_model(bool knows_none) {
  DataShape shape{.height = 1, .width = 1, .channels = 1, .num_classes = 2, .real = true};
  auto network = [](const Scope& scope, Expr noised, Expr timestep, Expr label) {
    Expr x = reshape(noised, {noised.shape()[0], 1});
    Expr levels = levels_table(scope), means = scope.table("means", {2, 1}, std::array{-1.0, 0.5});
    Expr mixture = mixture_noise(levels, means, kSd * kSd)(x, timestep);
    Expr level = take(levels, cast(timestep, DType::i32));
    Expr s = slice(level, 1, 0, 1), n = slice(level, 1, 1, 2);
    Expr given = n * (x - s * take(means, min(label, 1))) / (square(s) * (kSd * kSd) + square(n));
    Expr none = equal(reshape(label, {x.shape()[0], 1}), 2);
    return reshape(where(none, mixture, given), noised.shape());
  };
  return known_model(shape, network, knows_none);
}

// Of pictures 9x7x3, with random weights everywhere.
struct Pictures {
  Model model = fitted(
      "ddpm",
      {{"net", std::string("mlp")}, {"embed_dim", std::int64_t{8}}, {"depth", std::int64_t{1}}},
      kShape);
  Store store{4};
  Pictures() {
    initialise(store, model);
    std::uint64_t seed = 0;
    for (const std::string& name : store.names()) {
      if (name.starts_with(kTablePrefix)) continue;
      std::span<float> values = store.values(name);
      Rows random = normal_rows(std::int64_t(values.size()), ++seed);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.1f * random[i];
    }
  }
  Loaded loaded() { return Loaded(model, store, ""); }
};

std::vector<std::int32_t> first_seeds(std::int32_t count) {
  std::vector<std::int32_t> seeds(std::size_t(count), 0);
  std::iota(seeds.begin(), seeds.end(), 0);
  return seeds;
}

Rows drawn(const Loaded& model, std::span<const std::int32_t> seeds, const SampleArgs& args,
           const DiffuseOptions& options = {}) {
  Rows all;
  auto give = [&](std::int64_t, std::span<const float> row) {
    all.insert(all.end(), row.begin(), row.end());
  };
  bool whole = diffuse(model, seeds, give, args, {}, options);
  CHECK(whole);
  return all;
}

double mean_square(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double(a[i]) - double(b[i]), 2);
  return sum / double(a.size());
}

}  // namespace

TEST_CASE("DDIM finds back what it inverted, in any batch, with errors that fall with the steps") {
  struct Row {
    std::int64_t sample_steps;
    double error;
  };
  constexpr Row kRows[] = {{10, 1.27e-2}, {50, 1.1e-3}, {250, 5.4e-5}};
  OneThread alone;
  constexpr std::int64_t kPoints = 2000;
  Store store(1);
  Loaded model(ring_model(), store, "");
  Dataset data = ring_points(kPoints);
  std::span<const float> points(reinterpret_cast<const float*>(data.pixels.data()), 2 * kPoints);
  std::vector<std::int64_t> indices = identity_order(kPoints);
  const std::vector<std::int32_t> seeds(std::size_t(kPoints), 0);
  for (const Row& row : kRows) {
    SampleArgs args{.batch_size = 1000, .sample_steps = row.sample_steps};
    args.timestep_spacing = "linspace";
    Rows noise = invert(model, data, indices, args);
    Rows back(noise.size());
    auto give = [&](std::int64_t index, std::span<const float> values) {
      std::ranges::copy(values, back.begin() + 2 * index);
    };
    CHECK(diffuse(model, seeds, give, args, {}, {.start = starting_at(noise)}));
    double error = mean_square(points, back);
    CHECK(error < 1.5 * row.error);
    CHECK(error > row.error / 1.5);
    fmt::print("summary: inverted and drawn again in {} steps: mean square {:.2e}\n",
               row.sample_steps, error);
    if (row.sample_steps > 10) continue;
    args.batch_size = 7;
    std::vector<std::int64_t> some{5, 0, 1999, 3, 3, 12, 77, 8};
    Rows few = invert(model, data, some, args);
    for (std::size_t i = 0; i < some.size(); ++i) {
      CHECK(few[2 * i] == noise[std::size_t(2 * some[i])]);
      CHECK(few[2 * i + 1] == noise[std::size_t(2 * some[i] + 1)]);
    }
  }
}

TEST_CASE("samples of seeds are those of the seeds' noise, in any batch") {
  Pictures pictures;
  Loaded model = pictures.loaded();
  std::vector<std::int32_t> seeds{5, 0, 77, 3, 4};
  for (const char* sampler : {"ddim", "dpm2m", "heun"}) {
    SampleArgs args{.sampler = sampler, .sample_steps = 6};
    Rows once = drawn(model, seeds, args);
    Rows noise = start_noise(model, seeds);
    for (std::int64_t batch : {1, 2, 5}) {
      args.batch_size = batch;
      CHECK(drawn(model, seeds, args) == once);
      Rows again;
      auto give = [&](std::int64_t, std::span<const float> row) {
        again.insert(again.end(), row.begin(), row.end());
      };
      CHECK(diffuse(model, std::vector<std::int32_t>(5, 9), give, args, {},
                    {.start = starting_at(noise)}));
      CHECK(again == once);
    }
  }
  CHECK(latents_of_seeds(model, seeds) == start_noise(model, seeds));
  CHECK(latent_size(model) == 9 * 7 * 3);
}

TEST_CASE("a walk that is stopped gives no more") {
  Pictures pictures;
  Loaded model = pictures.loaded();
  int asked = 0, given = 0;
  bool whole = diffuse(
      model, first_seeds(4), [&](std::int64_t, std::span<const float>) { ++given; },
      {.batch_size = 2, .sample_steps = 5}, [&] { return ++asked > 7; });
  CHECK(!whole);
  CHECK(given == 2);
}

TEST_CASE("a trajectory goes from the noise to the sample by what the model sees on the way") {
  Pictures pictures;
  Loaded model = pictures.loaded();
  std::vector<std::int32_t> seeds = first_seeds(3);
  SampleArgs args{.batch_size = 2, .sample_steps = 6};
  const std::size_t size = 9 * 7 * 3;
  auto picture = [&](const Rows& rows, std::size_t row, std::size_t k, std::size_t count) {
    auto at = rows.begin() + std::ptrdiff_t((row * count + k) * size);
    return Rows(at, at + std::ptrdiff_t(size));
  };
  Rows samples = drawn(model, seeds, args);
  args.trajectory = 7;
  Rows predicted = drawn(model, seeds, args);
  args.trajectory_of = "noised";
  Rows noised = drawn(model, seeds, args);
  args.trajectory = 3;
  Rows fewer = drawn(model, seeds, args);
  Rows noise = start_noise(model, seeds);
  for (float& v : noise) v = std::clamp((v + 1) / 2, 0.0f, 1.0f);
  for (std::size_t row = 0; row < 3; ++row) {
    CHECK(picture(predicted, row, 6, 7) == picture(samples, row, 0, 1));
    CHECK(picture(noised, row, 6, 7) == picture(samples, row, 0, 1));
    CHECK(mean_square(picture(noised, row, 0, 7), picture(noise, row, 0, 1)) < 1e-12);
    CHECK(picture(predicted, row, 0, 7) != picture(noised, row, 0, 7));
    // The last step of DDIM goes to what it took x for.
    CHECK(mean_square(picture(predicted, row, 5, 7), picture(samples, row, 0, 1)) < 1e-12);
    for (std::size_t k = 0; k < 3; ++k)
      CHECK(picture(fewer, row, k, 3) == picture(noised, row, 3 * k, 7));
  }
  for (std::int64_t count : {1, 8, 1000}) {
    args.trajectory = count;
    CHECK_THROWS_AS(drawn(model, seeds, args), UsageError);
  }
}

TEST_CASE("known pixels stay as they are, and the others are those of the seed where none is") {
  Pictures pictures;
  Loaded model = pictures.loaded();
  std::vector<std::int32_t> seeds = first_seeds(5);
  Dataset data = random_dataset(2, kShape, "inpaint_test");
  const std::size_t size = 9 * 7 * 3;
  float share = 0;  // of the pixels that are known, from the first
  DiffuseOptions options;
  options.known = [&](std::int64_t index, std::span<float> picture, std::span<float> mask) {
    for (std::size_t i = 0; i < picture.size(); ++i)
      picture[i] = float(data.image(index % 2)[i]) / 255;
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = float(i) < share * float(mask.size());
  };
  for (const char* sampler : {"ddpm", "ddim", "heun"}) {
    INFO(std::string(sampler));
    SampleArgs args{.batch_size = 2, .sampler = sampler, .sample_steps = 6};
    share = 0;
    Rows free = drawn(model, seeds, args);
    CHECK(drawn(model, seeds, args, options) == free);
    for (std::int64_t repeats : {1, 3}) {
      if (repeats > 1 && args.sampler == "heun") continue;
      options.repeats = repeats;
      share = 0.5f;
      Rows half = drawn(model, seeds, args, options);
      args.batch_size = 5;
      CHECK(drawn(model, seeds, args, options) == half);
      std::size_t differ = 0;
      for (std::size_t i = 0; i < half.size(); ++i) {
        float given = float(data.image(std::int64_t(i / size) % 2)[i % size]) / 255;
        if (i % size / 3 < 32) CHECK(std::abs(half[i] - given) < 1e-6f);
        if (i % size / 3 >= 32) differ += half[i] != given;
      }
      CHECK(differ > half.size() / 4);
    }
    options.repeats = 1;
  }
  options.repeats = 2;
  CHECK_THROWS_AS(drawn(model, seeds, {.sampler = "dpm2m"}, options), UsageError);
}

TEST_CASE("repeated steps draw what is unknown to suit what is known") {
  OneThread alone;
  Store store(1);
  Loaded model(pair_model(), store, "");
  constexpr double kKnown = 1.5;
  std::vector<std::int32_t> seeds = first_seeds(3000);
  std::string line;
  double once = 0, last = 0;
  for (std::int64_t repeats : {1, 5, 20}) {
    DiffuseOptions options;
    options.known = [](std::int64_t, std::span<float> picture, std::span<float> mask) {
      picture[0] = kKnown, picture[1] = -7;
      mask[0] = 1, mask[1] = 0;
    };
    options.repeats = repeats;
    Rows pairs =
        drawn(model, seeds, {.batch_size = 3000, .sampler = "ddpm", .sample_steps = 50}, options);
    double mean = 0, square = 0, count = double(seeds.size());
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
      CHECK(std::abs(pairs[i] - kKnown) < 1e-6);
      mean += double(pairs[i + 1]) / count;
      square += std::pow(double(pairs[i + 1]), 2) / count;
    }
    double error = std::abs(mean - kCorrelation * kKnown);
    if (repeats == 1) once = error;
    last = error;
    line += fmt::format("; {} repeats: mean {:.3f}, sd {:.3f}", repeats, mean,
                        std::sqrt(square - mean * mean));
  }
  // Three standard errors of the mean are 0.024; the rest is what so few repeats leave.
  CHECK(last < 0.05);
  CHECK(last < once / 2);
  fmt::print("summary: a pixel beside a known one, mean {:.3f}, sd {:.3f} by formula{}\n",
             kCorrelation * kKnown, std::sqrt(1 - kCorrelation * kCorrelation), line);
}

TEST_CASE("guidance of scale 0 draws without a class, of 1 with it, and more leads away") {
  Store store(1);
  Loaded model(number_model(true), store, "");
  std::vector<std::int32_t> seeds = first_seeds(40);
  SampleArgs args{.sample_steps = 20};
  args.label = kNoClass;
  Rows free = drawn(model, seeds, args);
  args.label = 1;
  Rows given = drawn(model, seeds, args);
  args.guidance_scale = 0;
  CHECK(drawn(model, seeds, args) == free);
  args.guidance_scale = 3;
  Rows guided = drawn(model, seeds, args);
  args.batch_size = 7;
  CHECK(drawn(model, seeds, args) == guided);
  CHECK(guided != given);
  for (float v : given) CHECK(std::abs(v - 0.5) < 5 * kSd);
  args = {.sample_steps = 20};
  Rows round = drawn(model, seeds, args);
  for (std::size_t i = 1; i < round.size(); i += 2) CHECK(round[i] == given[i]);
}

TEST_CASE("pictures are inverted as of the class that is asked for, their own, or none") {
  Store store(1);
  Loaded model(number_model(true), store, ""), classes_only(number_model(false), store, "");
  Dataset data = ring_points(2);
  data.channels = 1;
  data.size = 4;
  std::vector<std::int64_t> indices = identity_order(4);
  SampleArgs args{.sample_steps = 10};
  Rows none = invert(model, data, indices, args);
  args.label = kNoClass;
  CHECK(invert(model, data, indices, args) == none);
  args.label = 1;
  Rows second = invert(model, data, indices, args);
  CHECK(second != none);
  args.label = -1;
  CHECK(message_of([&] { invert(classes_only, data, indices, args); }) ==
        "known: this model draws no pictures without a class; expected --class, or labels of ring");
  CHECK(message_of([&] { invert(model, data, indices, {.guidance_scale = 2}); }) ==
        "--guidance-scale 2: there is no class to guide to");
  data.labels = {1, 1, 1, 1};
  CHECK(invert(classes_only, data, indices, args) == second);
}

TEST_CASE("what does not suit the model or itself is refused in one line") {
  Pictures pictures;
  Store store(1);
  Loaded plain = pictures.loaded(), numbers(number_model(true), store, ""),
         classes_only(number_model(false), store, "");
  Dataset data = random_dataset(1, kShape, "refused");
  std::vector<std::int64_t> first{0};
  std::vector<std::int32_t> seed{0};
  auto drawing = [&](const Loaded& model, SampleArgs args) {
    return message_of([&] { drawn(model, seed, args); });
  };
  CHECK(drawing(plain, {.guidance_scale = 2}) ==
        "ddpm: --guidance-scale 2: this model knows no classes to guide to");
  CHECK(drawing(classes_only, {.guidance_scale = 2}) ==
        "known: --guidance-scale 2: this model never saw pictures without their class "
        "(class_dropout_prob 0)");
  CHECK(drawing(numbers, {.label = kNoClass, .guidance_scale = 2}) ==
        "--guidance-scale 2: there is no class to guide to");
  CHECK(drawing(classes_only, {.label = kNoClass}) ==
        "known: --class none: this model draws no pictures without a class");
  CHECK(drawing(numbers, {.label = 2}) == "known: no class 2, it has 0 to 1");
  CHECK(drawing(plain, {.label = 0}) ==
        "ddpm: this model draws no classes; --class needs one that does");
  CHECK(drawing(plain, {.timesteps = "1,x"}) ==
        "--timesteps '1,x': expected numbers from 0, such as 999,666,333,0");
  CHECK(drawing(plain, {.timesteps = "1000,0"}) == "--timesteps 1000: expected 0 to 999");
  CHECK(drawing(plain, {.timesteps = "5,5"}) ==
        "--timesteps: expected at least one, each once, in order");
  auto inverting = [&](SampleArgs args) {
    return message_of([&] { invert(plain, data, first, args); });
  };
  CHECK(inverting({.sampler = "ddpm"}) ==
        "--sampler ddpm: draws noise in every step; expected ddim, dpm2m or heun");
  CHECK(inverting({.eta = 0.5}) == "--eta 0.5: draws noise in every step; expected 0");
  data.width = 3;
  CHECK(inverting({}) == "random: pictures of 9x3x3, but ddpm takes 9x7x3");
  Loaded vae(small_vae(), store, "");
  CHECK(message_of([&] { invert(vae, data, first, {}); }) ==
        "vae: this is no diffusion model, whose pictures begin as noise");
  CHECK(message_of([&] {
          decode_latents(
              Loaded(ring_model(), store, ""), 1, [](std::int64_t, std::span<float>) {},
              [](std::span<const std::uint8_t>) {});
        }) == "known: this model makes vectors, which are no pictures");
}
