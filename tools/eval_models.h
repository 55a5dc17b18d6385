// The jobs of model-eval that judge models by pictures or vectors: reconstruction, likelihood,
// denoising.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "base/parse.h"
#include "data/pixels.h"
#include "eval/covariance_baselines.h"
#include "eval/figure_names.h"
#include "eval/importance.h"
#include "eval/picture_quality.h"
#include "eval/toy_noise.h"
#include "eval_page.h"
#include "infer/denoising.h"
#include "infer/score.h"

namespace atelier {

inline void reconstruct(EvalOptions& o, const Tool& tool, Report& report) {
  LoadedModel model = load(o.reconstruct, o, tool);
  JudgedSet set = report.read(o);
  const Dataset& data = set.pictures;
  std::vector<std::int64_t> rows = asked_rows(o, data);
  PictureShape shape{data.height, data.width, data.channels};
  PixelReader pixels(data, model->binarize());
  std::vector<float> given(std::size_t(pixels.row())), made(given.size());
  double error = 0, similarity = 0, n = double(rows.size());
  model->reconstruct(
      data, rows,
      [&](std::int64_t i, std::span<const std::uint8_t> picture) {
        pixels.read({&rows[std::size_t(i)], 1}, given);
        for (std::size_t k = 0; k < made.size(); ++k) made[k] = float(picture[k]) / 255;
        error += squared_error(given, made) / n;
        similarity += ssim(given, made, shape) / n;
      },
      o.batch_size);
  report.add({{"model", name_of(*model)},
              {"rows", std::int64_t(rows.size())},
              {"squared_error", error * double(given.size()), "sum of squares/image"},
              {"mse", error},
              {"psnr", psnr(error), "dB"},
              {"ssim", similarity}});
}

// Where the names of figures are the model's, bars are held against them before rows are scored.
inline void require_known_figures(std::span<const Bar> bars, const Figures& figures) {
  std::vector<std::string> names;
  for (const Figure& figure : figures) names.push_back(figure.key);
  require_known(bars, names);
}

// ---- likelihood

inline constexpr const char* kImportance = "importance_nll";

inline Figures bound_figures(const Loaded& model, const BoundTerms& bound) {
  const char* unit = model.model().diffusion().args.discretized ? "bits/dimension"
                                                                : "bits/dimension of the density";
  return {{"vlb", bound.total(), unit},
          {"vlb_standard_error", bound.standard_error, unit},
          {"vlb_prior", bound.prior, unit},
          {"vlb_divergence", bound.divergence, unit},
          {"vlb_decoder", bound.decoder, unit}};
}

inline Figures term_figures(const Loaded& model, const Dataset& data,
                            std::span<const std::int64_t> rows, std::int64_t batch_size,
                            std::int64_t seed) {
  Figures figures;
  for (const ScoredTerm& term : validation_terms(model, data, rows, batch_size, seed))
    figures.push_back({term.name, term.value, term.unit});
  return figures;
}

inline void require_known_terms(const EvalOptions& o, const Loaded& model, const Dataset& data,
                                std::span<const std::int64_t> rows, std::span<const Bar> bars) {
  Figures figures = {{"rows", std::int64_t{0}}};
  if (o.draws > 0) figures.push_back({kImportance, 0.0});
  for (const Figure& term : term_figures(model, data, rows.first(1), 1, o.seed))
    figures.push_back(term);
  if (model.model().denoise) {
    for (const Figure& term : bound_figures(model, {})) figures.push_back(term);
  }
  require_known_figures(bars, figures);
}

inline double sampled_nll(const EvalOptions& o, const Loaded& model, const Dataset& data,
                          std::span<const std::int64_t> rows) {
  const Model& family = model.model();
  std::string reason = !family.log_weight ? "this model has no likelihood to sample"
                       : family.no_prior  ? family.no_prior()
                                          : "";
  if (!reason.empty()) throw Error(model.name() + ": " + reason);
  PixelReader pixels(data, model.binarize());
  std::vector<double> nll = importance_nll(family.log_weight, model.store(), data, pixels, rows,
                                           {.draws = o.draws,
                                            .batch_size = o.batch_size,
                                            .seed = o.seed,
                                            .store_prefix = model.store_prefix()});
  double mean = std::accumulate(nll.begin(), nll.end(), 0.0) / double(nll.size());
  if (std::isfinite(mean)) return mean;
  throw Error(model.name() + ": its likelihood of " + data.source + " is not finite");
}

inline void require_visits(const EvalOptions& o, const Tool& tool, const Loaded& model) {
  if (!tool.typed("visited-timesteps")) return;
  if (!model.model().denoise)
    throw UsageError("--visited-timesteps goes with a diffusion model, which " + model.name() +
                     " is not");
  std::int64_t timesteps = model.model().diffusion().schedule.size();
  if (o.visited_timesteps > timesteps)
    throw UsageError("--visited-timesteps " + std::to_string(o.visited_timesteps) +
                     ": expected at most " + std::to_string(timesteps) +
                     ", the timesteps of the model");
}

inline void score_likelihood(EvalOptions& o, const Tool& tool, std::span<const Bar> bars,
                             Report& report) {
  LoadedModel model = load(o.likelihood, o, tool);
  bool diffuses = bool(model->model().denoise);
  require_visits(o, tool, *model);
  o.reading.real = model->data_shape().real;
  JudgedSet set = report.read(o);
  const Dataset& data = set.pictures;
  std::vector<std::int64_t> rows = asked_rows(o, data);
  if (!bars.empty()) require_known_terms(o, *model, data, rows, bars);
  report.add({{"model", name_of(*model)}, {"rows", std::int64_t(rows.size())}});
  report.add_known(term_figures(*model, data, rows, o.batch_size, o.seed));
  if (diffuses) {
    DenoisingScore score = score_denoising(
        *model, data, rows,
        {.batch_size = o.batch_size, .seed = o.seed, .visited_timesteps = o.visited_timesteps});
    // Rows differ if there are two.
    if (rows.size() < 2) score.bound.standard_error = std::numeric_limits<double>::quiet_NaN();
    report.add_known(bound_figures(*model, score.bound));
  }
  if (o.draws > 0) report.add({{kImportance, sampled_nll(o, *model, data, rows), "nats/image"}});
}

// ---- denoising

inline std::vector<std::int64_t> told_timesteps(const EvalOptions& o, std::int64_t num_timesteps) {
  constexpr std::int64_t kTold = 10;
  if (o.timesteps.empty())
    return spaced_timesteps(num_timesteps, std::min(kTold, num_timesteps),
                            TimestepSpacing::linspace);
  return listed_timesteps(num_timesteps,
                          parse_counts(o.timesteps, {"--timesteps", "0,100,900", 0}));
}

// The toy whose points these are, as wide as the model noises them; without modes if they are none.
inline Toy toy_of(const JudgedSet& set, const DiffusionSpec& spec) {
  if (!set.of_vectors || !find(set.vectors.config, "synthetic")) return {};
  Toy toy = described_toy(set.vectors.config, set.source);
  for (auto& centre : toy.centres) {
    for (double& place : centre) place = spec.scale * place + spec.offset;
  }
  toy.std *= spec.scale;
  return toy;
}

// Without it, a remark says why.
inline std::optional<WienerFilter> wiener_of(const FittedAndJudged& sets, const Loaded& model,
                                             Report& report) {
  const Dataset &data = sets.data.pictures, &judged = sets.judged().pictures;
  std::string reason =
      no_covariance(std::int64_t(std::min(sets.fitted_rows.size(), sets.judged_rows.size())),
                    data.height * data.width * data.channels);
  if (!reason.empty()) {
    report.add(Comparison{{}, {"no linear denoiser to compare with: " + reason}});
    return {};
  }
  return wiener_filter(data, sets.fitted_rows, judged, sets.judged_rows,
                       model.model().diffusion().scale, model.binarize());
}

// The figures of one timestep, or of all: what a model's errors are, and what they might be.
struct ErrorsTold {
  std::string suffix;  // "_050"
  DenoisingScore::Errors errors = {};
  std::optional<PredictionErrors> wiener = {};
  bool exact = false;  // `measured` is the excess over the best denoiser
};
inline Figures error_figures(const ErrorsTold& told) {
  const char* unit = "mean square";
  const PredictionErrors& found = told.errors.prediction;
  Figures figures = {{"epsilon_mse" + told.suffix, found.epsilon, unit},
                     {"x0_mse" + told.suffix, found.x0, unit},
                     {"v_mse" + told.suffix, found.v, unit}};
  if (told.exact)
    figures.push_back({"excess_epsilon_mse" + told.suffix, told.errors.measured, unit});
  if (!told.wiener) return figures;
  figures.push_back({"wiener_epsilon_mse" + told.suffix, told.wiener->epsilon, unit});
  figures.push_back({"wiener_x0_mse" + told.suffix, told.wiener->x0, unit});
  figures.push_back({"wiener_v_mse" + told.suffix, told.wiener->v, unit});
  return figures;
}

// Those of all timesteps, and of each of these, as far as they are known without the model.
inline std::vector<ErrorsTold> errors_to_tell(const NoiseSchedule& schedule,
                                              std::span<const std::int64_t> timesteps,
                                              const std::optional<WienerFilter>& wiener,
                                              bool exact) {
  auto v_error = [&](double a) { return wiener->v_error(a); };
  std::vector<ErrorsTold> told{{.suffix = "", .exact = exact}};
  if (wiener) told[0].wiener = mean_errors(schedule, v_error);
  std::size_t digits = std::to_string(schedule.size() - 1).size();  // so that names sort
  for (std::int64_t timestep : timesteps) {
    double a = schedule.alphas_cumprod[std::size_t(timestep)];
    std::string number = std::to_string(timestep);
    number.insert(0, digits - number.size(), '0');
    told.push_back({.suffix = "_" + number, .exact = exact});
    if (wiener) told.back().wiener = prediction_errors(PredictionType::v, v_error(a), a);
  }
  return told;
}

inline void judge_denoising(EvalOptions& o, const Tool& tool, std::span<const Bar> bars,
                            Report& report) {
  LoadedModel model = load(o.denoising, o, tool);
  if (!model->model().denoise) throw Error(model->name() + ": this model is no diffusion model");
  require_visits(o, tool, *model);
  DiffusionSpec spec = model->model().diffusion();
  DenoisingArgs args{.batch_size = o.batch_size,
                     .seed = o.seed,
                     .visited_timesteps = o.visited_timesteps,
                     .timesteps = told_timesteps(o, spec.schedule.size())};
  o.reading.real = model->data_shape().real;
  FittedAndJudged sets = read_fitted_and_judged(o, report);
  const Dataset& judged = sets.judged().pictures;
  for (const Dataset* set : {&std::as_const(sets.data.pictures), &judged}) model->require_fit(*set);
  Toy toy = toy_of(sets.judged(), spec);
  bool exact = toy.modes() > 0;
  std::vector<ErrorsTold> told =
      errors_to_tell(spec.schedule, args.timesteps, wiener_of(sets, *model, report), exact);
  // Of a short schedule all of its timesteps, unless so many were asked for.
  std::int64_t steps = tool.given("--inversion-steps")
                           ? o.inversion_steps
                           : std::min(o.inversion_steps, spec.schedule.size());
  if (steps > spec.schedule.size())
    throw UsageError("--inversion-steps " + std::to_string(steps) + ": expected at most " +
                     std::to_string(spec.schedule.size()) + ", the timesteps of the model");
  double inversion = 0;
  auto figures = [&] {
    Figures all{{"train_rows", std::int64_t(sets.fitted_rows.size())},
                {"rows", std::int64_t(sets.judged_rows.size())}};
    for (const ErrorsTold& one : told) {
      Figures more = error_figures(one);
      all.insert(all.end(), more.begin(), more.end());
    }
    if (steps > 0) all.push_back({"inversion_mse", inversion, "mean square"});
    return all;
  };
  require_known_figures(bars, figures());

  // What a model of classes is told is the mode, which DATA numbers as the toy does.
  std::span<const std::int32_t> modes;
  if (model->data_shape().num_classes > 0) modes = judged.labels;
  if (exact) {
    args.measure = [&](std::int64_t row, double a, std::span<const float> noised,
                       std::span<const float> epsilon) {
      std::int32_t mode = modes.empty() ? -1 : modes[std::size_t(row)];
      return excess_noise_error(toy, noised, epsilon, a, mode);
    };
  }
  DenoisingScore score = score_denoising(*model, judged, sets.judged_rows, args);
  told[0].errors = score.mean;
  for (std::size_t k = 0; k < score.told.size(); ++k) told[k + 1].errors = score.told[k];
  if (steps > 0) inversion = inversion_error(*model, judged, sets.judged_rows, steps, o.batch_size);
  report.add({{"model", name_of(*model)}});
  report.add(figures());
}

}  // namespace atelier
