// Recomputation (Chen et al. 2016, arXiv:1604.06174): the inner values of a function are computed
// again for the backward pass instead of being kept.
#include <map>

#include "graph/builders.h"
#include "graph/ops.h"
#include "graph/sweep.h"

namespace atelier {
namespace {

// A copy of a region's nodes whose operands from outside hang behind an adjoint through `after`,
// so that no pass can merge it with the original or run it early. Parameters and constants stay
// themselves: they live anyway, and what depends on them alone need not be computed twice.
class Clone {
 public:
  Clone(Graph& graph, const Region& region, Expr trigger)
      : g_(graph), region_(region), trigger_(trigger), twins_(region.last - region.first + 1) {
    for (NodeId id = region.first; id <= region.last; ++id) {
      if (g_.node(id).operands > 0) twins_[id - region.first] = copy(id);
    }
  }

  bool inside(Value v) const {
    return v.node >= region_.first && v.node <= region_.last && g_.node(v.node).operands > 0;
  }
  Expr twin(Value v) {
    if (inside(v)) return g_.expr({twins_[v.node - region_.first], v.part});
    Expr& known = outside_[std::uint64_t(v.node) << 16 | v.part];
    if (!known) known = lives_anyway(v.node) ? g_.expr(v) : after(g_.expr(v), trigger_);
    return known;
  }
  // Values from outside and their twins, in order of the former.
  std::vector<std::pair<Value, Expr>> outside() const {
    std::vector<std::pair<Value, Expr>> list;
    for (const auto& [key, twin] : outside_) {
      list.push_back({{NodeId(key >> 16), std::uint16_t(key & 0xffff)}, twin});
    }
    return list;
  }

 private:
  bool lives_anyway(NodeId id) const {
    Op op = g_.node(id).op;
    return op == Op::slot || op == Op::constant || op == Op::iota;
  }
  NodeId copy(NodeId id) {
    At at(g_, g_.scope(id), g_.site(id));
    std::vector<Expr> x;
    std::vector<Value> operands(g_.operands(id).begin(), g_.operands(id).end());
    for (Value v : operands) x.push_back(twin(v));
    std::vector<std::int64_t> attributes(g_.attributes(id).begin(), g_.attributes(id).end());
    return g_.put(g_.node(id).op, x, attributes).node;
  }

  Graph& g_;
  Region region_;
  Expr trigger_;
  std::vector<NodeId> twins_;
  std::map<std::uint64_t, Expr> outside_;
};

}  // namespace

void sweep_region(Graph& g, const Region& region, const Path& path, Terms& terms) {
  std::vector<std::pair<Value, Expr>> arrived;
  for (NodeId id = region.first; id <= region.last; ++id) {
    if (g.node(id).operands == 0) continue;
    At at(g, g.scope(id), gradient_of(g.site(id)));
    for (std::uint16_t part = 0; part < g.node(id).parts; ++part) {
      if (Expr total = terms.total({id, part})) arrived.push_back({{id, part}, total});
    }
  }
  if (arrived.empty()) return;
  Clone clone(g, region, arrived[0].second);
  std::vector<Seed> seeds;
  for (auto& [value, total] : arrived) seeds.push_back({clone.twin(value).value(), total});
  std::vector<Expr> wrt;
  std::vector<Value> originals;
  for (auto& [value, twin] : clone.outside()) {
    if (!path.at(value.node) || !is_float(twin.dtype())) continue;
    wrt.push_back(twin);
    originals.push_back(value);
  }
  std::vector<Expr> found = sweep(g, seeds, wrt, true);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i]) terms.add(originals[i], found[i]);
  }
}

// The nodes that f appends are recorded as a region; gradient() differentiates a clone of them.
std::vector<Expr> checkpoint(const std::function<std::vector<Expr>(std::span<const Expr>)>& f,
                             std::span<const Expr> inputs, Where where) {
  Graph& g = builders::graph_of("checkpoint", inputs, where);
  NodeId first = g.size();
  std::vector<Expr> outputs = f(inputs);
  if (g.size() > first) g.add_region({first, g.size() - 1});
  return outputs;
}

}  // namespace atelier
