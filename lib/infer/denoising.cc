// Visits of timesteps, one plan for all of them.
#include "infer/denoising.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "data/pixels.h"
#include "infer/diffuse.h"
#include "infer/rows.h"
#include "infer/score.h"

namespace atelier {
namespace {

constexpr std::int64_t kColumns = 3;  // of a visit: mse, vlb, prior bits; then what is measured

// One pass over the rows of a batch: each at a timestep of the range, which stands for all of it.
struct Visit {
  std::int64_t first, last;  // places in the schedule, [first, last)
  std::int64_t told = -1;    // or a place of DenoisingArgs::timesteps, which counts in no mean
  std::int64_t step;         // of the noise

  double count() const { return double(last - first); }
};

std::vector<Visit> visits_of(std::int64_t num_timesteps, const DenoisingArgs& args) {
  std::vector<Visit> visits{{.first = 0, .last = 1, .step = 0}};
  std::int64_t count = args.visited_timesteps > 0 ? args.visited_timesteps : num_timesteps;
  std::vector<std::int64_t> edges = visit_edges(num_timesteps, count);
  for (std::size_t j = 0; j + 1 < edges.size(); ++j)
    visits.push_back({.first = edges[j], .last = edges[j + 1], .step = std::int64_t(j) + 1});
  for (std::size_t k = 0; k < args.timesteps.size(); ++k) {
    std::int64_t place = args.timesteps[k];
    if (place < 0 || place >= num_timesteps) {
      throw UsageError(fmt::format("timestep {}: expected 0 to {}", place, num_timesteps - 1));
    }
    visits.push_back({.first = place,
                      .last = place + 1,
                      .told = std::int64_t(k),
                      .step = num_timesteps + place});  // of no other visit
  }
  return visits;
}

// The place that a row visits.
std::int32_t place_of(const Visit& visit, std::int64_t row, std::int64_t seed) {
  auto width = std::uint64_t(visit.last - visit.first);
  if (width == 1) return std::int32_t(visit.first);
  RandomStream random(std::uint64_t(seed), stream_of("denoising.visit"), std::uint64_t(visit.step),
                      std::uint32_t(row));
  return std::int32_t(visit.first + std::int64_t(random.below(width)));
}

class Visitor {
 public:
  Visitor(const Loaded& loaded, const Dataset& data, const DiffusionSpec& spec,
          const DenoisingArgs& args, std::int64_t rows)
      : spec_(spec),
        args_(args),
        rows_(rows),
        plan_(loaded.plan(rows, [&](const Scope& scope) { return build(loaded, data, scope); })) {}

  // `labels`: of the whole set, as the model numbers them.
  void load(PixelReader& reader, std::span<const std::int32_t> labels,
            std::span<const std::int64_t> batch) {
    reader.read(batch, plan_.input("image"));
    ids_.assign(batch.begin(), batch.end());
    if (!plan_.has_input("label")) return;
    auto label = plan_.input<std::int32_t>("label");
    for (std::size_t i = 0; i < batch.size(); ++i) label[i] = labels[std::size_t(batch[i])];
  }
  // [rows, columns], valid until the next call.
  std::span<const float> run(const Visit& visit) {
    auto index = plan_.input<std::int32_t>("index");
    for (std::size_t i = 0; i < ids_.size(); ++i) index[i] = place_of(visit, ids_[i], args_.seed);
    write_noise(plan_, ids_, args_.seed);
    plan_.input<std::int32_t>("clock")[2] = std::int32_t(visit.step);
    plan_.run();
    return plan_.output("y");
  }

 private:
  Expr build(const Loaded& loaded, const Dataset& data, const Scope& scope) const {
    const Model& model = loaded.model();
    Graph& graph = scope.graph();
    Shape shape{rows_, data.height, data.width, data.channels};
    std::int64_t numbers = shape.count() / rows_;
    DiffusionArgs judged = spec_.args;
    judged.loss = DiffusionLoss::simple;
    judged.min_snr_gamma = 0;
    judged.clip_x0 = spec_.bounded ? 1 : 0;
    Condition condition;
    if (loaded.data_shape().num_classes > 0)
      condition.label = graph.input("label", DType::i32, {rows_});
    Expr noised, output;
    Denoiser network = [&](Expr x, Expr timestep) {
      noised = x;
      return output = model.denoise(scope, x, timestep, condition);
    };
    Expr x0 = spec_.scale * graph.input("image", DType::f32, shape) + spec_.offset;
    Expr table = scope.table("denoising", {spec_.schedule.size(), kTableColumns},
                             timestep_table(spec_.schedule, judged));
    Expr index = graph.input("index", DType::i32, {rows_});
    DiffusionLosses losses =
        diffusion_losses(judged, network, table, x0, index, scope.normal("noise", shape));
    std::vector<Expr> columns;
    for (Expr value : {losses.mse, losses.vlb, prior_bits(spec_.schedule, x0)})
      columns.push_back(reshape(value, {rows_, 1}));
    if (args_.measure) {
      Expr rows = take(table, index);
      auto level = [&](std::int64_t c) {
        return per_row(reshape(slice(rows, 1, c, c + 1), {rows_}), x0);
      };
      Prediction prediction = split_prediction(output, noised, judged.variance_type);
      Expr epsilon =
          noise_of(judged.prediction_type, prediction.pred, noised, {level(0), level(1)});
      for (Expr value : {noised, epsilon}) columns.push_back(reshape(value, {rows_, numbers}));
    }
    return concat(columns, 1);
  }

