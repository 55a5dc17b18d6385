// Reverse-mode differentiation as a graph transform: appends the adjoint expressions.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "graph/op_table.h"
#include "graph/ops.h"

namespace atelier {
namespace {

// Contributions to the adjoint of each value, kept as lists and summed once when it is reached.
class Terms {
 public:
  explicit Terms(Graph& graph) : graph_(graph) {}

  void add(Value value, Expr term) { lists_[key(value)].push_back(term); }
  bool any(NodeId id) const {
    for (std::uint16_t part = 0; part < graph_.node(id).parts; ++part) {
      if (lists_.count(key({id, part}))) return true;
    }
    return false;
  }
  // The sum, or an absent Expr.
  Expr total(Value value) {
    auto found = lists_.find(key(value));
    if (found == lists_.end()) return {};
    std::vector<Expr> list = std::move(found->second);
    lists_.erase(found);
    join_windows(list);
    return balanced(list);
  }

 private:
  static std::uint64_t key(Value v) { return std::uint64_t(v.node) << 16 | v.part; }

  // A fixed binary tree: rounding does not depend on anything but the order of the terms.
  static Expr balanced(std::span<const Expr> list) {
    if (list.size() == 1) return list[0];
    std::size_t half = (list.size() + 1) / 2;
    return balanced(list.first(half)) + balanced(list.subspan(half));
  }

  struct Window {
    std::int64_t lo;
    Expr inner;
    std::size_t place;
  };
  // The axis that a term is padded along if it is a plain pad (no gaps) of one axis; else -1.
  int padded_axis(Expr e) const {
    if (graph_.node(e.node).op != Op::pad) return -1;
    auto a = graph_.attributes(e.node);
    int axis = -1;
    for (std::size_t i = 0; i < a.size() / 3; ++i) {
      if (a[3 * i + 2] != 0) return -1;
      if (a[3 * i] == 0 && a[3 * i + 1] == 0) continue;
      if (axis >= 0) return -1;
      axis = int(i);
    }
    return axis;
  }
  // Zero-padded disjoint windows along one axis (the adjoints of T slices) become one concat;
  // otherwise T slices would cost T full-size additions.
  void join_windows(std::vector<Expr>& list) {
    if (list.size() < 2) return;
    std::map<int, std::vector<Window>> by_axis;
    for (std::size_t i = 0; i < list.size(); ++i) {
      int axis = padded_axis(list[i]);
      if (axis < 0) continue;
      Expr inner = graph_.expr(graph_.operands(list[i].node)[0]);
      by_axis[axis].push_back({graph_.attributes(list[i].node)[std::size_t(3 * axis)], inner, i});
    }
    for (auto& [axis, windows] : by_axis) {
      if (windows.size() < 2) continue;
      std::sort(windows.begin(), windows.end(),
                [](const Window& a, const Window& b) { return a.lo < b.lo; });
      if (Expr joined = join(axis, windows, list[windows[0].place])) {
        for (const Window& w : windows) list[w.place] = {};
        list[windows[0].place] = joined;
        std::erase_if(list, [](const Expr& e) { return !e; });
        return;  // places have moved; other axes stay as they are
      }
    }
  }
  Expr join(int axis, std::span<const Window> windows, Expr like) {
    std::vector<Expr> pieces;
    std::int64_t at = 0, full = like.shape()[axis];
    auto gap = [&](std::int64_t extent) {
      if (extent > 0) {
        Expr zero = graph_.constant(0, like.dtype());
        pieces.push_back(broadcast(zero, like.shape().with(axis, extent)));
      }
    };
    for (const Window& w : windows) {
      if (w.lo < at) return {};
      gap(w.lo - at);
      pieces.push_back(w.inner);
      at = w.lo + w.inner.shape()[axis];
    }
    gap(full - at);
    return concat(pieces, axis);
  }

