// Scope: a name prefix inside a (graph, store) pair, through which models declare parameters,
// state and noise.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ops.h"
#include "tensor/store.h"

namespace atelier {

enum class Mode { train, eval };

// Fills a new parameter; `stream` identifies it (see base/random.h).
using Init = std::function<void(std::span<float> values, const Shape& shape, std::uint64_t seed,
                                std::uint64_t stream)>;

// Everything random in a graph reads these two inputs: ids (i32 [N], the identity of each row; see
// ruling on random numbers) and clock (i32 [3]: seed low, seed high, step).
struct Noise {
  Expr ids, clock;
};

// The inputs "ids" i32 [rows] and "clock" i32 [3] of a graph.
Noise noise_inputs(Graph& graph, std::int64_t rows, Where = Where::here());

// Cheap to copy; names join with '.'. Parameters live in the store as "<name>"; layers call
// param(), models call layers.
class Scope {
 public:
  Scope(Graph& graph, Store& store, Mode mode, Noise noise = {});

  Scope operator/(std::string_view child) const;
  Scope operator/(int child) const;

  // A trained tensor. Created and initialised at its first mention (unless the store has it, then
  // shape and type must match: ShapeError); the same name again is the same tensor.
  Expr param(std::string_view name, Shape shape, const Init& init, Where = Where::here()) const;
  // A tensor that training changes but gradients do not: running averages.
  Expr state(std::string_view name, Shape shape, double start, Where = Where::here()) const;
  // Commits the next value of a state; nothing in eval mode, when frozen, or where a scope that
  // reads an average finds no state of its own there.
  void update(Expr state, Expr next, Where = Where::here()) const;

  // Constants that are too many for the graph, f32 of this shape, row-major: kept in the store as
  // "table/<name>" and in no file. ShapeError if the number of values is not that of the shape, or
  // if the name holds other values already.
  Expr table(std::string_view name, Shape shape, std::span<const double> values,
             Where = Where::here()) const;

  // The optimizer moves a value of `param` beyond these bounds back to them, at the end of each
  // step (CLIP's logit scale; the weights of a Wasserstein critic).
  void keep_within(Expr param, double low, double high) const;
  struct Bounds {
    double low, high;
  };
  // Of a parameter by its name; without bounds, the infinities.
  Bounds bounds(const std::string& name) const;

  // Noise of shape [N, ..], one stream a name; see Noise. Throws ShapeError without noise inputs.
  Expr uniform(std::string_view name, Shape shape, Where = Where::here()) const;
  Expr normal(std::string_view name, Shape shape, Where = Where::here()) const;

  std::vector<Expr> params() const;  // trained slots under this prefix mentioned so far
  std::vector<std::string> param_names() const;
  bool training() const { return mode_ == Mode::train; }
  Mode mode() const { return mode_; }
  Scope frozen() const;  // same tensors, state updates suppressed
  // Reads every parameter and state from another place: an evaluation graph runs on averaged
  // weights with "ema0/", that is on "ema0/<name>" where the store has such a tensor.
  Scope reading(std::string_view store_prefix) const;
  // The same tensors, but running statistics move by `share`, f32 [], towards those of the batch
  // and not by their layer's momentum: by 1, 1/2, 1/3, .. they become means over batches.
  Scope settling(Expr share) const;
  Expr momentum(double of_layer) const;  // f32 []: what they move by
  // Reads the parameters that `values` names from these expressions instead: the network as it
  // would be with other weights, through which gradients flow. ShapeError where the type differs.
  Scope with(std::map<std::string, Expr> values) const;
  std::vector<Expr> replaced() const;  // those expressions, of parameters under this prefix
  // What update() has committed so far under this prefix, in order.
  struct StateUpdate {
    std::string name;
    Expr slot, next;
  };
  std::vector<StateUpdate> state_updates() const;
  const std::string& path() const { return path_; }
  Graph& graph() const { return *graph_; }
  Store& store() const { return *store_; }
  const Noise& noise() const { return noise_; }

 private:
  struct Shared;  // the parameters mentioned so far, common to all scopes of one root
  Graph* graph_;
  Store* store_;
  Mode mode_;
  bool frozen_ = false;
  std::string path_, store_prefix_;
  Noise noise_;
  Expr share_;  // of settling(); absent: none
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<const std::map<std::string, Expr>> values_;  // of with(); null: none
};

// While it lives, nodes of the graph are recorded as belonging to the scope's path and, in a layer,
// to the place that the layer was called at; without one, to the places of their builders.
class Within : public At {
 public:
  explicit Within(const Scope& scope, Where where = {}) : At(scope.graph(), scope.path(), where) {}
};

}  // namespace atelier
