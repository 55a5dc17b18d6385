// Graphs of one update: whole, or k - 1 times accumulate and once apply.
#include "train/train_plans.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/parse.h"
#include "nn/optimizers.h"

namespace atelier {

std::vector<double> parse_decays(const std::string& text) {
  std::vector<double> decays;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t comma = std::min(text.find(',', at), text.size());
    double decay = -1;
    try {
      decay = parse_number(text.substr(at, comma - at));
    } catch (const UsageError&) {
    }
    if (!(decay >= 0 && decay < 1)) {
      throw UsageError(fmt::format(
          "--ema-decay '{}': expected decays of at least 0 and below 1, as 0.999,0.9999", text));
    }
    decays.push_back(decay);
    at = comma + 1;
  }
  if (decays.size() > 4)
    throw UsageError(fmt::format("--ema-decay '{}': expected at most 4 decays", text));
  return decays;
}

GraphInputs graph_inputs(Graph& graph, const Dataset& data, std::int64_t rows) {
  GraphInputs in;
  Shape shape{rows, data.height, data.width, data.channels};
  Expr image = graph.input("image", data.dtype, shape);
  in.batch.image = data.dtype == DType::u8 ? cast(image, DType::f32) / 255.0 : image;
  if (data.num_classes() > 0) in.batch.label = graph.input("label", DType::i32, {rows});
  in.noise.ids = graph.input("ids", DType::i32, {rows});
  in.noise.clock = graph.input("clock", DType::i32, {3});
  return in;
}

void write_clock(Plan& plan, std::uint64_t seed, std::int64_t step) {
  if (!plan.has_input("clock")) return;
  auto clock = plan.input<std::int32_t>("clock");
  clock[0] = std::int32_t(std::uint32_t(seed));
  clock[1] = std::int32_t(std::uint32_t(seed >> 32));
  clock[2] = std::int32_t(step);
}

TrainPlans::TrainPlans(const Task& task, const TrainConfig& config, const Dataset& data,
                       Store& store)
    : task_(task), config_(config), data_(data), store_(store) {}

Plan& TrainPlans::for_rows(std::int64_t rows) {
  std::int64_t slices = rows % config_.grad_accum_steps == 0 ? config_.grad_accum_steps : 1;
  return plan(slices == 1 ? Role::whole : Role::apply, rows / slices, slices);
}

Plan& TrainPlans::plan(Role role, std::int64_t rows, std::int64_t slices) {
  auto& slot = plans_[{int(role), rows, slices}];
  if (slot) return *slot;
  Graph graph;
  GraphInputs in = graph_inputs(graph, data_, rows);
  Expr rate = graph.input("rate", DType::f32, {});
  Scope root(graph, store_, Mode::train, in.noise);
  in.batch.step = optimizer_step(root);
  Objective objective = task_.objective(root, in.batch);
  unit_ = objective.unit;
  terms_.clear();
  for (const Term& term : objective.terms) {
    graph.output("term." + term.name, reshape(mean(term.value), {}));
    terms_.push_back({term.name, term.unit, 0});
  }
  std::vector<Expr> params = root.params();
  parameters_ = 0;
  for (const Expr& p : params) parameters_ += p.shape().count();
  std::vector<Expr> grads = gradient(objective.loss, params);
  Expr loss = reshape(objective.loss, {});
  graph.output("loss", loss);
  if (role == Role::accumulate) {
    graph.output("guard", loss + reshape(global_norm(grads), {}));
    accumulate_gradients(root, grads);
  } else {
    if (role == Role::apply) grads = accumulated_mean(root, grads, int(slices));
    OptimizerArgs args;
    args.adam = {config_.adam_beta1, config_.adam_beta2, config_.adam_eps, config_.weight_decay};
    args.max_grad_norm = config_.max_grad_norm;
    args.report_norm = true;
    args.emas = parse_decays(config_.ema_decay);
    // Before the updates, so that it is known when the first of them is to be written.
    graph.output("guard", loss + reshape(global_norm(grads), {}));
    OptimizerResult result = apply_optimizer(root, grads, rate, args);
    graph.output("grad_norm", reshape(result.grad_norm, {}));
  }
  slot = std::make_unique<Plan>(graph, store_, PlanOptions{.guard = "guard"}, workspace_);
  return *slot;
}

