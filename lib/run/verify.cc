// Verification: the f64 oracle runs each node on what its step has read, and the results must
// agree.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/random.h"
#include "graph/op_table.h"
#include "graph/oracle.h"
#include "run/executor.h"

namespace atelier {
namespace {

// Arithmetic takes denormals as zeros.
double flushed(float v) { return std::abs(v) < std::numeric_limits<float>::min() ? 0 : double(v); }

double element(const std::byte* data, DType type, std::int64_t i) {
  switch (type) {
    case DType::f32:
      return flushed(reinterpret_cast<const float*>(data)[i]);
    case DType::i32:
      return reinterpret_cast<const std::int32_t*>(data)[i];
    case DType::u8:
      return std::to_integer<int>(data[i]);
    case DType::bf16:
      return flushed(to_float(reinterpret_cast<const BFloat16*>(data)[i]));
    case DType::f64:
      return reinterpret_cast<const double*>(data)[i];
  }
  return 0;
}

Dense read(const std::byte* data, const Type& type) {
  Dense dense{type, std::vector<double>(std::size_t(type.shape.count()))};
  for (std::size_t i = 0; i < dense.v.size(); ++i)
    dense.v[i] = element(data, type.dtype, std::int64_t(i));
  return dense;
}

constexpr double kTolerance = 1e-5;

bool adds_up(Op op) {
  return is_product(op) || op == Op::add || op == Op::sub || op == Op::fma || op == Op::sum ||
         op == Op::put_add;
}
// The result is made of elements of the operands, of integers or of masks.
bool is_exact(Op op, DType result) {
  if (result != DType::f32 || op == Op::cast || op == Op::max || op == Op::where) return true;
  return op >= Op::reshape && is_primitive(op) && !adds_up(op);
}

// A graph as its program computes it, node by node.
class Verifier {
 public:
  Verifier(const Program& program, const Graph& graph,
           const std::function<std::byte*(TensorId)>& address)
      : p_(program), g_(graph), address_(address), values_(graph.size()), live_(graph.size()) {
    for (const NamedValue& o : g_.outputs()) live_[o.value.node] = true;
    for (const Update& u : g_.updates()) live_[u.next.node] = live_[u.slot.node] = true;
    for (NodeId id = g_.size(); id-- > 0;) {
      for (Value v : g_.operands(id)) live_[v.node] = live_[v.node] || live_[id];
    }
    std::map<std::string, TensorId> leaves;
    for (const ProgramPort& port : p_.inputs) leaves[port.name] = port.tensor;
    for (std::size_t i = 0; i < p_.slots.size(); ++i) leaves[p_.slots[i].name] = p_.slot_tensors[i];
    for (NodeId id = 0; id < g_.size(); ++id) {
      Op op = g_.node(id).op;
      if ((op != Op::input && op != Op::slot) || !leaves.contains(g_.name_of(id))) continue;
      values_[id] = {read(address_(leaves.at(g_.name_of(id))), g_.type({id, 0}))};
    }
  }

  // After the step has run: what it has completed, against the oracle.
  void check(std::size_t index) {
    const Step& step = p_.steps[index];
    if (step.parts == 0) return;
    for (; next_ < step.node; ++next_) {
      // No step of its own: a view, or a constant.
      if (live_[next_] && values_[next_].empty()) values_[next_] = evaluated(next_, As::they_are);
    }
    std::vector<TensorId> written;
    for (const Pointer& q : step.pointers) {
      if (q.write) written.push_back(q.tensor);
    }
    std::vector<Dense>& known = values_[step.node];
    bool copied = !known.empty();
    std::vector<Dense> expected = copied ? known : evaluated(step.node, As::they_are);
    Op op = g_.node(step.node).op;
    // How far rounding may take each element: by the magnitudes of what is added up, or by what a
    // few units in the last place of the operands do to the result.
    std::vector<Dense> room = expected;
    bool exact = copied || is_exact(op, step.type.dtype);
    if (!exact && adds_up(op)) {
      room = evaluated(step.node, As::magnitudes);
      for (Dense& d : room) {
        for (double& v : d.v) v *= kTolerance;
      }
    } else if (!exact) {
      std::vector<Dense> moved = evaluated(step.node, As::moved);
      for (std::size_t part = 0; part < room.size(); ++part) spread(moved[part], room[part]);
    }
    if (!copied) known = expected;
    for (std::uint16_t k = 0; k < step.parts; ++k) {
      std::size_t part = std::size_t(step.part) + k;
      Dense found = read(address_(written.at(k)), expected[part].type);
      compare(index, part, found, expected[part], exact ? nullptr : &room[part]);
      known[part] = std::move(found);
    }
  }

