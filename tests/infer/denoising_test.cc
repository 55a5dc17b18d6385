// Errors and bounds of diffusion models whose answers are known.
#include "infer/denoising.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "diffusion/known_networks.h"
#include "infer/loading.h"
#include "support/near.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

constexpr double kSigma = 0.5;  // of the data, as they are noised

// Vectors drawn from a Gaussian of this deviation.
Dataset gaussian_vectors(std::int64_t size, std::int64_t numbers, double sigma) {
  Dataset data;
  data.source = "gaussian";
  data.size = size;
  data.height = data.width = 1;
  data.channels = numbers;
  data.dtype = DType::f32;
  data.real = true;
  auto values = std::make_shared<std::vector<float>>(normal_rows(size * numbers, 5));
  for (float& v : *values) v = float(sigma * double(v));
  data.pixels = std::as_bytes(std::span(*values));
  data.storage = values;
  return data;
}

// The best denoiser of N(0, kSigma^2), of what is `scale` times as wide as the data.
Model best_of_gaussian(std::int64_t numbers, const NoiseScheduleArgs& schedule, double scale = 1,
                       VarianceType variance = VarianceType::fixed_large) {
  Model model;
  model.name = "exact";
  model.data_shape = [=] {
    return DataShape{.height = 1, .width = 1, .channels = numbers, .real = true};
  };
  model.diffusion = [=] {
    DiffusionSpec spec;
    spec.schedule = make_noise_schedule(schedule);
    spec.args = {.variance_type = variance, .discretized = false};
    spec.scale = scale;
    return spec;
  };
  model.denoise = [=](const Scope& scope, Expr noised, Expr timestep, const Condition&) {
    std::vector<double> factors;
    for (double a : make_noise_schedule(schedule).alphas_cumprod)
      factors.push_back(std::sqrt(1 - a) / (a * kSigma * kSigma + 1 - a));
    auto count = std::int64_t(factors.size());
    Expr factor = take(scope.table("factors", {count, 1}, factors), cast(timestep, DType::i32));
    return noised * reshape(factor, {noised.shape()[0], 1, 1, 1});
  };
  return model;
}

// The noise that the visit of a place saw, where every place is visited: [rows, numbers].
std::vector<float> noise_of_place(const Loaded& loaded, const Dataset& data, std::int64_t place) {
  Plan plan = loaded.plan(data.size, [&](const Scope& scope) {
    return scope.normal("noise", {data.size, 1, 1, data.channels});
  });
  auto ids = plan.input<std::int32_t>("ids");
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = std::int32_t(i);
  const std::int32_t clock[] = {0, 0, std::int32_t(place)};
  std::ranges::copy(clock, plan.input<std::int32_t>("clock").begin());
  plan.run();
  std::span<const float> y = plan.output("y");
  return {y.begin(), y.end()};
}

// The terms of the bound for the same noise, by hand and in double.
BoundTerms bound_by_hand(const Loaded& loaded, const Dataset& data) {
  NoiseSchedule s = loaded.model().diffusion().schedule;
  std::vector<double> logvar = log_variances(s, VarianceType::fixed_large);
  auto x = reinterpret_cast<const float*>(data.pixels.data());
  auto count = std::size_t(data.size * data.channels);
  BoundTerms sum;
  for (std::int64_t place = 0; place < s.size(); ++place) {
    std::vector<float> noise = noise_of_place(loaded, data, place);
    auto t = std::size_t(place);
    double a = s.alphas_cumprod[t], signal = std::sqrt(a), sigma = std::sqrt(1 - a);
    double small = s.posterior_log_variance[t], large = logvar[t], term = 0;
    for (std::size_t i = 0; i < count; ++i) {
      double noised = signal * double(x[i]) + sigma * double(noise[i]);
      double x0 = signal * kSigma * kSigma * noised / (a * kSigma * kSigma + 1 - a);
      double off = double(x[i]) - x0, mean_off = s.posterior_mean_x0[t] * off;
      term += place == 0 ? off * off * std::exp(-large) + large + std::log(2 * std::numbers::pi)
                         : std::exp(small - large) - (small - large) - 1 +
                               mean_off * mean_off * std::exp(-large);
    }
    (place == 0 ? sum.decoder : sum.divergence) += 0.5 * term / double(count) / std::numbers::ln2;
  }
  double last = s.alphas_cumprod.back();
  for (std::size_t i = 0; i < count; ++i)
    sum.prior += 0.5 * (last * double(x[i]) * double(x[i]) - last - std::log1p(-last)) /
                 double(count) / std::numbers::ln2;
  return sum;
}

