// Node store: structure of arrays with a hash table over (op, operands, attributes).
#include "graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "graph/op_table.h"

namespace atelier {

double bits_to_double(std::int64_t bits) { return std::bit_cast<double>(bits); }
std::int64_t double_to_bits(double value) { return std::bit_cast<std::int64_t>(value); }

const Shape& Expr::shape() const { return type().shape; }
DType Expr::dtype() const { return type().dtype; }
const Type& Expr::type() const { return graph->type(value()); }

struct Graph::Impl {
  // Deques: references to nodes and types stay valid while the graph grows.
  std::deque<Node> nodes;
  std::vector<Value> operands;
  std::vector<std::int64_t> attributes;
  std::deque<Type> types;
  std::vector<Where> sites;  // one a node
  std::vector<std::string> scopes{""};
  std::uint32_t scope = 0;
  Where site;  // in place of the builders'; none: line 0
  std::map<std::string, std::uint32_t, std::less<>> scope_index{{"", 0}};
  std::vector<std::string> names;  // of inputs and slots
  std::map<std::string, NodeId, std::less<>> inputs, slots;
  std::vector<NamedValue> outputs;
  std::vector<Update> updates;
  std::vector<Region> regions;
  std::unordered_multimap<std::uint64_t, NodeId> index;

  std::uint64_t hash(Op op, std::span<const Value> in, std::span<const std::int64_t> attrs) const;
  bool same(NodeId id, Op op, std::span<const Value> in, std::span<const std::int64_t> attrs) const;
  NodeId append(Op op, std::span<const Value> in, std::span<const std::int64_t> attrs,
                std::span<const Type> results, Where given);
  Where place(Where given) const { return site.line ? site : given; }
};

std::uint64_t Graph::Impl::hash(Op op, std::span<const Value> in,
                                std::span<const std::int64_t> attrs) const {
  std::uint64_t h = std::uint64_t(op) * 0x9e3779b97f4a7c15u;
  auto mix = [&h](std::uint64_t x) { h = (std::rotl(h, 23) ^ x) * 0xbf58476d1ce4e5b9u; };
  for (Value v : in) mix(std::uint64_t(v.node) << 16 | v.part);
  for (std::int64_t a : attrs) mix(std::uint64_t(a));
  return h;
}

bool Graph::Impl::same(NodeId id, Op op, std::span<const Value> in,
                       std::span<const std::int64_t> attrs) const {
  const Node& n = nodes[id];
  return n.op == op && n.operands == in.size() && n.attributes == attrs.size() &&
         std::equal(in.begin(), in.end(), operands.begin() + n.operand0) &&
         std::equal(attrs.begin(), attrs.end(), attributes.begin() + n.attribute0);
}

NodeId Graph::Impl::append(Op op, std::span<const Value> in, std::span<const std::int64_t> attrs,
                           std::span<const Type> results, Where given) {
  Node node{};
  node.op = op;
  node.parts = std::uint8_t(results.size());
  node.operands = std::uint16_t(in.size());
  node.attributes = std::uint16_t(attrs.size());
  node.operand0 = std::uint32_t(operands.size());
  node.attribute0 = std::uint32_t(attributes.size());
  node.type0 = std::uint32_t(types.size());
  node.site = std::uint32_t(sites.size());
  node.scope = scope;
  operands.insert(operands.end(), in.begin(), in.end());
  attributes.insert(attributes.end(), attrs.begin(), attrs.end());
  types.insert(types.end(), results.begin(), results.end());
  sites.push_back(place(given));
  nodes.push_back(node);
  return NodeId(nodes.size() - 1);
}

Graph::Graph() : impl_(std::make_unique<Impl>()) {}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

namespace {

void require_elements(const Type& t) {
  for (std::int32_t extent : t.shape.axes()) {
    if (extent < 1) throw std::invalid_argument("an axis has no elements in " + to_string(t));
  }
}

// Not max: on ties its slope goes to the first operand, and a NaN passes only from there.
bool commutative(Op op) { return op == Op::add || op == Op::mul || op == Op::equal; }

}  // namespace

void Graph::refuse(std::string_view what, std::string_view reason, std::span<const Expr> operands,
                   Where site) const {
  std::string text(what);
  const std::string& scope = impl_->scopes[impl_->scope];
  if (!scope.empty()) text += " " + scope;
  text += fmt::format(": {}", reason);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    text += (i ? ", " : "; ") + (operands[i] ? to_string(operands[i].type()) : "absent");
  }
  throw ShapeError(text + fmt::format(" ({})", to_string(impl_->place(site))));
}

Expr Graph::put(Op op, std::span<const Expr> operands, std::span<const std::int64_t> attributes,
                Where site) {
  Impl& g = *impl_;
  std::vector<Value> in;
  in.reserve(operands.size());
  for (const Expr& e : operands) {
    if (!e) refuse(name(op), "an operand is absent", operands, site);
    if (e.graph != this) refuse(name(op), "an operand belongs to another graph", operands, site);
    in.push_back(e.value());
  }
  if (commutative(op) && in.size() == 2 && in[1].node < in[0].node) std::swap(in[0], in[1]);
  std::uint64_t h = g.hash(op, in, attributes);
  if (op != Op::after) {
    auto [first, last] = g.index.equal_range(h);
    for (auto it = first; it != last; ++it) {
      if (g.same(it->second, op, in, attributes)) return {this, it->second, 0};
    }
  }
  const OpRow& r = row(op);
  std::vector<Type> in_types, results;
  in_types.reserve(operands.size());
  for (const Expr& e : operands) in_types.push_back(e.type());
  try {
    if (int(in.size()) < r.min_operands || int(in.size()) > r.max_operands) {
      throw std::invalid_argument(fmt::format("{} operands given", in.size()));
    }
    results = r.types({op, in_types, attributes, {}});
    for (const Type& t : results) require_elements(t);
  } catch (const std::exception& error) {
    refuse(name(op), error.what(), operands, site);
  }
  NodeId id = g.append(op, in, attributes, results, site);
  if (op != Op::after) g.index.emplace(h, id);
  return {this, id, 0};
}

