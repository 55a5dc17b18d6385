// Adam with clipping, averages and accumulation as graph updates.
#include "nn/optimizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/builders.h"

namespace atelier {
namespace {

constexpr std::string_view kStep = "optimizer/step";

// A slot beside the model: zero, or a copy of `like`, when it is first mentioned.
Expr slot_beside(const Scope& root, const std::string& name, const Type& type,
                 const std::string& like, Where where) {
  Store& store = root.store();
  if (!store.has(name)) {
    StoredTensor& tensor = store.create(name, type);
    if (!like.empty()) std::memcpy(tensor.data(), store.at(like).data(), tensor.bytes());
    ++tensor.version;
  }
  if (store.at(name).type != type) {
    throw ShapeError(fmt::format("'{}': expected {}, the store holds {} ({})", name,
                                 to_string(type), to_string(store.at(name).type),
                                 to_string(where)));
  }
  return root.graph().slot(name, type, where);
}

void require_one_each(const Scope& root, std::string_view what, std::span<const Expr> grads,
                      Where where) {
  std::vector<Expr> params = root.params();
  if (params.size() == grads.size()) return;
  root.graph().refuse(what,
                      fmt::format("{} gradients for {} parameters", grads.size(), params.size()),
                      grads, where);
}

// 1 - e^(-y) for y >= 0 without the cancellation that f32 would suffer for small y.
Expr one_minus_exp_of_minus(Expr y, Where where) {
  Expr t = tanh(0.5 * y, where);
  return 2.0 * t / (1.0 + t);
}

// 1 - beta^t, Adam's bias correction.
Expr bias_correction(double beta, Expr step, Where where) {
  if (beta == 0) return step.graph->constant(1);
  return one_minus_exp_of_minus(-std::log(beta) * step, where);
}

std::vector<Expr> keeps_of(const OptimizerArgs& args, Expr step) {
  std::vector<Expr> keeps;
  for (double decay : args.emas) {
    if (!(decay >= 0 && decay < 1)) {
      throw UsageError(
          fmt::format("average: expected a decay of at least 0 and below 1, found {}", decay));
    }
    keeps.push_back(min((1.0 + step) / (10.0 + step), decay));
  }
  return keeps;
}

// `value` within what the model says of the parameter `name`.
Expr bounded(const Scope& root, const std::string& name, Expr value, Where where) {
  Scope::Bounds bounds = root.bounds(name);
  if (std::isfinite(bounds.low)) value = max(value, Operand(bounds.low, where));
  if (std::isfinite(bounds.high)) value = min(value, Operand(bounds.high, where));
  return value;
}

void average_states(const Scope& root, std::span<const Expr> keeps, Where where) {
  Graph& graph = root.graph();
  for (const Scope::StateUpdate& state : root.state_updates()) {
    for (std::size_t i = 0; i < keeps.size(); ++i) {
      std::string name = ema_prefix(int(i)) + state.name;
      Expr average =
          slot_beside(root, name, state.slot.type(), graph.name_of(state.slot.node), where);
      graph.update(average, average + (1.0 - keeps[i]) * (state.next - average), where);
    }
  }
}

}  // namespace

std::string ema_prefix(int index) { return fmt::format("ema{}/", index); }

int count_emas(const Store& store) {
  int count = 0;
  while (!store.names(ema_prefix(count)).empty()) ++count;
  return count;
}

Expr global_norm(std::span<const Expr> values, Where where) {
  At at(builders::graph_of("global_norm", values, where), where);
  Expr total;
  for (Expr value : values) {
    Expr squares = reshape(sum(square(value, where), {}, where), {}, where);
    total = total ? total + squares : squares;
  }
  return sqrt(total, where);
}

Expr optimizer_step(const Scope& root, Where where) {
  return slot_beside(root, std::string(kStep), {DType::f32, {}}, "", where);
}

OptimizerResult apply_optimizer(const Scope& root, std::span<const Expr> grads, Expr rate,
                                const OptimizerArgs& args, Where where) {
  Graph& graph = root.graph();
  std::vector<Expr> params = root.params();
  std::vector<std::string> names = root.param_names();
  require_one_each(root, "apply_optimizer", grads, where);
  At at(graph, where);

  Expr before = optimizer_step(root, where);
  OptimizerResult result{{}, before + 1.0};
  graph.update(before, result.step, where);
  Expr c1 = bias_correction(args.adam.beta1, result.step, where);
  Expr c2 = bias_correction(args.adam.beta2, result.step, where);
  Expr scale = graph.constant(1);
  if (args.max_grad_norm > 0 || args.report_norm) result.grad_norm = global_norm(grads, where);
  if (args.max_grad_norm > 0) {
    scale = min(args.max_grad_norm / (result.grad_norm + 1e-6), 1.0);
  }
  std::vector<Expr> keeps = keeps_of(args, result.step);

  for (std::size_t i = 0; i < params.size(); ++i) {
    const Type& type = params[i].type();
    std::string from = graph.name_of(params[i].node);
    Expr m = slot_beside(root, "optimizer/exp_avg/" + names[i], type, "", where);
    Expr v = slot_beside(root, "optimizer/exp_avg_sq/" + names[i], type, "", where);
    std::vector<Expr> averages;
    for (std::size_t k = 0; k < keeps.size(); ++k) {
      averages.push_back(slot_beside(root, ema_prefix(int(k)) + names[i], type, from, where));
    }
    AdamArgs adam_args = args.adam;
    if (type.shape.rank() <= 1) adam_args.weight_decay = 0;
    AdamResult next =
        adam(params[i], m, v, grads[i], rate, c1, c2, scale, averages, keeps, adam_args, where);
    graph.update(params[i], bounded(root, names[i], next.p, where), where);
    graph.update(m, next.m, where);
    graph.update(v, next.v, where);
    for (std::size_t k = 0; k < keeps.size(); ++k) {
      graph.update(averages[k], bounded(root, names[i], next.averages[k], where), where);
    }
  }
  average_states(root, keeps, where);
  return result;
}

namespace {
Expr accumulated(const Scope& root, const std::string& name, const Type& type, Where where) {
  return slot_beside(root, "train/accumulated/" + name, type, "", where);
}
}  // namespace

void accumulate_gradients(const Scope& root, std::span<const Expr> grads, Where where) {
  std::vector<Expr> params = root.params();
  std::vector<std::string> names = root.param_names();
  require_one_each(root, "accumulate_gradients", grads, where);
  At at(root.graph(), where);
  for (std::size_t i = 0; i < params.size(); ++i) {
    Expr sum_so_far = accumulated(root, names[i], params[i].type(), where);
    root.graph().update(sum_so_far, sum_so_far + grads[i], where);
  }
}

std::vector<Expr> accumulated_mean(const Scope& root, std::span<const Expr> grads, int k,
                                   Where where) {
  std::vector<Expr> params = root.params();
  std::vector<std::string> names = root.param_names();
  require_one_each(root, "accumulated_mean", grads, where);
  At at(root.graph(), where);
  std::vector<Expr> means;
  for (std::size_t i = 0; i < params.size(); ++i) {
    Expr sum_so_far = accumulated(root, names[i], params[i].type(), where);
    means.push_back((sum_so_far + grads[i]) * (1.0 / k));
    Expr zero = broadcast(root.graph().constant(0), params[i].shape(), where);
    root.graph().update(sum_so_far, zero, where);
  }
  return means;
}

}  // namespace atelier