double entropy_bits(double sigma) {
  return 0.5 * std::log2(2 * std::numbers::pi * std::numbers::e * sigma * sigma);
}

}  // namespace

TEST_CASE("ranges of timesteps hold each once, and are single where there is little noise") {
  for (std::int64_t timesteps : {1, 2, 3, 30, 1000, 4000}) {
    for (std::int64_t count : {1, 2, 7, 100, 999, 5000}) {
      std::vector<std::int64_t> edges = visit_edges(timesteps, count);
      INFO(timesteps, " ", count);
      CHECK(std::int64_t(edges.size()) == 1 + std::min(count, timesteps - 1));
      CHECK(edges.front() == 1);
      CHECK(edges.back() == std::max<std::int64_t>(timesteps, 1));
      CHECK(std::ranges::adjacent_find(edges, std::greater_equal<>()) == edges.end());
      for (std::size_t j = 2; j + 1 < edges.size(); ++j)
        CHECK(edges[j + 1] - edges[j] >= edges[j] - edges[j - 1] - 1);
    }
  }
  CHECK(visit_edges(1000, 100)[9] == 10);
}

TEST_CASE("D3, D4: the bound of exact networks is that of Gaussian data") {
  OneThread alone;
  const std::int64_t size = 512, numbers = 16;
  Dataset data = gaussian_vectors(size, numbers, kSigma);
  std::vector<std::int64_t> rows = identity_order(size);
  struct Row {
    std::int64_t num_timesteps;
    double excess;
  };
  double off = 0, apart = 0;
  for (const Row& row : {Row{1000, 0.165433}, Row{100, 0.047648}}) {
    Store store(1);
    Loaded loaded(best_of_gaussian(numbers, {.num_timesteps = row.num_timesteps}), store, "");
    BoundTerms found = score_denoising(loaded, data, rows, {.batch_size = size}).bound;
    BoundTerms hand = bound_by_hand(loaded, data);
    for (double d : {found.prior - hand.prior, found.divergence - hand.divergence,
                     found.decoder - hand.decoder})
      off = std::max(off, std::abs(d));
    double errors = (found.total() - entropy_bits(kSigma) - row.excess) / found.standard_error;
    CHECK(std::abs(errors) < 4);
    apart = std::max(apart, std::abs(errors));
    CHECK(found.standard_error < 0.04);  // of 8192 numbers, each 2 to 3 bits apart
  }
  CHECK(off < 1e-4);
  fmt::print(
      "summary: D3 D4 bound of a model: {:.1e} bits off the same draws by hand; {:.1f} standard "
      "errors off entropy and excess\n",
      off, apart);
}

TEST_CASE("a visit in each range gives the means over all timesteps, whatever the batch") {
  OneThread alone;
  Store store(1);
  const std::int64_t size = 700, numbers = 4;
  Dataset data = gaussian_vectors(size, numbers, kSigma);
  Loaded loaded(best_of_gaussian(numbers, {}), store, "");
  std::vector<std::int64_t> rows = identity_order(size), some{7, 2, 9};
  DenoisingArgs args{.batch_size = size, .visited_timesteps = 20, .timesteps = {0, 500}};
  DenoisingScore few = score_denoising(loaded, data, rows, args);
  args.batch_size = 64;
  DenoisingScore batches = score_denoising(loaded, data, rows, args);
  CHECK(few.bound.total() == batches.bound.total());
  CHECK(few.bound.standard_error == batches.bound.standard_error);
  CHECK(few.mean.prediction.epsilon == batches.mean.prediction.epsilon);
  CHECK(few.told[1].prediction.v == batches.told[1].prediction.v);
  double mean = 0;
  for (std::int64_t row : some) {
    mean += score_denoising(loaded, data, {&row, 1}, args).bound.total() / 3;
    CHECK(score_denoising(loaded, data, {&row, 1}, args).bound.standard_error == 0);
  }
  CHECK(mean == testing::near(score_denoising(loaded, data, some, args).bound.total(), 1e-12));
  args.seed = 1;
  CHECK(score_denoising(loaded, data, rows, args).bound.total() != few.bound.total());

  // Closed forms (D6): v is off by c^2 / (a c^2 + 1 - a). At one timestep 2800 squares of normal
  // numbers have a standard error of 2.7 %; all timesteps together have fewer than a third of it.
  auto v_error = [](double a) { return kSigma * kSigma / (a * kSigma * kSigma + 1 - a); };
  NoiseSchedule schedule = loaded.model().diffusion().schedule;
  PredictionErrors best = mean_errors(schedule, v_error);
  CHECK(best.epsilon == testing::near(0.173053, 1e-5));
  CHECK(best.v == testing::near(0.379790, 1e-5));
  CHECK(few.mean.prediction.epsilon == testing::near(best.epsilon, 0.03));
  CHECK(few.mean.prediction.x0 == testing::near(best.x0, 0.03));
  CHECK(few.mean.prediction.v == testing::near(best.v, 0.03));
  double here = v_error(schedule.alphas_cumprod[500]);
  CHECK(few.told[1].prediction.v == testing::near(here, 0.1));
  fmt::print("summary: 20 visits of 1000 timesteps: epsilon mse {:.5f}, exact {:.5f}\n",
             few.mean.prediction.epsilon, best.epsilon);
}