void TrainPlans::feed(Plan& plan, const HostBatch& batch, std::int64_t first, std::int64_t rows,
                      std::int64_t step, double rate) {
  auto copy = [&](auto span) {
    auto bytes = batch.images.subspan(std::size_t(first * data_.row_bytes()),
                                      std::size_t(rows * data_.row_bytes()));
    std::memcpy(span.data(), bytes.data(), bytes.size());
  };
  if (data_.dtype == DType::u8) {
    copy(plan.input<std::uint8_t>("image"));
  } else {
    copy(plan.input<float>("image"));
  }
  auto ids = plan.input<std::int32_t>("ids");
  std::copy_n(batch.ids.begin() + first, rows, ids.begin());
  if (plan.has_input("label"))
    std::copy_n(batch.labels.begin() + first, rows, plan.input<std::int32_t>("label").begin());
  write_clock(plan, std::uint64_t(config_.seed), step);
  plan.input<float>("rate")[0] = float(rate);
}

void TrainPlans::collect(const Plan& plan, double share) {
  loss_ += share * double(plan.scalar("loss"));
  for (ReportedTerm& term : terms_) term.value += share * double(plan.scalar("term." + term.name));
}

bool TrainPlans::update(const HostBatch& batch, std::int64_t step, double rate) {
  std::int64_t slices = batch.rows % config_.grad_accum_steps == 0 ? config_.grad_accum_steps : 1;
  std::int64_t rows = batch.rows / slices;
  loss_ = 0;
  for (std::int64_t s = 0; s < slices; ++s) {
    Plan& p = plan(slices == 1      ? Role::whole
                   : s + 1 < slices ? Role::accumulate
                                    : Role::apply,
                   rows, slices);
    if (s == 0) {
      for (ReportedTerm& term : terms_) term.value = 0;
    }
    feed(p, batch, s * rows, rows, step, rate);
    if (!p.run_guarded()) {
      non_finite_ = p.non_finite();
      return false;
    }
    collect(p, 1.0 / double(slices));
    if (p.has_output("grad_norm")) grad_norm_ = double(p.scalar("grad_norm"));
  }
  return true;
}

// ---- validation

Validator::Validator(const Task& task, const TrainConfig& config, const Dataset& data,
                     std::vector<std::int64_t> indices, Store& store)
    : task_(task), config_(config), data_(data), indices_(std::move(indices)), store_(store) {}

Plan& Validator::plan(const std::string& prefix, std::int64_t rows, bool weights) {
  auto& slot = plans_[{prefix, rows, weights}];
  if (slot) return *slot;
  Graph graph;
  GraphInputs in = graph_inputs(graph, data_, rows);
  Scope root = Scope(graph, store_, Mode::eval, in.noise).reading(prefix);
  if (weights) {
    graph.output("log_weight", task_.log_weight(root, in.batch));
  } else {
    terms_ = task_.validation(root, in.batch);
    for (const Term& term : terms_)
      graph.output(term.name, reshape(broadcast(term.value, {rows}), {rows}));
  }
  slot = std::make_unique<Plan>(graph, store_, PlanOptions{}, workspace_);
  return *slot;
}