  Graph& graph_;
  std::unordered_map<std::uint64_t, std::vector<Expr>> lists_;
};

bool blocks(const Graph& g, NodeId id) {
  Op op = g.node(id).op;
  return op == Op::stop_gradient || (!row(op).differentiable && op != Op::input && op != Op::slot);
}

// Nodes from the first of `wrt` to the loss through which an adjoint flows.
struct Path {
  NodeId first;
  std::vector<bool> on;
  bool at(NodeId id) const { return id >= first && id - first < on.size() && on[id - first]; }
};
Path path_between(const Graph& g, NodeId last, std::span<const Expr> wrt) {
  Path path{last, {}};
  for (const Expr& w : wrt) path.first = std::min(path.first, w.node);
  path.on.assign(last - path.first + 1, false);
  for (const Expr& w : wrt) {
    if (w.node <= last) path.on[w.node - path.first] = true;
  }
  for (NodeId id = path.first; id <= last; ++id) {
    if (path.at(id) || blocks(g, id)) continue;
    for (Value v : g.operands(id)) {
      if (path.at(v.node)) {
        path.on[id - path.first] = true;
        break;
      }
    }
  }
  return path;
}

std::vector<Expr> outputs_of(Graph& g, NodeId id) {
  std::vector<Expr> self;
  for (std::uint16_t part = 0; part < g.node(id).parts; ++part) self.push_back(g.expr({id, part}));
  return self;
}
std::vector<Expr> operands_of(Graph& g, NodeId id) {
  std::vector<Expr> x;
  for (Value v : g.operands(id)) x.push_back(g.expr(v));
  return x;
}

// A fused adjoint covers the first output; others (statistics) go through the decomposition.
bool fused_suffices(const OpRow& r, std::span<const Expr> adjoints) {
  if (!r.vjp) return false;
  if (!r.decompose) return true;
  return std::none_of(adjoints.begin() + 1, adjoints.end(), [](const Expr& e) { return bool(e); });
}

struct Seed {
  Value value;
  Expr adjoint;
};
std::vector<Expr> sweep(Graph& g, std::span<const Seed> seeds, std::span<const Expr> wrt,
                        bool wrt_are_leaves);

// Adjoints of the operands of one node from those of its outputs.
std::vector<Expr> adjoints_of(Graph& g, NodeId id, std::span<const Expr> adjoints) {
  std::vector<Expr> x = operands_of(g, id);
  const OpRow& r = row(g.node(id).op);
  if (fused_suffices(r, adjoints)) {
    std::vector<std::int64_t> attributes(g.attributes(id).begin(), g.attributes(id).end());
    std::vector<Expr> in = r.vjp(g, x, outputs_of(g, id), adjoints, attributes);
    if (!in.empty()) return in;
  }
  std::vector<Expr> y = decompose(g, id);
  std::vector<Seed> seeds;
  for (std::size_t part = 0; part < y.size(); ++part) {
    if (adjoints[part]) seeds.push_back({y[part].value(), adjoints[part]});
  }
  // Operands may depend on each other (statistics on x); here each is a leaf of its own. The same
  // operand given twice gets its whole adjoint once.
  std::vector<Expr> wrt;
  std::vector<int> place(x.size(), -1);
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (!is_float(x[k].dtype()) || std::find(wrt.begin(), wrt.end(), x[k]) != wrt.end()) continue;
    place[k] = int(wrt.size());
    wrt.push_back(x[k]);
  }
  std::vector<Expr> found = sweep(g, seeds, wrt, true);
  std::vector<Expr> result(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (place[k] >= 0) result[k] = found[std::size_t(place[k])];
  }
  return result;
}

// Differentiates a checkpointed region: clones its nodes with outside operands behind one of the
// adjoints, sweeps the clone, and adds what reaches the outside to `terms`.
void through_region(Graph& g, const Region& region, const Path& path, Terms& terms) {
  std::vector<Seed> seeds;  // on the clone
  std::vector<std::pair<Value, Expr>> arrived;
  for (NodeId id = region.first; id <= region.last; ++id) {
    for (std::uint16_t part = 0; part < g.node(id).parts; ++part) {
      if (Expr total = terms.total({id, part})) arrived.emplace_back(Value{id, part}, total);
    }
  }
  if (arrived.empty()) return;
  Expr trigger = arrived[0].second;
  std::map<std::uint64_t, Expr> outside;  // value outside -> its twin
  std::vector<NodeId> clone(region.last - region.first + 1);
  auto mapped = [&](Value v) -> Expr {
    if (v.node >= region.first && v.node <= region.last)
      return g.expr({clone[v.node - region.first], v.part});
    Expr& twin = outside[std::uint64_t(v.node) << 16 | v.part];
    if (!twin)
      twin = path.at(v.node) || g.node(v.node).operands ? after(g.expr(v), trigger) : g.expr(v);
    return twin;
  };
  for (NodeId id = region.first; id <= region.last; ++id) {
    if (g.node(id).operands == 0) {
      clone[id - region.first] = id;
      continue;
    }
    std::vector<Expr> x;
    std::vector<Value> operands(g.operands(id).begin(), g.operands(id).end());
    for (Value v : operands) x.push_back(mapped(v));
    std::vector<std::int64_t> attributes(g.attributes(id).begin(), g.attributes(id).end());
    clone[id - region.first] = g.put(g.node(id).op, x, attributes, g.site(id)).node;
  }
  for (auto& [value, total] : arrived)
    seeds.push_back({{clone[value.node - region.first], value.part}, total});
  std::vector<Expr> wrt;
  std::vector<Value> originals;
  for (auto& [key, twin] : outside) {
    Value v{NodeId(key >> 16), std::uint16_t(key & 0xffff)};
    if (!path.at(v.node) || !is_float(twin.dtype())) continue;
    wrt.push_back(twin);
    originals.push_back(v);
  }
  std::vector<Expr> found = sweep(g, seeds, wrt, true);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i]) terms.add(originals[i], found[i]);
  }
}