  const DiffusionSpec& spec_;
  const DenoisingArgs& args_;
  std::int64_t rows_;
  Plan plan_;
  std::vector<std::int32_t> ids_;
};

// What the visits of one row come to. Rows are added up one after another, whatever the batch.
struct RowSum {
  DenoisingScore::Errors mean;
  BoundTerms bound;
};

void add(DenoisingScore::Errors& sum, const DenoisingScore::Errors& term, double weight) {
  sum.prediction.epsilon += weight * term.prediction.epsilon;
  sum.prediction.x0 += weight * term.prediction.x0;
  sum.prediction.v += weight * term.prediction.v;
  sum.measured += weight * term.measured;
}

class Sums {
 public:
  Sums(const DiffusionSpec& spec, const DenoisingArgs& args, std::size_t rows)
      : spec_(spec), args_(args), rows_(double(rows)) {
    score_.told.resize(args.timesteps.size());
  }

  // Of the row with this index in the data set, a row of Visitor::run().
  void visit(const Visit& visit, std::int64_t index, std::span<const float> row, RowSum& sum) {
    auto place = std::size_t(place_of(visit, index, args_.seed));
    double a = spec_.schedule.alphas_cumprod[place];
    DenoisingScore::Errors errors{prediction_errors(spec_.args.prediction_type, double(row[0]), a)};
    if (args_.measure) {
      std::size_t numbers = (row.size() - kColumns) / 2;
      errors.measured =
          args_.measure(index, a, row.subspan(kColumns, numbers), row.subspan(kColumns + numbers));
    }
    if (visit.told >= 0) return add(score_.told[std::size_t(visit.told)], errors, 1 / rows_);
    add(sum.mean, errors, visit.count() / double(spec_.schedule.size()));
    sum.bound.prior = double(row[2]);
    (visit.first == 0 ? sum.bound.decoder : sum.bound.divergence) += visit.count() * double(row[1]);
  }
  void row(RowSum& sum) {
    // A density is of the data as they are, and what is noised is `scale` times as wide.
    if (!spec_.args.discretized) sum.bound.decoder -= std::log2(spec_.scale);
    add(score_.mean, sum.mean, 1 / rows_);
    score_.bound.prior += sum.bound.prior / rows_;
    score_.bound.divergence += sum.bound.divergence / rows_;
    score_.bound.decoder += sum.bound.decoder / rows_;
    totals_.push_back(sum.bound.total());
  }
  DenoisingScore result() {
    double squares = 0, mean = score_.bound.total();
    for (double total : totals_) squares += (total - mean) * (total - mean);
    if (totals_.size() > 1)
      score_.bound.standard_error = std::sqrt(squares / (rows_ * (rows_ - 1)));
    return score_;
  }