namespace {
[[noreturn]] void leaf_conflict(Op op, std::string_view leaf, const Type& now, Where site,
                                const Type& before, Where first) {
  throw ShapeError(fmt::format("{} '{}': {} ({}), but it is {} ({})", name(op), leaf,
                               to_string(now), to_string(site), to_string(before),
                               to_string(first)));
}
}  // namespace

Expr Graph::leaf(Op op, std::string_view label, const Type& wanted, Where site) {
  Impl& g = *impl_;
  auto& known = op == Op::input ? g.inputs : g.slots;
  if (auto found = known.find(label); found != known.end()) {
    const Type& before = type({found->second, 0});
    if (before != wanted) {
      leaf_conflict(op, label, wanted, g.place(site), before, this->site(found->second));
    }
    return {this, found->second, 0};
  }
  try {
    require_elements(wanted);
  } catch (const std::exception& error) {
    refuse(name(op), fmt::format("'{}': {}", label, error.what()), {}, site);
  }
  std::int64_t attribute = std::int64_t(g.names.size());
  g.names.emplace_back(label);
  NodeId id = g.append(op, {}, {&attribute, 1}, {&wanted, 1}, site);
  known.emplace(std::string(label), id);
  return {this, id, 0};
}

Expr Graph::input(std::string_view label, DType dtype, Shape shape, Where site) {
  return leaf(Op::input, label, {dtype, shape}, site);
}
Expr Graph::slot(std::string_view label, Type wanted, Where site) {
  return leaf(Op::slot, label, wanted, site);
}

Expr Graph::constant(double value, DType dtype, Where site) {
  std::int64_t attributes[] = {double_to_bits(value), std::int64_t(dtype)};
  return put(Op::constant, {}, attributes, site);
}

void Graph::require_own(std::string_view what, std::span<const Expr> operands, Where site) const {
  for (const Expr& e : operands) {
    if (!e) refuse(what, "the expression is absent", operands, site);
    if (e.graph != this) refuse(what, "the expression is of another graph", operands, site);
  }
}

void Graph::output(std::string_view label, Expr e, Where site) {
  std::string what = fmt::format("output '{}'", label);
  require_own(what, {&e, 1}, site);
  for (const NamedValue& o : impl_->outputs) {
    if (o.name != label) continue;
    Expr both[] = {expr(o.value), e};
    refuse(what, "is named twice", both, site);
  }
  impl_->outputs.push_back({std::string(label), e.value()});
}

void Graph::update(Expr slot, Expr next, Where site) {
  Expr both[] = {slot, next};
  require_own("update", both, site);
  if (node(slot.node).op != Op::slot) {
    refuse("update", fmt::format("{} is no slot", name(node(slot.node).op)), both, site);
  }
  std::string what = fmt::format("update of slot '{}'", name_of(slot.node));
  if (slot.type() != next.type()) refuse(what, "the next value has another type", both, site);
  for (const Update& u : impl_->updates) {
    if (u.slot != slot.value()) continue;
    refuse(what, fmt::format("it is updated already at {}", to_string(u.site)), both, site);
  }
  impl_->updates.push_back({slot.value(), next.value(), impl_->place(site)});
}

std::string Graph::set_scope(std::string path) {
  Impl& g = *impl_;
  std::string former = g.scopes[g.scope];
  auto [it, fresh] = g.scope_index.try_emplace(path, std::uint32_t(g.scopes.size()));
  if (fresh) g.scopes.push_back(std::move(path));
  g.scope = it->second;
  return former;
}

Where Graph::set_site(Where site) { return std::exchange(impl_->site, site); }

NodeId Graph::size() const { return NodeId(impl_->nodes.size()); }
const Node& Graph::node(NodeId id) const { return impl_->nodes[id]; }
std::span<const Value> Graph::operands(NodeId id) const {
  const Node& n = node(id);
  return {impl_->operands.data() + n.operand0, n.operands};
}
std::span<const std::int64_t> Graph::attributes(NodeId id) const {
  const Node& n = node(id);
  return {impl_->attributes.data() + n.attribute0, n.attributes};
}
const Type& Graph::type(Value value) const {
  return impl_->types[node(value.node).type0 + value.part];
}
Where Graph::site(NodeId id) const { return impl_->sites[node(id).site]; }
const std::string& Graph::scope(NodeId id) const { return impl_->scopes[node(id).scope]; }
const std::string& Graph::name_of(NodeId leaf) const {
  return impl_->names[std::size_t(attributes(leaf)[0])];
}
const std::vector<NamedValue>& Graph::outputs() const { return impl_->outputs; }
const std::vector<Update>& Graph::updates() const { return impl_->updates; }
void Graph::add_region(Region region) { impl_->regions.push_back(region); }
const std::vector<Region>& Graph::regions() const { return impl_->regions; }

}  // namespace atelier
