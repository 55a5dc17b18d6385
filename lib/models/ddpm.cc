// Diffusion models: configuration, objective, and the entry of the registry.
#include "models/ddpm.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "diffusion/timestep_draw.h"
#include "nn/layers.h"
#include "nn/losses.h"

namespace atelier {
namespace {

constexpr std::int64_t kLeastSide = 8;         // of pictures that auto halves
constexpr std::int64_t kToldTimesteps = 1000;  // with rescale_timesteps

// Residual layers on vectors, each told the timestep.
Expr mlp(const DdpmConfig& c, const Scope& scope, Expr x, Expr timestep, Expr condition,
         std::int64_t out_channels) {
  std::int64_t rows = x.shape()[0], width = c.dit.embed_dim;
  Expr waves = timestep_encoding(timestep, width, TimestepEncoding::openai);
  Expr steer = timestep_mlp(scope / "time", waves, width);
  if (condition) steer = steer + condition;
  steer = silu(steer);
  Expr h = linear(scope / "input", reshape(x, {rows, x.shape().count() / rows}), width);
  for (std::int64_t i = 0; i < c.dit.depth; ++i) {
    Scope layer = scope / "layers" / int(i);
    h = h + linear(layer / "out",
                   silu(linear(layer / "in", h, width) + linear(layer / "time", steer, width)),
                   width);
  }
  std::int64_t outputs = x.shape()[1] * x.shape()[2] * out_channels;
  Expr y =
      linear(scope / "output", silu(h), outputs, {.weight_init = zeros(), .bias_init = zeros()});
  return reshape(y, {rows, x.shape()[1], x.shape()[2], out_channels});
}

std::int64_t condition_dim(const DdpmConfig& c) {
  return c.net == "unet" ? unet_condition_dim(c.unet) : c.dit.embed_dim;
}

// Labels, of which a share is taken for none.
Expr some_labels(const DdpmConfig& c, const Scope& scope, Expr label) {
  if (!c.class_conditional) return {};
  if (c.class_dropout_prob == 0) return label;
  std::int64_t rows = label.shape()[0];
  Expr none = broadcast(scope.graph().constant(double(c.num_classes), DType::i32), {rows});
  return where(less(scope.uniform("class_dropout", {rows}), c.class_dropout_prob), none, label);
}

struct Losses {
  DiffusionLosses of_rows;
  Expr timestep;  // i32 [N], index
  Expr weight;    // f32 [N] by which the mean over rows is unbiased; absent: 1
};

Losses losses_of(const DdpmConfig& c, const Scope& scope, Expr image, Expr label) {
  DiffusionSpec spec = c.spec();
  std::int64_t rows = image.shape()[0], count = spec.schedule.size();
  Expr table =
      scope.table("timesteps", {count, kTableColumns}, timestep_table(spec.schedule, spec.args));
  Losses result;
  std::optional<LossHistory> history;
  if (scope.training() && c.timestep_sampler == "loss-second-moment") {
    // A '/' marks what is no part of the model itself.
    history = {scope.state("train/loss_history", {count, kLossHistory}, 0),
               scope.state("train/loss_counts", {count}, 0)};
    TimestepDraw draw =
        draw_timesteps(timestep_probabilities(*history), scope.uniform("timestep", {rows, count}));
    result.timestep = draw.timestep;
    result.weight = draw.weight;
  } else {
    result.timestep = uniform_timesteps(scope.uniform("timestep", {rows}), count);
  }
  Expr x0 = spec.scale * image + spec.offset;
  Denoiser network = [&](Expr noised, Expr timestep) {
    return ddpm_predict(c, scope, noised, timestep, label);
  };
  result.of_rows = diffusion_losses(spec.args, network, table, x0, result.timestep,
                                    scope.normal("noise", x0.shape()));
  if (history) {
    LossHistory next = record_losses(*history, result.timestep, stop_gradient(result.of_rows.loss));
    scope.update(history->values, next.values);
    scope.update(history->counts, next.counts);
  }
  return result;
}

const char* unit_of(const DdpmConfig& c) {
  if (c.loss == "vlb") return "bits/dimension x timesteps";
  if (c.loss == "hybrid") return "mean square + bits/dimension x timesteps/1000";
  return c.min_snr_gamma > 0 ? "weighted mean square" : "mean square";
}

bool tells_bound(const DdpmConfig& c) { return c.loss != "simple"; }

// A value a row, as unbiased over the timesteps as their draw allows.
Expr weighted(const Losses& losses, Expr rows) {
  return losses.weight ? rows * losses.weight : rows;
}

// Mean error in each quarter of the timesteps, of the rows that have been noised to there.
void add_quarters(const DdpmConfig& c, const Losses& losses, std::vector<Term>& terms) {
  Expr at = losses.timestep;
  Expr ones = broadcast(at.graph->constant(1), at.shape());
  auto edge = [&](int quarter) { return quarter_edge(c.num_timesteps, quarter); };
  for (int quarter = 0; quarter < kTimestepQuarters; ++quarter) {
    if (edge(quarter) == edge(quarter + 1)) continue;
    Expr inside = where(less(at, double(edge(quarter + 1))), ones, 0.0);
    inside = where(less(at, double(edge(quarter))), 0.0, inside);
    terms.push_back({fmt::format("mse_q{}", quarter + 1), "mean square", losses.of_rows.mse,
                     TermRole::other, weighted(losses, inside)});
  }
}

Objective objective(const DdpmConfig& c, const Scope& scope, const Batch& batch) {
  Losses losses = losses_of(c, scope, batch.image, some_labels(c, scope, batch.label));
  Objective result{mean_of_rows(weighted(losses, losses.of_rows.loss)), unit_of(c), {}};
  result.terms.push_back(
      {"mse", "mean square", mean_of_rows(weighted(losses, losses.of_rows.mse))});
  if (tells_bound(c))
    result.terms.push_back({"vlb_timestep", "bits/dimension a timestep",
                            mean_of_rows(weighted(losses, losses.of_rows.vlb))});
  add_quarters(c, losses, result.terms);
  return result;
}

std::vector<Term> validation(const DdpmConfig& c, const Scope& scope, const Batch& batch) {
  Expr label = c.class_conditional ? batch.label : Expr{};
  Losses losses = losses_of(c, scope, batch.image, label);
  std::vector<Term> terms{{"loss", unit_of(c), losses.of_rows.loss},
                          {"mse", "mean square", losses.of_rows.mse}};
  if (tells_bound(c))
    terms.push_back({"vlb_timestep", "bits/dimension a timestep", losses.of_rows.vlb});
  add_quarters(c, losses, terms);
  return terms;
}

// The fields of networks that are not chosen. Heads are divided by both that have attention; the
// mlp is as wide and as deep as is said of the transformer.
std::vector<std::pair<std::string, std::string>> idle(DdpmConfig& c) {
  std::vector<std::pair<std::string, std::string>> result;
  auto add = [&](const Fields& fields, std::initializer_list<std::string_view> used) {
    for (const BoundField& field : fields) {
      if (std::ranges::find(used, field.name) == used.end())
        result.emplace_back(field.name, "--net " + c.net);
    }
  };
  if (c.net == "dit") add(c.unet.fields(), {"num_heads"});
  if (c.net == "mlp") add(c.unet.fields(), {});
  if (c.net == "unet") add(c.dit.fields(), {});
  if (c.net == "mlp") add(c.dit.fields(), {"embed_dim", "depth"});
  if (c.beta_schedule == "cosine" || c.beta_schedule == "sigmoid") {
    for (const char* name : {"beta_start", "beta_end"})
      result.emplace_back(name, "--beta-schedule " + c.beta_schedule);
  }
  if (c.net == "unet") {
    auto sides = c.unet.sides(std::max(c.image_height, c.image_width));
    for (std::int64_t size : c.unet.sizes()) {
      if (std::ranges::find(sides, size) != sides.end()) continue;
      result.emplace_back("attention_sizes",
                          fmt::format("maps of {}: none is {}", fmt::join(sides, ", "), size));
      break;
    }
  }
  if (!c.class_conditional) result.emplace_back("class_dropout_prob", "no --class-conditional");
  if (c.num_timesteps == kToldTimesteps)
    result.emplace_back("rescale_timesteps", fmt::format("--num-timesteps {}", kToldTimesteps));
  return result;
}

std::vector<Preset> presets() {
  using namespace std::string_literals;
  return {
      {"unet-32",
       "a U-Net of 32 channels for 32x32 pictures on two cores, by v on the cosine schedule",
       {{"net", "unet"s},
        {"base_channels", std::int64_t{32}},
        {"channel_mult", "1,2,2"s},
        {"attention_sizes", "8"s},
        {"scale_shift", true},
        {"beta_schedule", "cosine"s},
        {"prediction_type", "v"s},
        {"batch_size", std::int64_t{64}},
        {"learning_rate", 1e-3},
        {"lr_schedule", "constant"s},
        {"warmup_steps", std::int64_t{200}},
        {"max_grad_norm", 1.0},
        {"ema_decay", "0.999"s}}},
      {"dit-32",
       "a diffusion transformer, 128 wide, 6 blocks, patches of 4",
       {{"net", "dit"s},
        {"embed_dim", std::int64_t{128}},
        {"depth", std::int64_t{6}},
        {"num_heads", std::int64_t{4}},
        {"patch_size", std::int64_t{4}},
        {"batch_size", std::int64_t{128}},
        {"learning_rate", 1e-3},
        {"lr_schedule", "constant"s},
        {"warmup_steps", std::int64_t{200}},
        {"max_grad_norm", 1.0},
        {"ema_decay", "0.999"s}}},
  };
}

}  // namespace

Fields DdpmConfig::fields() {
  const char* ho = "DDPM (Ho et al. 2020)";
  Fields fields = {bind(net, {"net",
                              "network; auto: unet if both sides are at least 8, else mlp",
                              {},
                              {"auto", "unet", "dit", "mlp"}})};
  for (Fields part : {unet.fields(), dit.fields()})
    fields.insert(fields.end(), part.begin(), part.end());
  Fields rest = {
      bind(beta_schedule, {"beta_schedule", "course of the noise over the timesteps", ho,
                           names_of(kBetaSchedules)}),
      bind(num_timesteps, {.name = "num_timesteps",
                           .help = "timesteps from a picture to noise",
                           .origin = ho,
                           .low = 1,
                           .high = 100000}),
      bind(rescale_timesteps,
           {"rescale_timesteps", "the network is told timesteps as of 1000, however many there are",
            "Nichol and Dhariwal 2021"}),
      bind(beta_start, {.name = "beta_start",
                        .help = "first beta of linear and scaled-linear, of 1000 timesteps; 0: the "
                                "paper's",
                        .low = 0,
                        .high = 1}),
      bind(beta_end, {.name = "beta_end", .help = "the last one likewise", .low = 0, .high = 1}),
      bind(zero_terminal_snr,
           {"zero_terminal_snr", "nothing of the picture is left at the last timestep",
            "Lin et al. 2023"}),
      bind(prediction_type, {"prediction_type",
                             "what the network predicts: the noise, the picture, or v between both",
                             ho, names_of(kPredictionTypes)}),
      bind(variance_type, {"variance_type",
                           "variance of a step: the posterior's, beta, or learned between the two",
                           ho, names_of(kVarianceTypes)}),
      bind(loss,
           {"loss", "squared error; with the bound for a learned variance; or the bound itself", ho,
            names_of(kDiffusionLosses)}),
      bind(min_snr_gamma,
           {.name = "min_snr_gamma",
            .help = "bound of the signal-to-noise ratio that weighs timesteps; 0: all "
                    "weigh alike",
            .origin = "Hang et al. 2023 have 5",
            .low = 0}),
      bind(timestep_sampler, {"timestep_sampler",
                              "how training timesteps are drawn: all alike, or by the root mean "
                              "square of their last ten losses (Nichol and Dhariwal 2021)",
                              ho,
                              {"uniform", "loss-second-moment"}}),
      bind(class_conditional, {"class_conditional", "pictures by class: the network sees labels"}),
      bind(class_dropout_prob, {.name = "class_dropout_prob",
                                .help = "share of the labels left out, for guidance when sampling",
                                .origin = "DiT (Peebles and Xie 2022)",
                                .low = 0,
                                .high = 1}),
      bind(real, {.name = "real",
                  .help = "vectors or latents in units of their own, not pictures",
                  .from_data = true}),
      bind(scaling_factor, {.name = "scaling_factor",
                            .help = "of latents: what makes their deviation 1",
                            .from_data = true}),
      bind(num_classes, {.name = "num_classes",
                         .help = "classes of the pictures; 0: not by class",
                         .low = 0,
                         .from_data = true}),
  };
  fields.insert(fields.end(), rest.begin(), rest.end());
  Fields pictures = picture_fields(image_height, image_width, in_channels);
  fields.insert(fields.end(), pictures.begin(), pictures.end());
  return fields;
}

void DdpmConfig::choose(const DataShape& shape) {
  if (shape.vectors() && (net == "unet" || net == "dit")) {
    throw UsageError(
        fmt::format("--net {}: is of pictures, but {} holds rows of {} numbers; "
                    "expected mlp",
                    net, shape.source, shape.channels));
  }
  image_height = shape.height;
  image_width = shape.width;
  in_channels = shape.channels;
  real = shape.real;
  scaling_factor = shape.scaling_factor;
  num_classes = class_conditional ? shape.num_classes : 0;
  bool halves = std::min(image_height, image_width) >= kLeastSide;
  if (net == "auto") net = halves ? "unet" : "mlp";
  dit.num_heads = unet.num_heads;
}

void DdpmConfig::check() const {
  if (class_conditional) require_classes(num_classes);
  if (class_conditional && class_dropout_prob == 1)
    throw UsageError("--class-dropout-prob 1: no label is ever seen; expected less");
  if (net == "unet") unet.check(image_height, image_width);
  if (net == "dit") dit.check(image_height, image_width);
  if (variance_type == "learned-range" && loss == "simple")
    throw UsageError(
        "--variance-type learned-range: --loss simple does not train it, expected hybrid or vlb");
  DiffusionSpec all = spec();
  timestep_table(all.schedule, all.args);  // refuses what does not fit
}

DiffusionSpec DdpmConfig::spec() const {
  DiffusionSpec spec;
  spec.schedule = make_noise_schedule({.beta_schedule = parse_beta_schedule(beta_schedule),
                                       .num_timesteps = num_timesteps,
                                       .beta_start = beta_start,
                                       .beta_end = beta_end,
                                       .zero_terminal_snr = zero_terminal_snr});
  spec.args = {.prediction_type = parse_prediction_type(prediction_type),
               .variance_type = parse_variance_type(variance_type),
               .loss = parse_diffusion_loss(loss),
               .min_snr_gamma = min_snr_gamma,
               .discretized = !real,
               .clip_x0 = 0};
  spec.scale = real ? scaling_factor : 2;
  spec.offset = real ? 0 : -1;
  spec.bounded = !real;
  spec.knows_none = class_conditional && class_dropout_prob > 0;
  return spec;
}

Expr ddpm_predict(const DdpmConfig& c, const Scope& scope, Expr noised, Expr timestep, Expr label) {
  Scope own = scope / c.net;
  std::int64_t outputs =
      c.in_channels * (parse_variance_type(c.variance_type) == VarianceType::learned_range ? 2 : 1);
  Expr condition;
  if (c.class_conditional) {
    // A U-Net adds them to what tells the timestep: from 0.02, DiT's, they grow too slowly beside
    // it.
    Init init = normal(c.net == "unet" ? 1 : 0.02);
    condition = embedding(scope / "class", label, c.num_classes + 1, condition_dim(c), init);
  }
  if (c.rescale_timesteps) timestep = timestep * (double(kToldTimesteps) / double(c.num_timesteps));
  if (c.net == "unet") return unet(c.unet, own, noised, timestep, condition, outputs);
  if (c.net == "dit") return dit(c.dit, own, noised, timestep, condition, outputs);
  return mlp(c, own, noised, timestep, condition, outputs);
}

Model make_ddpm() { return make_ddpm(std::make_shared<DdpmConfig>()); }

Model make_ddpm(std::shared_ptr<DdpmConfig> c) {
  Model model;
  model.name = "ddpm";
  model.fields = c->fields();
  model.presets = presets();
  model.state = c;
  model.fit = [c](const DataShape& shape) {
    c->choose(shape);
    c->check();
  };
  model.idle = [c] { return idle(*c); };
  model.no_slices = [c] {
    bool by_losses = c->timestep_sampler == "loss-second-moment";
    return std::string(by_losses ? "--timestep-sampler loss-second-moment draws for a whole batch"
                                 : "");
  };
  model.objective = [c](const Scope& s, const Batch& b) { return objective(*c, s, b); };
  model.validation = [c](const Scope& s, const Batch& b) { return validation(*c, s, b); };
  model.denoise = [c](const Scope& s, Expr noised, Expr timestep, const Condition& condition) {
    return ddpm_predict(*c, s, noised, timestep, condition.label);
  };
  model.diffusion = [c] { return c->spec(); };
  model.data_shape = [c] {
    return DataShape{.height = c->image_height,
                     .width = c->image_width,
                     .channels = c->in_channels,
                     .num_classes = c->num_classes,
                     .real = c->real,
                     .scaling_factor = c->scaling_factor};
  };
  return model;
}

}  // namespace atelier
