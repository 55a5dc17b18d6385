// Graphs of one update: whole, or k - 1 times accumulate and once apply.
#include "train/train_plans.h"

#include <fmt/format.h>

#include <algorithm>
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

namespace {

GraphInputs inputs(Graph& graph, const Dataset& data, std::int64_t rows, DType dtype) {
  GraphInputs in;
  in.batch.image = graph.input("image", dtype, {rows, data.height, data.width, data.channels});
  if (data.num_classes() > 0) in.batch.label = graph.input("label", DType::i32, {rows});
  in.noise.ids = graph.input("ids", DType::i32, {rows});
  in.noise.clock = graph.input("clock", DType::i32, {3});
  return in;
}

// Micro-batches of a batch: those that cannot be of one size are not made.
std::int64_t slices_of(const TrainConfig& config, std::int64_t rows) {
  return rows % config.grad_accum_steps == 0 ? config.grad_accum_steps : 1;
}

}  // namespace

std::int64_t least_rows(const TrainConfig& config, std::int64_t pictures) {
  std::int64_t least = 0;
  for (std::int64_t rows : {std::min(config.batch_size, pictures), pictures % config.batch_size}) {
    std::int64_t each = rows / slices_of(config, rows);
    if (each > 0) least = least == 0 ? each : std::min(least, each);
  }
  return least;
}

GraphInputs graph_inputs(Graph& graph, const Dataset& data, std::int64_t rows) {
  GraphInputs in = inputs(graph, data, rows, data.dtype);
  if (data.dtype == DType::u8) in.batch.image = cast(in.batch.image, DType::f32) / 255.0;
  return in;
}

GraphInputs float_inputs(Graph& graph, const Dataset& data, std::int64_t rows) {
  return inputs(graph, data, rows, DType::f32);
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
  std::int64_t slices = slices_of(config_, rows);
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
  // Later plans differ in rows alone; one that is made between two micro-batches finds sums here.
  bool first = terms_.empty();
  for (const Term& term : objective.terms) {
    graph.output("term." + term.name, reshape(mean(term.value), {}));
    if (first) terms_.push_back({term.name, term.unit, 0, term.role});
  }
  for (const Scope::StateUpdate& state : root.state_updates()) states_[state.name];
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
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph.node(id).op != Op::slot) continue;
    const std::string& name = graph.name_of(id);
    if (name.find('/') == name.npos) tensors_.insert(name);
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

// Running statistics move with every micro-batch, the sums of gradients are zero between updates.
void TrainPlans::keep_states() {
  for (auto& [name, bytes] : states_) {
    const StoredTensor& tensor = store_.at(name);
    bytes.assign(tensor.data(), tensor.data() + tensor.bytes());
  }
}

void TrainPlans::undo_slices() {
  for (const auto& [name, bytes] : states_) {
    StoredTensor& tensor = store_.at(name);
    std::copy(bytes.begin(), bytes.end(), tensor.data());
    ++tensor.version;
  }
  for (const std::string& name : store_.names("train/accumulated/")) {
    std::ranges::fill(store_.values(name), 0.0f);
  }
}

bool TrainPlans::update(const HostBatch& batch, std::int64_t step, double rate) {
  std::int64_t slices = slices_of(config_, batch.rows);
  std::int64_t rows = batch.rows / slices;
  loss_ = 0;
  for (ReportedTerm& term : terms_) term.value = 0;
  if (slices > 1) {
    for_rows(batch.rows);  // tells what the states are
    keep_states();
  }
  for (std::int64_t s = 0; s < slices; ++s) {
    Plan& p = plan(slices == 1      ? Role::whole
                   : s + 1 < slices ? Role::accumulate
                                    : Role::apply,
                   rows, slices);
    feed(p, batch, s * rows, rows, step, rate);
    if (!p.run_guarded()) {
      non_finite_ = p.non_finite();
      if (s > 0) undo_slices();
      return false;
    }
    collect(p, 1.0 / double(slices));
    if (p.has_output("grad_norm")) grad_norm_ = double(p.scalar("grad_norm"));
  }
  return true;
}

}  // namespace atelier
