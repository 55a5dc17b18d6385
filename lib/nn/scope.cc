// Scope: names, lazily made tensors, and the noise streams of a graph.
#include "nn/scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/random.h"
#include "graph/builders.h"

namespace atelier {

// Common to all scopes of one root, and to what reading() and frozen() derive from it.
struct Scope::Shared {
  struct Param {
    std::string name;
    Expr slot;
  };
  std::vector<Param> params;
  std::vector<StateUpdate> updates;
  std::map<std::string, std::string, std::less<>> state_names;  // slot name -> path
  std::map<std::string, Bounds, std::less<>> bounds;            // of parameters, by name
};

namespace {

std::string joined(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

// "a.b" lies under "a" and under "", but "ab" not under "a".
bool lies_under(std::string_view name, std::string_view path) {
  if (path.empty()) return true;
  return name.starts_with(path) && name.size() > path.size() && name[path.size()] == '.';
}

void require_type(const StoredTensor& tensor, const Type& type, Where where) {
  if (tensor.type == type) return;
  throw ShapeError(fmt::format("parameter '{}': expected {}, the store holds {} ({})", tensor.name,
                               to_string(type), to_string(tensor.type), to_string(where)));
}

void require_noise(const Noise& noise, const std::string& name, Where where) {
  if (noise.ids && noise.clock) return;
  throw ShapeError(fmt::format("noise '{}': this graph has no inputs for ids and clock ({})", name,
                               to_string(where)));
}

}  // namespace

Noise noise_inputs(Graph& graph, std::int64_t rows, Where where) {
  return {graph.input("ids", DType::i32, {rows}, where),
          graph.input("clock", DType::i32, {3}, where)};
}

Scope::Scope(Graph& graph, Store& store, Mode mode, Noise noise)
    : graph_(&graph),
      store_(&store),
      mode_(mode),
      noise_(noise),
      shared_(std::make_shared<Shared>()) {}

Scope Scope::operator/(std::string_view child) const {
  Scope result = *this;
  result.path_ = joined(path_, child);
  return result;
}
Scope Scope::operator/(int child) const { return *this / std::to_string(child); }

Expr Scope::param(std::string_view name, Shape shape, const Init& init, Where where) const {
  Type type{DType::f32, shape};
  std::string full = joined(path_, name);
  if (!store_->has(full)) {
    StoredTensor& tensor = store_->create(full, type);
    init({reinterpret_cast<float*>(tensor.data()), std::size_t(shape.count())}, shape,
         store_->seed(), stream_of(full));
    ++tensor.version;
  }
  require_type(store_->at(full), type, where);
  std::string from = store_prefix_ + full;
  if (!store_->has(from)) from = full;
  require_type(store_->at(from), type, where);
  Within within(*this, where);
  Expr slot = graph_->slot(from, type, where);
  auto& params = shared_->params;
  bool known =
      std::any_of(params.begin(), params.end(), [&](const auto& p) { return p.slot == slot; });
  if (!known) params.push_back({full, slot});
  if (!values_) return slot;
  auto value = values_->find(full);
  if (value == values_->end()) return slot;
  if (value->second.type() != type) {
    graph_->refuse("with", fmt::format("'{}' is {}", full, to_string(type)), {&value->second, 1},
                   where);
  }
  return value->second;
}

Expr Scope::state(std::string_view name, Shape shape, double start, Where where) const {
  Type type{DType::f32, shape};
  std::string full = joined(path_, name);
  if (!store_->has(full)) {
    store_->create(full, type);
    std::ranges::fill(store_->values(full), float(start));
  }
  require_type(store_->at(full), type, where);
  std::string from = store_prefix_ + full;
  if (!store_->has(from)) from = full;
  require_type(store_->at(from), type, where);
  shared_->state_names[from] = full;
  return graph_->slot(from, type, where);
}

void Scope::update(Expr state, Expr next, Where where) const {
  if (!training() || frozen_) return;
  Expr both[] = {state, next};
  builders::graph_of("update", both, where);
  auto found = graph_->node(state.node).op == Op::slot
                   ? shared_->state_names.find(graph_->name_of(state.node))
                   : shared_->state_names.end();
  if (found == shared_->state_names.end()) {
    graph_->refuse("update", "this is no state of the scope", both, where);
  }
  if (!store_prefix_.empty() && found->first == found->second) return;
  graph_->update(state, next, where);
  shared_->updates.push_back({found->second, state, next});
}

Expr Scope::table(std::string_view name, Shape shape, std::span<const double> values,
                  Where where) const {
  Type type{DType::f32, shape};
  std::string full = std::string(kTablePrefix) + joined(path_, name);
  auto refuse = [&](const char* reason) {
    throw ShapeError(fmt::format("table '{}': {} ({})", full, reason, to_string(where)));
  };
  if (std::int64_t(values.size()) != shape.count())
    refuse("as many values as the shape has are needed");
  if (!store_->has(full)) {
    store_->create(full, type);
    std::ranges::transform(values, store_->values(full).begin(), [](double v) { return float(v); });
  }
  require_type(store_->at(full), type, where);
  const Store& kept = *store_;
  bool same =
      std::ranges::equal(kept.values(full), values, {}, {}, [](double v) { return float(v); });
  if (!same) refuse("holds other values already");
  return graph_->slot(full, type, where);
}

void Scope::keep_within(Expr param, double low, double high) const {
  auto found = std::ranges::find(shared_->params, param, &Shared::Param::slot);
  if (found == shared_->params.end() && values_) {
    auto value = std::ranges::find_if(*values_, [&](const auto& v) { return v.second == param; });
    if (value != values_->end())
      found = std::ranges::find(shared_->params, value->first, &Shared::Param::name);
  }
  if (found == shared_->params.end())
    graph_->refuse("keep_within", "this is no parameter of the scope", {&param, 1}, {});
  shared_->bounds[found->name] = {low, high};
}

Scope::Bounds Scope::bounds(const std::string& name) const {
  auto found = shared_->bounds.find(name);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return found == shared_->bounds.end() ? Bounds{-kInfinity, kInfinity} : found->second;
}

Expr Scope::uniform(std::string_view name, Shape shape, Where where) const {
  std::string full = joined(path_, name);
  require_noise(noise_, full, where);
  Within within(*this, where);
  return random(noise_.ids, noise_.clock, shape, stream_of(full), where);
}

Expr Scope::normal(std::string_view name, Shape shape, Where where) const {
  std::string full = joined(path_, name);
  require_noise(noise_, full, where);
  Within within(*this, where);
  return atelier::normal(noise_.ids, noise_.clock, shape, stream_of(full), where);
}

std::vector<Expr> Scope::params() const {
  std::vector<Expr> result;
  for (const auto& p : shared_->params) {
    if (lies_under(p.name, path_)) result.push_back(p.slot);
  }
  return result;
}

std::vector<std::string> Scope::param_names() const {
  std::vector<std::string> result;
  for (const auto& p : shared_->params) {
    if (lies_under(p.name, path_)) result.push_back(p.name);
  }
  return result;
}

std::vector<Scope::StateUpdate> Scope::state_updates() const {
  std::vector<StateUpdate> result;
  for (const StateUpdate& u : shared_->updates) {
    if (lies_under(u.name, path_)) result.push_back(u);
  }
  return result;
}

Scope Scope::frozen() const {
  Scope result = *this;
  result.frozen_ = true;
  return result;
}

Scope Scope::reading(std::string_view store_prefix) const {
  Scope result = *this;
  result.store_prefix_ = store_prefix;
  return result;
}

Scope Scope::settling(Expr share) const {
  Scope result = *this;
  result.share_ = share;
  return result;
}

Expr Scope::momentum(double of_layer) const { return share_ ? share_ : graph_->constant(of_layer); }

Scope Scope::with(std::map<std::string, Expr> values) const {
  Scope result = *this;
  result.values_ = std::make_shared<const std::map<std::string, Expr>>(std::move(values));
  return result;
}

std::vector<Expr> Scope::replaced() const {
  std::vector<Expr> result;
  if (!values_) return result;
  for (const auto& [name, value] : *values_) {
    if (lies_under(name, path_)) result.push_back(value);
  }
  return result;
}

}  // namespace atelier