TEST_CASE("a density is of the data in their own units") {
  OneThread alone;
  Store store(1);
  Dataset wide = gaussian_vectors(50, 3, kSigma), narrow = gaussian_vectors(50, 3, kSigma / 4);
  std::vector<std::int64_t> rows = identity_order(50);
  DenoisingArgs args{.visited_timesteps = 10};
  Loaded plain(best_of_gaussian(3, {}), store, "");
  Loaded scaled(best_of_gaussian(3, {}, 4), store, "");
  double of_wide = score_denoising(plain, wide, rows, args).bound.total();
  double of_narrow = score_denoising(scaled, narrow, rows, args).bound.total();
  CHECK(of_narrow == testing::near(of_wide - 2, 1e-6));
}

TEST_CASE("what is measured of a visit is the noise that the network says of what it sees") {
  OneThread alone;
  Store store(1);
  Dataset data = gaussian_vectors(20, 3, kSigma);
  Loaded loaded(best_of_gaussian(3, {}), store, "");
  std::int64_t calls = 0;
  double worst = 0;
  DenoisingArgs args{.visited_timesteps = 5, .timesteps = {999}};
  args.measure = [&](std::int64_t row, double a, std::span<const float> noised,
                     std::span<const float> epsilon) {
    CHECK(noised.size() == 3);
    for (std::size_t i = 0; i < noised.size(); ++i) {
      double said = std::sqrt(1 - a) / (a * kSigma * kSigma + 1 - a) * double(noised[i]);
      worst = std::max(worst, std::abs(said - double(epsilon[i])));
    }
    ++calls;
    return double(row);
  };
  DenoisingScore score = score_denoising(loaded, data, identity_order(20), args);
  CHECK(calls == 20 * 7);
  CHECK(worst < 1e-5);
  CHECK(score.mean.measured == testing::near(9.5, 1e-9));
  CHECK(score.told[0].measured == testing::near(9.5, 1e-9));
}

TEST_CASE("D6: a network trained on Gaussian data is within 2 % of the best") {
  OneThread alone;
  const std::int64_t batch = 128, steps = 1500, size = 1 << 14;
  Model model = fitted("ddpm", {{"embed_dim", std::int64_t{32}}, {"depth", std::int64_t{2}}},
                       {.height = 1, .width = 1, .channels = 2, .real = true});
  Store store(3);
  TrainingStep step = TrainingStep::make(store, model, batch);
  std::vector<float> values = normal_rows(size * 2, 7);
  for (float& v : values) v *= float(kSigma);
  std::vector<std::int64_t> order(std::size_t(batch), 0);
  for (std::int64_t s = 0; s < steps; ++s) {
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = (s * batch + std::int64_t(i)) % size;
    double rate = 2e-3 * 0.5 * (1 + std::cos(std::numbers::pi * double(s) / steps));
    step.run(values, order, rate, s);
  }
  Loaded loaded(model, store, "");
  Dataset data = gaussian_vectors(20000, 2, kSigma);
  // The excess over the best, which needs no average over the noise that both see.
  DenoisingArgs args{.batch_size = 500, .visited_timesteps = 50};
  args.measure = [](std::int64_t, double a, std::span<const float> noised,
                    std::span<const float> epsilon) {
    double factor = std::sqrt(1 - a) / (a * kSigma * kSigma + 1 - a), sum = 0;
    for (std::size_t i = 0; i < noised.size(); ++i) {
      double off = double(epsilon[i]) - factor * double(noised[i]);
      sum += off * off / double(noised.size());
    }
    return sum;
  };
  constexpr double kBest = 0.173053;
  double excess = score_denoising(loaded, data, identity_order(2000), args).mean.measured;
  fmt::print("summary: D6 trained network: epsilon mse {:.5f} above the best {:.5f}, {:.2f} %\n",
             excess, kBest, 100 * excess / kBest);
  CHECK(excess < 0.02 * kBest);
}

