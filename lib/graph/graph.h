// The expression graph: an append-only, hash-consed list of nodes whose ids are a topological
// order, so every algorithm on it is one loop over an array.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tensor/shape.h"

namespace atelier {

class Graph;
enum class Op : std::uint8_t;  // enumerated in ops.h
using NodeId = std::uint32_t;

// One output of one node.
struct Value {
  NodeId node = 0;
  std::uint16_t part = 0;
  friend bool operator==(const Value&, const Value&) = default;
};

// Handle of a value while a graph is being built: 16 bytes, trivially copyable, must not outlive
// its graph. A default Expr is "absent" (false).
struct Expr {
  Graph* graph = nullptr;
  NodeId node = 0;
  std::uint32_t part = 0;

  const Shape& shape() const;
  DType dtype() const;
  const Type& type() const;
  Value value() const { return {node, std::uint16_t(part)}; }
  explicit operator bool() const { return graph != nullptr; }
  friend bool operator==(const Expr&, const Expr&) = default;
};

struct Node {
  Op op;
  std::uint8_t parts;                         // outputs
  std::uint16_t operands, attributes;         // counts
  std::uint32_t operand0, attribute0, type0;  // first of each in the arrays of the graph
  std::uint32_t site, scope;                  // into sites() and scopes()
};

struct NamedValue {
  std::string name;
  Value value;
};
struct Update {
  Value slot, next;
  Where site;
};

// Nodes that checkpoint() recomputes for the backward pass: [first, last].
struct Region {
  NodeId first, last;
};

// Owns the nodes. One thread builds one graph; different graphs are independent (no globals).
class Graph {
 public:
  Graph();
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;

  // ---- building
  // A named leaf that the caller of the plan fills before each run. Same name and type: same node;
  // same name and another type: ShapeError with both sites.
  Expr input(std::string_view name, DType, Shape, Where = Where::here());
  // A named tensor of the Store, as it was at the start of the run.
  Expr slot(std::string_view name, Type, Where = Where::here());
  // A scalar. ShapeError for a number that an integer type does not have.
  Expr constant(double value, DType = DType::f32, Where = Where::here());
  // Names a value that the caller reads after the run.
  void output(std::string_view name, Expr, Where = Where::here());
  // Commits `next` to the slot at the end of the run. Two writers of one slot: ShapeError that
  // names both sites.
  void update(Expr slot, Expr next, Where = Where::here());
  // Adds a node, or finds the equal one. The type rule of the op's row computes the types and
  // throws ShapeError. Builders in ops.h call this; models do not.
  Expr put(Op op, std::span<const Expr> operands, std::span<const std::int64_t> attributes,
           Where = Where::here());
  // Scope path recorded on nodes that are added while it is set; for messages and explain().
  std::string set_scope(std::string path);  // returns the former one
  // Call site of nodes that are added and of refusals while it is set, whatever the builders say;
  // Where{}: theirs again. Returns the former one. See At.
  Where set_site(Where site);

  // Throws the ShapeError of a builder: "conv encoder.down0: <reason>; f32[8,32,32,3],
  // f32[4,4,4,64] (vae.cc:41)", with the scope that is set and the types of the operands
  // ("absent" for an absent one).
  [[noreturn]] void refuse(std::string_view what, std::string_view reason,
                           std::span<const Expr> operands, Where site) const;

  void add_region(Region region);  // called by checkpoint()

  // ---- reading
  NodeId size() const;
  const Node& node(NodeId id) const;
  std::span<const Value> operands(NodeId id) const;
  std::span<const std::int64_t> attributes(NodeId id) const;
  const Type& type(Value value) const;
  Where site(NodeId id) const;
  const std::string& scope(NodeId id) const;
  const std::string& name_of(NodeId input_or_slot) const;
  const std::vector<NamedValue>& outputs() const;
  const std::vector<Update>& updates() const;
  const std::vector<Region>& regions() const;
  Expr expr(Value value) { return {this, value.node, value.part}; }

  // One node a line: "%12 = matmul(%3, %7) f32[64,400]  encoder.hidden  (vae.cc:41)".
  std::string text() const;

 private:
  void require_own(std::string_view what, std::span<const Expr> operands, Where site) const;
  Expr leaf(Op op, std::string_view label, const Type& wanted, Where site);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// While it lives, nodes that are added to the graph belong to one place: what is derived from a
// call (adjoints, decompositions, the inside of a layer) is reported as that call.
class At {
 public:
  At(Graph& graph, Where site) : graph_(graph), site_(graph.set_site(site)) {}
  At(Graph& graph, std::string scope, Where site) : At(graph, site) {
    scope_ = graph.set_scope(std::move(scope));
    scoped_ = true;
  }
  ~At() {
    graph_.set_site(site_);
    if (scoped_) graph_.set_scope(std::move(scope_));
  }
  At(const At&) = delete;
  At& operator=(const At&) = delete;

 private:
  Graph& graph_;
  Where site_;
  bool scoped_ = false;
  std::string scope_;
};

double bits_to_double(std::int64_t bits);
std::int64_t double_to_bits(double value);

}  // namespace atelier
