// Naive evaluation in f64, one node after another; values die after their last reader.
#include "graph/oracle.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/ops.h"

namespace atelier {
namespace {

// Composites are run through their decomposition: a small graph of primitives for one node.
class Evaluator {
 public:
  Evaluator(const Graph& graph, OracleState& state) : g_(graph), state_(state) {}

  std::vector<Dense> run(std::span<const Value> wanted) {
    std::vector<bool> live(g_.size(), false);
    for (Value v : wanted) live[v.node] = true;
    for (NodeId id = g_.size(); id-- > 0;) {
      if (!live[id]) continue;
      for (Value v : g_.operands(id)) live[v.node] = true;
    }
    std::vector<NodeId> last(g_.size(), 0);
    for (NodeId id = 0; id < g_.size(); ++id) {
      if (!live[id]) continue;
      for (Value v : g_.operands(id)) last[v.node] = id;
    }
    for (Value v : wanted) last[v.node] = g_.size();
    values_.assign(g_.size(), {});
    std::vector<std::vector<NodeId>> dying(g_.size() + 1);
    for (NodeId id = 0; id < g_.size(); ++id) {
      if (live[id]) dying[last[id]].push_back(id);
    }
    for (NodeId id = 0; id < g_.size(); ++id) {
      if (!live[id]) continue;
      values_[id] = node(id);
      for (NodeId dead : dying[id]) {
        if (dead != id) values_[dead].clear();
      }
    }
    std::vector<Dense> result;
    for (Value v : wanted) result.push_back(values_[v.node][v.part]);
    return result;
  }

 private:
  std::vector<Dense> leaf(NodeId id) {
    auto& map = g_.node(id).op == Op::input ? state_.inputs : state_.slots;
    auto found = map.find(g_.name_of(id));
    if (found == map.end()) throw Error(fmt::format("oracle: no value for '{}'", g_.name_of(id)));
    Dense value = found->second;
    value.type = g_.type({id, 0});
    if (std::int64_t(value.v.size()) != value.type.shape.count()) {
      throw Error(fmt::format("oracle: '{}' has {} values, expected {}", g_.name_of(id),
                              value.v.size(), to_string(value.type)));
    }
    return {value};
  }

  std::vector<Dense> node(NodeId id) {
    const Node& n = g_.node(id);
    if (n.op == Op::input || n.op == Op::slot) return leaf(id);
    std::vector<Type> operand_types, result_types;
    std::vector<Dense> operands, results;
    for (Value v : g_.operands(id)) {
      operands.push_back(values_[v.node][v.part]);
      operand_types.push_back(g_.type(v));
    }
    for (std::uint16_t part = 0; part < n.parts; ++part) {
      result_types.push_back(g_.type({id, part}));
      results.push_back({result_types.back(),
                         std::vector<double>(std::size_t(result_types.back().shape.count()))});
    }
    const OpRow& r = row(n.op);
    NodeView view{n.op, operand_types, g_.attributes(id), result_types};
    if (r.oracle) {
      r.oracle(view, operands, results);
      return results;
    }
    return composite(id, operands);
  }

  std::vector<Dense> composite(NodeId id, const std::vector<Dense>& operands) {
    Graph small;
    OracleState state;
    std::vector<Expr> x;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      std::string name = fmt::format("x{}", i);
      x.push_back(small.input(name, operands[i].type.dtype, operands[i].type.shape));
      state.inputs[name] = operands[i];
    }
    const OpRow& r = row(g_.node(id).op);
    if (!r.decompose)
      throw Error(fmt::format("oracle: {} has neither oracle nor decomposition", r.name));
    std::vector<Value> wanted;
    for (Expr e : r.decompose(small, x, g_.attributes(id))) wanted.push_back(e.value());
    return evaluate(small, wanted, state);
  }

  const Graph& g_;
  OracleState& state_;
  std::vector<std::vector<Dense>> values_;
};

}  // namespace

std::vector<Dense> evaluate(const Graph& graph, std::span<const Value> wanted, OracleState& state,
                            bool commit) {
  std::vector<Value> all(wanted.begin(), wanted.end());
  if (commit) {
    for (const Update& u : graph.updates()) all.push_back(u.next);
  }
  std::vector<Dense> values = Evaluator(graph, state).run(all);
  if (commit) {
    for (std::size_t i = 0; i < graph.updates().size(); ++i) {
      state.slots[graph.name_of(graph.updates()[i].slot.node)] = values[wanted.size() + i];
    }
  }
  values.resize(wanted.size());
  return values;
}

std::map<std::string, Dense, std::less<>> run_oracle(const Graph& graph, OracleState& state) {
  std::vector<Value> wanted;
  for (const NamedValue& o : graph.outputs()) wanted.push_back(o.value);
  std::vector<Dense> values = evaluate(graph, wanted, state, true);
  std::map<std::string, Dense, std::less<>> result;
  for (std::size_t i = 0; i < values.size(); ++i) result[graph.outputs()[i].name] = values[i];
  return result;
}

}  // namespace atelier