 private:
  // What the node gives for its operands, for their absolute values (an op that adds up), or for
  // operands moved by 2^-21 of their values to either side.
  enum class As : std::uint8_t { they_are, magnitudes, moved };
  std::vector<Dense> evaluated(NodeId id, As as) const {
    const Node& n = g_.node(id);
    Graph small;
    OracleState state;
    std::vector<Expr> x;
    for (Value v : g_.operands(id)) {
      std::string label = fmt::format("x{}", x.size());
      const Dense& value = values_[v.node].at(v.part);
      x.push_back(small.input(label, value.type.dtype, value.type.shape));
      Dense& copy = state.inputs[label] = value;
      if (as == As::they_are || copy.type.dtype == DType::i32) continue;
      RandomStream stream(1, x.size());
      for (double& e : copy.v)
        e = as == As::magnitudes ? std::abs(e) : e * (1 + (stream.below(2) ? 0x1p-21 : -0x1p-21));
    }
    std::vector<std::int64_t> a(g_.attributes(id).begin(), g_.attributes(id).end());
    // The kernel's rates of decay are f32, and one less such a number is another number.
    for (std::size_t i = 0; n.op == Op::adam && i < 4; ++i)
      a[i] = double_to_bits(double(float(bits_to_double(a[i]))));
    Expr first = small.put(as == As::magnitudes && n.op == Op::sub ? Op::add : n.op, x, a);
    std::vector<Value> wanted;
    for (std::uint16_t part = 0; part < n.parts; ++part) wanted.push_back({first.node, part});
    return evaluate(small, wanted, state);
  }

  // One room for all elements of a result; `room` comes as what was expected.
  static void spread(const Dense& moved, Dense& room) {
    double largest = 0, step = 0;
    for (std::size_t i = 0; i < moved.v.size(); ++i) {
      if (!std::isfinite(moved.v[i]) || !std::isfinite(room.v[i])) continue;
      largest = std::max(largest, std::abs(room.v[i]));
      step = std::max(step, std::abs(moved.v[i] - room.v[i]));
    }
    std::fill(room.v.begin(), room.v.end(), kTolerance * largest + 8 * step);
  }

  // No room: exactly.
  void compare(std::size_t index, std::size_t part, const Dense& found, const Dense& expected,
               const Dense* room) const {
    for (std::size_t i = 0; i < found.v.size(); ++i) {
      double want = expected.v[i], got = found.v[i];
      // Only f32 can say that an index was out of range.
      if (std::isnan(want) && (std::isnan(got) || found.type.dtype != DType::f32)) continue;
      // What f32 cannot hold is rounded, or infinite.
      if (got == (found.type.dtype == DType::f32 ? double(float(want)) : want)) continue;
      double most = room ? room->v[i] + double(std::numeric_limits<float>::min()) : 0;
      if (std::abs(got - want) <= most) continue;
      const Step& step = p_.steps[index];
      throw Error(fmt::format("verify: step {} ({} {}{}{}, {}): element {}{} is {}, expected {}",
                              index, what_of(step), to_string(found.type),
                              step.scope.empty() ? "" : " of ", step.scope, to_string(step.site), i,
                              part ? fmt::format(" of result {}", part) : "", got, want));
    }
  }

  const Program& p_;
  const Graph& g_;
  const std::function<std::byte*(TensorId)>& address_;
  std::vector<std::vector<Dense>> values_;  // of each node: as found in memory, or a view of that
  std::vector<bool> live_;
  NodeId next_ = 0;
};

}  // namespace

void verify_run(const Program& program, const Graph& graph, Executor& executor,
                const std::function<std::byte*(TensorId)>& address) {
  Verifier verifier(program, graph, address);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    executor.run_step(i);
    verifier.check(i);
  }
}

}  // namespace atelier