 private:
  const DiffusionSpec& spec_;
  const DenoisingArgs& args_;
  double rows_;
  DenoisingScore score_;
  std::vector<double> totals_;
};

void require_judged(const Loaded& loaded, const Dataset& data) {
  if (!loaded.model().denoise)
    throw Error(fmt::format("{}: this model is no diffusion model", loaded.name()));
  loaded.require_fit(data);
  if (loaded.data_shape().num_classes > 0 && data.labels.empty())
    throw Error(fmt::format("{}: expected labels for {}, found none", data.source, loaded.name()));
}

void require_finite(double value, const Loaded& loaded, const Dataset& data) {
  if (std::isfinite(value)) return;
  throw Error(fmt::format("{}: its predictions of {} are not finite", loaded.name(), data.source));
}

}  // namespace

double PredictionErrors::of(PredictionType type) const {
  return type == PredictionType::epsilon ? epsilon : type == PredictionType::x0 ? x0 : v;
}

PredictionErrors prediction_errors(PredictionType type, double mse, double a) {
  double share = type == PredictionType::epsilon ? a : type == PredictionType::x0 ? 1 - a : 1;
  double v = mse / share;
  return {a * v, (1 - a) * v, v};
}

PredictionErrors mean_errors(const NoiseSchedule& schedule,
                             const std::function<double(double alphas_cumprod)>& v_error) {
  return mean_errors(schedule, v_error, 0, schedule.size());
}

PredictionErrors mean_errors(const NoiseSchedule& schedule,
                             const std::function<double(double alphas_cumprod)>& v_error,
                             std::int64_t first, std::int64_t last) {
  PredictionErrors mean;
  double count = double(last - first);
  for (std::int64_t index = first; index < last; ++index) {
    double a = schedule.alphas_cumprod[std::size_t(index)];
    PredictionErrors here = prediction_errors(PredictionType::v, v_error(a), a);
    mean.epsilon += here.epsilon / count;
    mean.x0 += here.x0 / count;
    mean.v += here.v / count;
  }
  return mean;
}

std::vector<std::int64_t> visit_edges(std::int64_t num_timesteps, std::int64_t count) {
  std::vector<std::int64_t> edges{1};
  // With as many ranges left as timesteps, the ratio is at most 1 + 1 / edge (Bernoulli), and
  // every further range holds one.
  for (std::int64_t left = std::min(count, num_timesteps - 1); left > 0; --left) {
    double edge = double(edges.back());
    double next = edge * std::pow(double(num_timesteps) / edge, 1.0 / double(left));
    edges.push_back(std::max(edges.back() + 1, std::int64_t(std::lround(next))));
  }
  return edges;
}

DenoisingScore score_denoising(const Loaded& loaded, const Dataset& data,
                               std::span<const std::int64_t> indices, const DenoisingArgs& args) {
  require_judged(loaded, data);
  const DiffusionSpec spec = loaded.model().diffusion();
  Sums sums(spec, args, indices.size());
  std::int64_t rows = std::min<std::int64_t>(args.batch_size, std::int64_t(indices.size()));
  if (rows < 1) return sums.result();

  const std::vector<Visit> visits = visits_of(spec.schedule.size(), args);
  std::vector<std::int32_t> labels = labels_for(loaded, data);
  PixelReader reader(data, loaded.binarize());
  Visitor visitor(loaded, data, spec, args, rows);
  for (std::size_t first = 0; first < indices.size(); first += std::size_t(rows)) {
    std::size_t count = std::min(std::size_t(rows), indices.size() - first);
    std::vector<std::int64_t> batch(std::size_t(rows), indices[first]);
    std::copy_n(indices.begin() + std::ptrdiff_t(first), count, batch.begin());
    visitor.load(reader, labels, batch);
    std::vector<RowSum> of_rows(count);
    for (const Visit& visit : visits) {
      std::span<const float> y = visitor.run(visit);
      std::size_t columns = y.size() / std::size_t(rows);
      for (std::size_t i = 0; i < count; ++i)
        sums.visit(visit, batch[i], y.subspan(i * columns, columns), of_rows[i]);
    }
    for (RowSum& sum : of_rows) sums.row(sum);
  }
  DenoisingScore score = sums.result();
  for (double value : {score.bound.total(), score.mean.prediction.v, score.mean.measured})
    require_finite(value, loaded, data);
  return score;
}

double inversion_error(const Loaded& loaded, const Dataset& data,
                       std::span<const std::int64_t> indices, std::int64_t steps,
                       std::int64_t batch_size) {
  require_judged(loaded, data);
  SampleArgs args;
  args.batch_size = batch_size;
  args.sample_steps = steps;
  args.timestep_spacing = "linspace";
  args.clip = false;
  std::vector<float> noise = invert(loaded, data, indices, args);
  const std::vector<std::int32_t> seeds(indices.size(), 0);  // of noise that is not added
  DiffuseOptions options;
  options.start = [&](std::int64_t i, std::span<float> x) {
    std::ranges::copy(std::span(noise).subspan(std::size_t(i) * x.size(), x.size()), x.begin());
  };
  std::vector<std::int32_t> labels;
  if (loaded.data_shape().num_classes > 0) {
    labels = labels_for(loaded, data);
    options.label = [&](std::int64_t i) { return labels[std::size_t(indices[std::size_t(i)])]; };
  }
  PixelReader reader(data, loaded.binarize());
  std::vector<float> given(std::size_t(reader.row()));
  double squares = 0, numbers = double(indices.size()) * double(reader.row());
  diffuse(
      loaded, seeds,
      [&](std::int64_t i, std::span<const float> made) {
        reader.read(indices.subspan(std::size_t(i), 1), given);
        for (std::size_t k = 0; k < made.size(); ++k)
          squares += (double(made[k]) - double(given[k])) * (double(made[k]) - double(given[k]));
      },
      args, {}, options);
  require_finite(squares, loaded, data);
  double scale = loaded.model().diffusion().scale;
  return scale * scale * squares / numbers;
}

}  // namespace atelier