TEST_CASE("D10: a ring comes back from its noise as nearly as its constants say") {
  OneThread alone;
  constexpr std::int64_t kPoints = 2000;
  constexpr double kSd = 0.1;
  Dataset data = gaussian_vectors(kPoints, 2, kSd);
  auto values = std::make_shared<std::vector<float>>(kPoints * 2);
  std::memcpy(values->data(), data.pixels.data(), data.pixels.size());
  std::vector<double> means;
  for (int k = 0; k < 8; ++k) {
    double angle = std::numbers::pi * k / 4;
    means.insert(means.end(), {std::cos(angle), std::sin(angle)});
  }
  for (std::size_t i = 0; i < values->size(); ++i) (*values)[i] += float(means[i % means.size()]);
  data.pixels = std::as_bytes(std::span(*values));
  data.storage = values;
  Model model = best_of_gaussian(2, {});
  model.denoise = [&](const Scope& scope, Expr noised, Expr timestep, const Condition&) {
    NoiseSchedule schedule = make_noise_schedule({});
    Expr levels = scope.table("levels", {schedule.size(), 2}, levels_of(schedule));
    Denoiser exact = mixture_noise(levels, scope.table("means", {8, 2}, means), kSd * kSd);
    return reshape(exact(reshape(noised, {noised.shape()[0], 2}), timestep), noised.shape());
  };
  Store store(1);
  Loaded loaded(model, store, "");
  struct Row {
    std::int64_t steps;
    double error;
  };
  std::vector<double> found;
  for (const Row& row : {Row{10, 1.27e-2}, Row{50, 1.1e-3}, Row{250, 5.4e-5}}) {
    found.push_back(inversion_error(loaded, data, identity_order(kPoints), row.steps, 500));
    CHECK(found.back() < 1.5 * row.error);
    CHECK(found.back() > row.error / 1.5);
  }
  fmt::print("summary: D10 inverted and back: {:.2e}, {:.2e}, {:.2e} in 10, 50, 250 steps\n",
             found[0], found[1], found[2]);
  CHECK_THROWS_AS(inversion_error(loaded, data, identity_order(2), 1001), UsageError);
}

TEST_CASE("what no diffusion model can be judged by is named") {
  Store store(1);
  Loaded loaded(best_of_gaussian(3, {}), store, "");
  Dataset data = gaussian_vectors(4, 3, 1), other = gaussian_vectors(4, 2, 1);
  std::vector<std::int64_t> rows = identity_order(4);
  auto message = [&](const Loaded& model, const Dataset& set, const DenoisingArgs& args) {
    return message_of([&] { score_denoising(model, set, rows, args); });
  };
  CHECK(message(loaded, other, {}) == "gaussian: vectors of 2, but exact takes 3");
  CHECK(message(loaded, data, {.timesteps = {1000}}) == "timestep 1000: expected 0 to 999");
  CHECK(message(Loaded(small_vae(), store, ""), data, {}) ==
        "vae: this model is no diffusion model");
  Model classes = best_of_gaussian(3, {});
  classes.data_shape = [] {
    return DataShape{.height = 1, .width = 1, .channels = 3, .num_classes = 2, .real = true};
  };
  CHECK(message(Loaded(classes, store, ""), data, {}) ==
        "gaussian: expected labels for exact, found none");
  Model broken = best_of_gaussian(3, {});
  broken.denoise = [](const Scope&, Expr noised, Expr, const Condition&) {
    return log(noised - 1e9);
  };
  CHECK(message(Loaded(broken, store, ""), data, {.visited_timesteps = 3}) ==
        "exact: its predictions of gaussian are not finite");
}
