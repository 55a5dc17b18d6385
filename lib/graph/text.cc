// Graphs as text, one node a line.
#include <fmt/format.h>

#include "graph/graph.h"
#include "graph/op_table.h"

namespace atelier {

std::string_view name(Op op) { return row(op).name; }

std::string Graph::text() const {
  std::string out;
  for (NodeId id = 0; id < size(); ++id) {
    const Node& n = node(id);
    out += fmt::format("%{} = {}", id, name(n.op));
    if (n.op == Op::input || n.op == Op::slot) {
      out += fmt::format(" '{}'", name_of(id));
    } else if (n.op == Op::constant) {
      out += fmt::format(" {}", bits_to_double(attributes(id)[0]));
    } else {
      std::string list;
      for (Value v : operands(id)) {
        list += fmt::format("{}%{}", list.empty() ? "" : ", ", v.node);
        if (v.part) list += fmt::format(".{}", v.part);
      }
      out += fmt::format("({})", list);
      if (n.attributes) out += fmt::format(" {{{}}}", fmt::join(attributes(id), ","));
    }
    for (std::uint16_t part = 0; part < n.parts; ++part) {
      out += " " + to_string(type({id, part}));
    }
    if (!scope(id).empty()) out += "  " + scope(id);
    out += fmt::format("  ({})\n", to_string(site(id)));
  }
  for (const NamedValue& o : outputs()) {
    out += fmt::format("output '{}' = %{}.{}\n", o.name, o.value.node, o.value.part);
  }
  for (const Update& u : updates()) {
    out += fmt::format("update '{}' = %{}.{}\n", name_of(u.slot.node), u.next.node, u.next.part);
  }
  return out;
}

}  // namespace atelier
