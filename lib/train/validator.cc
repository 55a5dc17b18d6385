// Validation: one pass over the held-out rows, then importance sampling over some of them.
#include "train/validator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "eval/importance.h"
#include "eval/latents.h"

namespace atelier {
namespace {

// Streams of noise apart from those of training and from each other.
constexpr std::uint64_t kValidationNoise = 0x76616c6964617465u,
                        kImportanceNoise = 0x696d706f7274616eu;

// Held-out pictures that change each epoch would make figures incomparable.
Binarize fixed_binarize(const TrainConfig& config) {
  Binarize kind = parse_binarize(config.binarize);
  return kind == Binarize::dynamic ? Binarize::sample : kind;
}

}  // namespace

Validator::Validator(const Task& task, const TrainConfig& config, const Dataset& data,
                     std::vector<std::int64_t> indices, Store& store, const CaptionReader* captions)
    : task_(task),
      config_(config),
      data_(data),
      indices_(std::move(indices)),
      store_(store),
      captions_(captions) {
  // Not by their product, which may be beyond all numbers.
  std::int64_t batches = (std::int64_t(indices_.size()) - 1) / config.batch_size + 1;
  if (config.val_batches > 0 && config.val_batches < batches)
    indices_.resize(std::size_t(config.val_batches * config.batch_size));
}

Validator::Built& Validator::build(const std::string& prefix, std::int64_t rows) {
  auto& slot = built_[{prefix, rows}];
  if (slot) return *slot;
  slot = std::make_unique<Built>();
  Graph graph;
  GraphInputs in = float_inputs(graph, data_, rows, captions_ ? captions_->context_length() : 0);
  Scope root = Scope(graph, store_, Mode::eval, in.noise).reading(prefix);
  for (const Term& term : task_.validation(root, in.batch)) {
    graph.output("term." + term.name, reshape(broadcast(term.weighed(), {rows}), {rows}));
    if (term.weight)
      graph.output("weight." + term.name, reshape(broadcast(term.weight, {rows}), {rows}));
    slot->terms.push_back({term.name, term.unit, 0, term.role, 0});
  }
  if (task_.latent) {
    Expr latent = task_.latent(root, in.batch.image);
    graph.output("latent", reshape(latent, {rows, latent.shape().count() / rows}));
  }
  slot->plan = std::make_unique<Plan>(graph, store_, PlanOptions{}, workspace_);
  return *slot;
}

bool Validator::means(const std::string& prefix, std::span<const std::int64_t> indices,
                      const std::function<bool()>& stop, std::vector<ReportedTerm>& result,
                      std::vector<float>& latents) {
  PixelReader pixels(data_, fixed_binarize(config_), config_.seed);
  std::size_t batch = std::size_t(config_.batch_size);
  for (std::size_t first = 0; first < indices.size(); first += batch) {
    if (stop()) return false;
    auto rows = indices.subspan(first, std::min(batch, indices.size() - first));
    Built& built = build(prefix, std::int64_t(rows.size()));
    Plan& plan = *built.plan;
    pixels.read(rows, plan.input<float>("image"));
    if (plan.has_input("ids")) {
      auto ids = plan.input<std::int32_t>("ids");
      for (std::size_t i = 0; i < rows.size(); ++i) ids[i] = std::int32_t(rows[i]);
    }
    if (plan.has_input("label")) {
      auto labels = plan.input<std::int32_t>("label");
      for (std::size_t i = 0; i < rows.size(); ++i) labels[i] = data_.labels[std::size_t(rows[i])];
    }
    if (plan.has_input("tokens")) {
      auto tokens = plan.input<std::int32_t>("tokens");
      std::size_t length = tokens.size() / rows.size();
      for (std::size_t i = 0; i < rows.size(); ++i)
        captions_->write(rows[i], 0, tokens.subspan(i * length, length));
    }
    write_clock(plan, std::uint64_t(config_.seed) ^ kValidationNoise, 0);
    plan.run();
    if (result.empty()) result = built.terms;
    for (ReportedTerm& term : result) {
      for (float v : plan.output<float>("term." + term.name)) term.value += double(v);
      if (!plan.has_output("weight." + term.name)) {
        term.weight += double(rows.size());
        continue;
      }
      for (float v : plan.output<float>("weight." + term.name)) term.weight += double(v);
    }
    if (!plan.has_output("latent")) continue;
    auto latent = plan.output<float>("latent");
    latents.insert(latents.end(), latent.begin(), latent.end());
  }
  std::erase_if(result, [](const ReportedTerm& term) { return term.weight == 0; });
  for (ReportedTerm& term : result) term.value /= std::exchange(term.weight, 1.0);
  return true;
}

std::size_t Validator::bounded_rows() const {
  if (config_.val_importance_samples == 0 || !task_.log_weight) return 0;
  return std::min(indices_.size(), std::size_t(config_.val_importance_images));
}

std::vector<double> Validator::bounds(const std::string& prefix,
                                      std::span<const std::int64_t> indices,
                                      const std::function<bool()>& stop) {
  PixelReader pixels(data_, fixed_binarize(config_), config_.seed);
  return importance_nll(task_.log_weight, store_, data_, pixels, indices,
                        {.draws = config_.val_importance_samples,
                         .batch_size = config_.batch_size,
                         .seed = std::int64_t(std::uint64_t(config_.seed) ^ kImportanceNoise),
                         .store_prefix = prefix,
                         .stop = stop});
}

std::vector<ReportedTerm> Validator::run(const std::string& prefix,
                                         const std::function<bool()>& stop) {
  std::vector<ReportedTerm> result;
  std::vector<float> latents;
  if (!means(prefix, indices_, stop, result, latents)) return {};
  if (std::size_t some = bounded_rows(); some > 0) {
    std::vector<double> nll = bounds(prefix, std::span(indices_).first(some), stop);
    if (nll.empty()) return {};
    double sum = 0;
    for (double v : nll) sum += v;
    result.push_back({"importance_nll", "nats/image", sum / double(some)});
  }
  if (!latents.empty()) {
    std::int64_t units = std::int64_t(latents.size() / indices_.size());
    result.push_back(
        {"active_units", "of " + std::to_string(units), double(active_units(latents, units))});
  }
  return result;
}

double Validator::expected_seconds(const std::string& prefix) {
  auto never = [] { return false; };
  auto batch = std::span(indices_).first(
      std::min(indices_.size(), std::size_t(std::max<std::int64_t>(config_.batch_size, 1))));
  auto seconds_of = [](const auto& work) {
    auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  auto pass = [&] {
    std::vector<ReportedTerm> terms;
    std::vector<float> latents;
    means(prefix, batch, never, terms, latents);
  };
  pass();  // compiles
  double seconds = seconds_of(pass) * double(indices_.size()) / double(batch.size());
  if (std::size_t all = bounded_rows(); all > 0) {
    auto some = batch.first(std::min(batch.size(), all));
    seconds += seconds_of([&] { bounds(prefix, some, never); }) * double(all) / double(some.size());
  }
  return seconds;
}

}  // namespace atelier
