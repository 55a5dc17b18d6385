// Graphs of one update.
#include "train/train_graphs.h"

#include "nn/optimizers.h"
#include "train/train_plans.h"

namespace atelier {
namespace {

Expr norm_of(std::span<const Expr> grads) { return reshape(global_norm(grads), {}); }

OptimizerArgs optimizer_args(const TrainConfig& config, const TrainedPlayer* player) {
  OptimizerArgs args;
  args.adam = config.adam_args();
  args.max_grad_norm = config.max_grad_norm;
  args.report_norm = true;
  if (!player || player->averaged) args.emas = parse_decays(config.ema_decay);
  if (player) {
    args.adam = player->adam;
    args.bias_correction = player->bias_correction;
  }
  return args;
}

Expr rate_of(Graph& graph, const TrainedPlayer* player) {
  Expr rate = graph.input("rate", DType::f32, {});
  return player && player->rate_factor != 1 ? player->rate_factor * rate : rate;
}

const TrainedPlayer* player_of(const Task& task, int index) {
  return index < 0 ? nullptr : &task.players[std::size_t(index)];
}

}  // namespace

Scope TrainPlans::part(const Scope& root) const {
  const TrainedPlayer* player = player_of(task_, player_);
  return player ? root / player->name : root;
}

Objective TrainPlans::objective(const Scope& root, const Batch& batch) {
  const TrainedPlayer* player = player_of(task_, player_);
  if (!player) return task_.objective(root, batch);
  if (player->look_ahead == 0) return player->objective(root, batch);
  const TrainedPlayer* before = player_of(task_, player_ - 1);
  auto values = look_ahead(
      root, before->name, [&](const Scope& scope) { return before->objective(scope, batch); },
      rate_of(root.graph(), before), optimizer_args(config_, before), player->look_ahead);
  return player->objective(root.with(std::move(values)), batch);
}

// Later plans differ in rows alone; one that is made between two micro-batches finds sums here.
void TrainPlans::name_terms(const Objective& objective) {
  unit_ = objective.unit;
  if (!terms_.empty()) return;
  for (const Term& term : objective.terms)
    terms_.push_back({term.name, term.unit, 0, term.role, 0});
}

// What a graph reports of the objective.
void TrainPlans::report(Graph& graph, const Objective& objective) {
  name_terms(objective);
  for (const Term& term : objective.terms) {
    graph.output("term." + term.name, reshape(mean(term.weighed()), {}));
    if (term.weight) graph.output("weight." + term.name, reshape(mean(term.weight), {}));
  }
  graph.output("loss", reshape(objective.loss, {}));
}

// The update itself; `guard` is looked at before anything is written.
void TrainPlans::apply(Graph& graph, const Scope& root, std::span<const Expr> grads, Expr loss) {
  const TrainedPlayer* player = player_of(task_, player_);
  Expr rate = rate_of(graph, player);
  // Before the updates, so that it is known when the first of them is to be written.
  graph.output("guard", loss ? loss + norm_of(grads) : norm_of(grads));
  OptimizerResult result =
      apply_optimizer(part(root), grads, rate, optimizer_args(config_, player));
  graph.output("grad_norm", reshape(result.grad_norm, {}));
}

// Micro-batches of a loss that is a mean over rows.
void TrainPlans::build_rows(Graph& graph, const Scope& root, const Batch& batch, Role role,
                            std::int64_t slices) {
  Objective objective = this->objective(root, batch);
  report(graph, objective);
  Scope trained = part(root);
  std::vector<Expr> grads = gradient(objective.loss, trained.params());
  Expr loss = reshape(objective.loss, {});
  if (role == Role::accumulate) {
    graph.output("guard", loss + norm_of(grads));
    accumulate_gradients(trained, grads);
    return;
  }
  if (role == Role::apply) grads = accumulated_mean(trained, grads, int(slices));
  apply(graph, root, grads, loss);
}

// The loss over features that are given, its gradients in them and in parameters of its own.
void TrainPlans::build_contrast(Graph& graph, const Scope& root, const Batch& batch,
                                std::int64_t rows) {
  std::vector<Expr> features;
  for (std::size_t i = 0; i < feature_rows_.size(); ++i)
    features.push_back(graph.input(feature_name(i), DType::f32, feature_rows_[i].insert(0, rows)));
  Objective objective =
      task_.contrast(root, features, {.image = {}, .label = batch.label, .step = batch.step});
  report(graph, objective);
  std::vector<Expr> own = root.params(), wrt = own;
  wrt.insert(wrt.end(), features.begin(), features.end());
  std::vector<Expr> grads = gradient(objective.loss, wrt);
  graph.output("guard", reshape(objective.loss, {}) + norm_of(grads));
  for (std::size_t i = 0; i < features.size(); ++i)
    graph.output(slope_name(i), grads[own.size() + i]);
  if (!own.empty()) accumulate_gradients(root, std::span(grads).first(own.size()));
}

// A slice: features = f(rows), forward; or the gradient of sum(features slopes), which is that of
// the loss in the weights as far as it comes by these rows.
void TrainPlans::build_slice(Graph& graph, const Scope& root, const Batch& batch, Role role) {
  bool forward = role == Role::features;
  // Running statistics move once, when the slice is run for its gradients.
  std::vector<Expr> features = task_.features(forward ? root.frozen() : root, batch);
  feature_rows_.clear();
  Expr total;
  for (std::size_t i = 0; i < features.size(); ++i) {
    feature_rows_.push_back(features[i].shape().drop(0));
    if (forward) graph.output(feature_name(i), features[i]);
    Expr part = forward ? features[i]
                        : features[i] * graph.input(slope_name(i), DType::f32, features[i].shape());
    Expr sum_of_part = reshape(sum(part), {});
    total = total ? total + sum_of_part : sum_of_part;
  }
  if (forward) {
    graph.output("guard", total);
    return;
  }
  if (role == Role::finish) {
    // Mentions its parameters, whose gradients lie in the sums already; nothing of it is run.
    name_terms(task_.contrast(root, features, batch));
  }
  std::vector<Expr> grads = gradient(total, root.params());
  if (role == Role::backward) {
    graph.output("guard", norm_of(grads));
    accumulate_gradients(root, grads);
  } else {
    apply(graph, root, accumulated_mean(root, grads, 1), {});
  }
}

Plan& TrainPlans::plan(Role role, std::int64_t rows, std::int64_t slices) {
  auto& slot = plans_[{int(role), rows, slices}];
  if (slot) return *slot;
  Graph graph;
  GraphInputs in = graph_inputs(graph, data_, rows, context_length_);
  Scope root(graph, store_, Mode::train, in.noise);
  in.batch.step = optimizer_step(task_.players.empty() ? root : root / task_.players.back().name);
  switch (role) {
    case Role::contrast:
      build_contrast(graph, root, in.batch, rows);
      break;
    case Role::features:
    case Role::backward:
    case Role::finish:
      build_slice(graph, root, in.batch, role);
      break;
    default:
      build_rows(graph, root, in.batch, role, slices);
  }
  bool all = role != Role::contrast && role != Role::features && role != Role::backward;
  if (all) {
    for (const Scope::StateUpdate& state : root.state_updates()) states_[state.name];
    parameters_ = 0;
    for (const Expr& p : part(root).params()) parameters_ += p.shape().count();
    for (NodeId id = 0; id < graph.size(); ++id) {
      if (graph.node(id).op != Op::slot) continue;
      const std::string& name = graph.name_of(id);
      if (name.find('/') == name.npos) tensors_.insert(name);
    }
  }
  for (const Update& update : graph.updates()) written_.insert(graph.name_of(update.slot.node));
  slot = std::make_unique<Plan>(graph, store_, PlanOptions{.guard = "guard"}, workspace_);
  return *slot;
}

}  // namespace atelier
