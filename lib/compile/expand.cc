// One sweep in order of ids: operands are rewritten before their readers.
#include "compile/expand.h"

#include "graph/op_table.h"

namespace atelier {

Graph rewritten(const Graph& from, const Rewrite& rewrite) {
  Graph to;
  std::vector<std::vector<Expr>> mapped(from.size());
  auto find = [&](Value v) { return mapped[v.node][v.part]; };
  for (NodeId id = 0; id < from.size(); ++id) {
    const Node& n = from.node(id);
    At at(to, from.scope(id), from.site(id));
    if (n.op == Op::input) {
      const Type& t = from.type({id, 0});
      mapped[id] = {to.input(from.name_of(id), t.dtype, t.shape, from.site(id))};
      continue;
    }
    if (n.op == Op::slot) {
      mapped[id] = {to.slot(from.name_of(id), from.type({id, 0}), from.site(id))};
      continue;
    }
    std::vector<Expr> x;
    for (Value v : from.operands(id)) x.push_back(find(v));
    if (!x.empty()) mapped[id] = rewrite(to, id, x);
    if (!mapped[id].empty()) continue;
    Expr first = to.put(n.op, x, from.attributes(id), from.site(id));
    for (std::uint16_t part = 0; part < n.parts; ++part) {
      mapped[id].push_back({first.graph, first.node, part});
    }
  }
  for (const NamedValue& o : from.outputs()) to.output(o.name, find(o.value));
  for (const Update& u : from.updates()) to.update(find(u.slot), find(u.next), u.site);
  return to;
}

Graph expand_composites(const Graph& from, const std::function<bool(NodeId)>& replace) {
  return rewritten(from, [&](Graph& to, NodeId id, std::vector<Expr>& operands) {
    Op op = from.node(id).op;
    if (!is_composite(op) || !replace(id)) return std::vector<Expr>{};
    return row(op).decompose(to, operands, from.attributes(id));
  });
}

}  // namespace atelier