// The region that ends at `id`, if its whole inside lies on the way (regions do not overlap).
const Region* region_ending_at(const Graph& g, NodeId id, std::span<const Expr> wrt) {
  for (const Region& r : g.regions()) {
    if (r.last != id) continue;
    for (const Expr& w : wrt) {
      if (w.node >= r.first && w.node <= r.last) return nullptr;
    }
    return &r;
  }
  return nullptr;
}

// The reverse loop over ids. Absent results: no dependence.
std::vector<Expr> sweep(Graph& g, std::span<const Seed> seeds, std::span<const Expr> wrt,
                        bool wrt_are_leaves) {
  std::vector<Expr> result(wrt.size());
  if (seeds.empty() || wrt.empty()) return result;
  NodeId last = 0;
  for (const Seed& s : seeds) last = std::max(last, s.value.node);
  Path path = path_between(g, last, wrt);
  Terms terms(g);
  for (const Seed& s : seeds) terms.add(s.value, s.adjoint);
  for (NodeId id = last + 1; id-- > path.first;) {
    if (const Region* region = region_ending_at(g, id, wrt)) {
      Region copy = *region;
      through_region(g, copy, path, terms);
      id = copy.first;
      continue;
    }
    if (!path.at(id) || !terms.any(id)) continue;
    std::vector<Expr> adjoints;
    for (std::uint16_t part = 0; part < g.node(id).parts; ++part) {
      adjoints.push_back(terms.total({id, part}));
    }
    bool is_wrt = false;
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      if (wrt[i].node != id) continue;
      is_wrt = true;
      result[i] = adjoints[wrt[i].part];
    }
    if ((is_wrt && wrt_are_leaves) || blocks(g, id) || g.node(id).operands == 0) continue;
    std::string former = g.set_scope(g.scope(id));
    std::vector<Expr> in = adjoints_of(g, id, adjoints);
    g.set_scope(former);
    for (std::size_t k = 0; k < in.size(); ++k) {
      if (in[k] && path.at(g.operands(id)[k].node)) terms.add(g.operands(id)[k], in[k]);
    }
  }
  return result;
}

}  // namespace

std::vector<Expr> decompose(Graph& g, NodeId id) {
  const OpRow& r = row(g.node(id).op);
  if (!r.decompose) throw ShapeError(fmt::format("{} does not decompose", r.name));
  std::vector<Expr> x = operands_of(g, id);
  std::vector<std::int64_t> attributes(g.attributes(id).begin(), g.attributes(id).end());
  std::string former = g.set_scope(g.scope(id));
  std::vector<Expr> y = r.decompose(g, x, attributes);
  g.set_scope(former);
  return y;
}

std::vector<Expr> gradient(Expr loss, std::span<const Expr> wrt, Where where) {
  if (loss.shape().count() != 1 || !is_float(loss.dtype())) {
    throw ShapeError(fmt::format("gradient: the loss must be one float; {} ({})",
                                 to_string(loss.type()), to_string(where)));
  }
  Graph& g = *loss.graph;
  Expr one = broadcast(g.constant(1, loss.dtype()), loss.shape());
  Seed seed{loss.value(), one};
  std::vector<Expr> result = sweep(g, {&seed, 1}, wrt, false);
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (!result[i]) result[i] = broadcast(g.constant(0, wrt[i].dtype()), wrt[i].shape());
  }
  return result;
}

Expr gradient(Expr loss, Expr wrt, Where where) { return gradient(loss, {&wrt, 1}, where)[0]; }

}  // namespace atelier
