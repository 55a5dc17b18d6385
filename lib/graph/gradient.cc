// Reverse-mode differentiation as a graph transform: appends the adjoint expressions.
#include <algorithm>

#include "graph/builders.h"
#include "graph/op_table.h"
#include "graph/ops.h"
#include "graph/sweep.h"

namespace atelier {
using builders::graph_of;
namespace {

bool blocks(const Graph& g, NodeId id) {
  Op op = g.node(id).op;
  return op == Op::stop_gradient || (!row(op).differentiable && op != Op::input && op != Op::slot);
}

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

// Finds the checkpointed regions in the falling order in which the reverse loop meets their ends.
// Regions are recorded when they are complete, so their ends rise and an outer one follows those
// inside it: the outermost is met first, and those inside are passed over with it.
class Regions {
 public:
  Regions(const Graph& g, std::span<const Expr> wrt)
      : g_(g), wrt_(wrt), left_(g.regions().size()) {}

  const Region* ending_at(NodeId id) {
    for (; left_ > 0 && g_.regions()[left_ - 1].last >= id; --left_) {
      const Region& r = g_.regions()[left_ - 1];
      if (r.last == id && !holds_wrt(r)) return &r;
    }
    return nullptr;
  }

 private:
  // A value inside that is asked for must be the original; leaves are not cloned anyway.
  bool holds_wrt(const Region& r) const {
    return std::any_of(wrt_.begin(), wrt_.end(), [&](const Expr& w) {
      return w.node >= r.first && w.node <= r.last && g_.node(w.node).operands > 0;
    });
  }
  const Graph& g_;
  std::span<const Expr> wrt_;
  std::size_t left_;
};

// Takes the totals of those of `wrt` that are outputs of the nodes first..last.
void collect(Terms& terms, std::span<const Expr> wrt, NodeId first, NodeId last,
             std::vector<Expr>& result) {
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (wrt[i].node < first || wrt[i].node > last || result[i]) continue;
    Graph& g = *wrt[i].graph;
    At at(g, g.scope(wrt[i].node), gradient_of(g.site(wrt[i].node)));
    Expr total = terms.total(wrt[i].value());
    for (std::size_t k = i; k < wrt.size(); ++k) {
      if (wrt[k] == wrt[i]) result[k] = total;
    }
  }
}

std::vector<NodeId> nodes_of(std::span<const Expr> values) {
  std::vector<NodeId> nodes;
  for (const Expr& e : values) nodes.push_back(e.node);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

}  // namespace

std::vector<Expr> sweep(Graph& g, std::span<const Seed> seeds, std::span<const Expr> wrt,
                        bool wrt_are_leaves) {
  std::vector<Expr> result(wrt.size());
  if (seeds.empty() || wrt.empty()) return result;
  NodeId last = 0;
  for (const Seed& s : seeds) last = std::max(last, s.value.node);
  Path path = path_between(g, last, wrt);
  Regions regions(g, wrt);
  std::vector<NodeId> wanted = nodes_of(wrt);
  Terms terms(g);
  for (const Seed& s : seeds) terms.add(s.value, s.adjoint);
  for (NodeId id = last + 1; id-- > path.first;) {
    if (const Region* found = wrt_are_leaves ? nullptr : regions.ending_at(id)) {
      Region region = *found;
      sweep_region(g, region, path, terms);
      collect(terms, wrt, region.first, region.last, result);
      id = std::max(region.first, path.first);
      continue;
    }
    if (!path.at(id) || !terms.any(id)) continue;
    At at(g, g.scope(id), gradient_of(g.site(id)));
    std::vector<Expr> adjoints;
    for (std::uint16_t part = 0; part < g.node(id).parts; ++part) {
      adjoints.push_back(terms.total({id, part}));
    }
    bool is_wrt = std::binary_search(wanted.begin(), wanted.end(), id);
    for (std::size_t i = 0; is_wrt && i < wrt.size(); ++i) {
      if (wrt[i].node == id) result[i] = adjoints[wrt[i].part];
    }
    if ((is_wrt && wrt_are_leaves) || blocks(g, id) || g.node(id).operands == 0) continue;
    std::vector<Expr> in = adjoints_of(g, id, adjoints);
    for (std::size_t k = 0; k < in.size(); ++k) {
      Value operand = g.operands(id)[k];
      if (in[k] && path.at(operand.node)) terms.add(operand, in[k]);
    }
  }
  return result;
}

std::vector<Expr> decompose(Graph& g, NodeId id) {
  const OpRow& r = row(g.node(id).op);
  std::vector<Expr> x = operands_of(g, id);
  if (!r.decompose) g.refuse(r.name, "does not decompose", x, g.site(id));
  std::vector<std::int64_t> attributes(g.attributes(id).begin(), g.attributes(id).end());
  At at(g, g.scope(id), g.site(id));
  return r.decompose(g, x, attributes);
}

namespace {
std::vector<Expr> slopes_of(Expr loss, std::span<const Expr> wrt, bool wrt_are_leaves,
                            Where where) {
  Graph& g = graph_of("gradient", {loss}, where);
  if (loss.shape().count() != 1 || !is_float(loss.dtype())) {
    g.refuse("gradient", "the loss must be one float", {&loss, 1}, where);
  }
  for (const Expr& w : wrt) {
    graph_of("gradient", {loss, w}, where);
    if (!is_float(w.dtype())) g.refuse("gradient", "a variable is no float", {&w, 1}, where);
  }
  At at(g, where);
  Expr one = broadcast(g.constant(1, loss.dtype()), loss.shape());
  Seed seed{loss.value(), one};
  std::vector<Expr> result = sweep(g, {&seed, 1}, wrt, wrt_are_leaves);
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (!result[i]) result[i] = broadcast(g.constant(0, wrt[i].dtype()), wrt[i].shape());
  }
  return result;
}
}  // namespace

std::vector<Expr> gradient(Expr loss, std::span<const Expr> wrt, Where where) {
  return slopes_of(loss, wrt, false, where);
}

std::vector<Expr> partial_gradient(Expr loss, std::span<const Expr> wrt, Where where) {
  return slopes_of(loss, wrt, true, where);
}

Expr gradient(Expr loss, Expr wrt, Where where) { return gradient(loss, {&wrt, 1}, where)[0]; }

}  // namespace atelier
