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
Expr bias_correction(const OptimizerArgs& args, double beta, Expr step, Where where) {
  if (beta == 0 || !args.bias_correction) return step.graph->constant(1);
  return one_minus_exp_of_minus(-std::log(beta) * step, where);
}

// What one update needs beside a parameter, its moments and its gradient.
struct Pace {
  Expr c1, c2, scale;  // bias corrections; factor of the gradients, which clips them
  Expr norm;           // of the gradients; absent unless it is wanted
};
Pace pace_of(std::span<const Expr> grads, Expr step, const OptimizerArgs& args, Where where) {
  Pace pace{bias_correction(args, args.adam.beta1, step, where),
            bias_correction(args, args.adam.beta2, step, where),
            step.graph->constant(1),
            {}};
  if (args.max_grad_norm > 0 || args.report_norm) pace.norm = global_norm(grads, where);
  if (args.max_grad_norm > 0) pace.scale = min(args.max_grad_norm / (pace.norm + 1e-6), 1.0);
  return pace;
}

AdamArgs adam_args(const OptimizerArgs& args, const Type& type) {
  AdamArgs result = args.adam;
  if (type.shape.rank() <= 1) result.weight_decay = 0;
  return result;
}

struct Moments {
  Expr m, v;
};
Moments moments_of(const Scope& part, const std::string& name, const Type& type, Where where) {
  return {slot_beside(part, "optimizer/exp_avg/" + name, type, "", where),
          slot_beside(part, "optimizer/exp_avg_sq/" + name, type, "", where)};
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

Expr optimizer_step(const Scope& part, Where where) {
  std::string name(kStep);
  if (!part.path().empty()) name += "/" + part.path();
  return slot_beside(part, name, {DType::f32, {}}, "", where);
}

OptimizerResult apply_optimizer(const Scope& part, std::span<const Expr> grads, Expr rate,
                                const OptimizerArgs& args, Where where) {
  Graph& graph = part.graph();
  std::vector<Expr> params = part.params();
  std::vector<std::string> names = part.param_names();
  require_one_each(part, "apply_optimizer", grads, where);
  At at(graph, where);

  Expr before = optimizer_step(part, where);
  Expr step = before + 1.0;
  graph.update(before, step, where);
  Pace pace = pace_of(grads, step, args, where);
  std::vector<Expr> keeps = keeps_of(args, step);

  for (std::size_t i = 0; i < params.size(); ++i) {
    const Type& type = params[i].type();
    std::string from = graph.name_of(params[i].node);
    auto [m, v] = moments_of(part, names[i], type, where);
    std::vector<Expr> averages;
    for (std::size_t k = 0; k < keeps.size(); ++k) {
      averages.push_back(slot_beside(part, ema_prefix(int(k)) + names[i], type, from, where));
    }
    AdamResult next = adam(params[i], m, v, grads[i], rate, pace.c1, pace.c2, pace.scale, averages,
                           keeps, adam_args(args, type), where);
    graph.update(params[i], bounded(part, names[i], next.p, where), where);
    graph.update(m, next.m, where);
    graph.update(v, next.v, where);
    for (std::size_t k = 0; k < keeps.size(); ++k) {
      graph.update(averages[k], bounded(part, names[i], next.averages[k], where), where);
    }
  }
  return {pace.norm, step};
}

std::map<std::string, Expr> look_ahead(const Scope& root, const std::string& part,
                                       const std::function<Objective(const Scope& root)>& objective,
                                       Expr rate, const OptimizerArgs& args, std::int64_t updates,
                                       Where where) {
  std::map<std::string, Expr> values;
  std::map<std::string, Moments> moments;
  Scope own = root / part;
  Expr step = optimizer_step(own, where);
  for (std::int64_t update = 0; update < updates; ++update) {
    Expr loss = objective(root.frozen().with(values)).loss;
    std::vector<Expr> slots = own.params();
    std::vector<std::string> names = own.param_names();
    for (std::size_t i = 0; i < slots.size(); ++i) {  // all are mentioned by the first objective
      if (values.emplace(names[i], slots[i]).second)
        moments[names[i]] = moments_of(own, names[i], slots[i].type(), where);
    }
    std::vector<Expr> params;
    for (const std::string& name : names) params.push_back(values.at(name));
    std::vector<Expr> grads = gradient(loss, params, where);
    step = step + 1.0;
    Pace pace = pace_of(grads, step, args, where);
    for (std::size_t i = 0; i < params.size(); ++i) {
      auto& [m, v] = moments.at(names[i]);
      AdamResult next = adam(params[i], m, v, grads[i], rate, pace.c1, pace.c2, pace.scale, {}, {},
                             adam_args(args, params[i].type()), where);
      values[names[i]] = bounded(root, names[i], next.p, where);
      m = next.m;
      v = next.v;
    }
  }
  return values;
}

namespace {
Expr accumulated(const Scope& root, const std::string& name, const Type& type, Where where) {
  return slot_beside(root, "train/accumulated/" + name, type, "", where);
}
}  // namespace

void accumulate_gradients(const Scope& part, std::span<const Expr> grads, Where where) {
  std::vector<Expr> params = part.params();
  std::vector<std::string> names = part.param_names();
  require_one_each(part, "accumulate_gradients", grads, where);
  At at(part.graph(), where);
  for (std::size_t i = 0; i < params.size(); ++i) {
    Expr sum_so_far = accumulated(part, names[i], params[i].type(), where);
    part.graph().update(sum_so_far, sum_so_far + grads[i], where);
  }
}

std::vector<Expr> accumulated_mean(const Scope& part, std::span<const Expr> grads, int k,
                                   Where where) {
  std::vector<Expr> params = part.params();
  std::vector<std::string> names = part.param_names();
  require_one_each(part, "accumulated_mean", grads, where);
  At at(part.graph(), where);
  std::vector<Expr> means;
  for (std::size_t i = 0; i < params.size(); ++i) {
    Expr sum_so_far = accumulated(part, names[i], params[i].type(), where);
    means.push_back((sum_so_far + grads[i]) * (1.0 / k));
    Expr zero = broadcast(part.graph().constant(0), params[i].shape(), where);
    part.graph().update(sum_so_far, zero, where);
  }
  return means;
}

}  // namespace atelier