std::vector<ReportedTerm> Validator::run(const std::string& prefix,
                                         const std::function<bool()>& stop) {
  LoaderOptions options{.batch_size = config_.batch_size,
                        .seed = config_.seed,
                        .shuffle = false,
                        .binarize = config_.binarize};
  // Held-out pictures that change each epoch would make figures incomparable.
  if (options.binarize == "dynamic") options.binarize = "sample";
  Loader loader(data_, indices_, options);
  std::vector<double> sums;
  std::int64_t rows = 0, batches = loader.batches_per_epoch();
  if (config_.val_batches > 0) batches = std::min(batches, config_.val_batches);
  for (std::int64_t b = 0; b < batches; ++b) {
    if (stop()) return {};
    HostBatch batch = loader.next();
    Plan& p = plan(prefix, batch.rows, false);
    if (data_.dtype == DType::u8) {
      std::memcpy(p.input<std::uint8_t>("image").data(), batch.images.data(), batch.images.size());
    } else {
      std::memcpy(p.input<float>("image").data(), batch.images.data(), batch.images.size());
    }
    for (std::int64_t i = 0; i < batch.rows; ++i) {
      p.input<std::int32_t>("ids")[std::size_t(i)] = std::int32_t(batch.examples[std::size_t(i)]);
    }
    if (p.has_input("label"))
      std::copy(batch.labels.begin(), batch.labels.end(), p.input<std::int32_t>("label").begin());
    write_clock(p, std::uint64_t(config_.seed) ^ 0x76616c6964617465u, 0);
    p.run();
    sums.resize(terms_.size(), 0);
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      for (float v : p.output<float>(terms_[t].name)) sums[t] += double(v);
    }
    rows += batch.rows;
  }
  std::vector<ReportedTerm> result;
  for (std::size_t t = 0; t < terms_.size(); ++t)
    result.push_back({terms_[t].name, terms_[t].unit, sums[t] / double(rows)});
  bool stopped = false;
  if (config_.val_importance_samples > 0 && task_.log_weight) {
    double bound = importance(prefix, stop, stopped);
    if (stopped) return {};
    result.push_back({"importance_nll", "nats/image", bound});
  }
  return result;
}

// Mean over pictures of -log (1/k) sum exp(log weight), the sum in double.
double Validator::importance(const std::string& prefix, const std::function<bool()>& stop,
                             bool& stopped) {
  std::vector<std::int64_t> some(
      indices_.begin(), indices_.begin() + std::min<std::int64_t>(std::int64_t(indices_.size()),
                                                                  config_.val_importance_images));
  LoaderOptions options{.batch_size = config_.batch_size,
                        .seed = config_.seed,
                        .shuffle = false,
                        .binarize = config_.binarize};
  if (options.binarize == "dynamic") options.binarize = "sample";
  Loader loader(data_, some, options);
  double total = 0;
  std::int64_t k = config_.val_importance_samples;
  for (std::int64_t b = 0; b < loader.batches_per_epoch(); ++b) {
    HostBatch batch = loader.next();
    Plan& p = plan(prefix, batch.rows, true);
    if (data_.dtype == DType::u8) {
      std::memcpy(p.input<std::uint8_t>("image").data(), batch.images.data(), batch.images.size());
    } else {
      std::memcpy(p.input<float>("image").data(), batch.images.data(), batch.images.size());
    }
    for (std::int64_t i = 0; i < batch.rows; ++i) {
      p.input<std::int32_t>("ids")[std::size_t(i)] = std::int32_t(batch.examples[std::size_t(i)]);
    }
    std::vector<double> top(std::size_t(batch.rows), -INFINITY), sum(std::size_t(batch.rows), 0);
    for (std::int64_t draw = 0; draw < k; ++draw) {
      if (stop()) {
        stopped = true;
        return 0;
      }
      write_clock(p, std::uint64_t(config_.seed) ^ 0x696d706f7274616eu, draw);
      p.run();
      auto weights = p.output<float>("log_weight");
      for (std::size_t i = 0; i < weights.size(); ++i) {
        double w = double(weights[i]), high = std::max(top[i], w);
        sum[i] = sum[i] * std::exp(top[i] - high) + std::exp(w - high);
        top[i] = high;
      }
    }
    for (std::size_t i = 0; i < sum.size(); ++i) total -= top[i] + std::log(sum[i] / double(k));
  }
  return total / double(some.size());
}

}  // namespace atelier
