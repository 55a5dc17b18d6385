// Lowering: nodes in order of ids become kernel steps; movements without work become views.
#include <fmt/format.h>

#include <algorithm>

#include "compile/expand.h"
#include "compile/lowering.h"

namespace atelier {

std::array<std::int64_t, kMaxRank> dense_strides(const Shape& shape) {
  std::array<std::int64_t, kMaxRank> stride{};
  std::int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    stride[std::size_t(i)] = step;
    step *= shape[i];
  }
  return stride;
}

bool View::dense() const {
  if (constant) return false;
  auto want = dense_strides(type.shape);
  for (int i = 0; i < type.shape.rank(); ++i) {
    if (type.shape[i] > 1 && stride[std::size_t(i)] != want[std::size_t(i)]) return false;
  }
  return true;
}

Lowering::Lowering(const Graph& graph, const LowerOptions& options) : g_(graph), options_(options) {
  program_.level = options.level;
}

Program Lowering::run() {
  mark_live();
  choose_groups();
  for (NodeId id = 0; id < g_.size(); ++id) {
    if (!live_[id] || deferred_[id]) continue;
    node(id);
    complete(id);
  }
  finish();
  return std::move(program_);
}

// The last step that a node has led to computes its value; movements lead to none.
void Lowering::complete(NodeId id) {
  if (program_.steps.empty() || program_.steps.back().node != id) return;
  Step& step = program_.steps.back();
  step.parts = g_.node(id).parts;
  step.flops = flops_[id] + step.flops;  // beside those of nodes computed inside it
}

void Lowering::mark_live() {
  flops_.assign(g_.size(), 0);
  live_.assign(g_.size(), false);
  uses_.assign(g_.size(), 0);
  for (const NamedValue& o : g_.outputs()) live_[o.value.node] = true, ++uses_[o.value.node];
  for (const Update& u : g_.updates()) {
    live_[u.next.node] = live_[u.slot.node] = true;
    uses_[u.next.node] += 2;  // stays a tensor of its own, so that it can be the slot's memory
  }
  for (NodeId id = g_.size(); id-- > 0;) {
    if (g_.node(id).op == Op::input) live_[id] = true;  // callers may fill it
    if (!live_[id]) continue;
    for (Value v : g_.operands(id)) live_[v.node] = true, ++uses_[v.node];
  }
  std::vector<Type> operands, results;  // of one node
  for (NodeId id = 0; id < g_.size(); ++id) {
    if (!live_[id]) continue;
    for (std::uint16_t part = 0; part < g_.node(id).parts; ++part) {
      if (g_.type({id, part}).dtype == DType::f64) {
        throw ProgramError(fmt::format("{} {}: f64 exists for the oracle only ({})",
                                       name(g_.node(id).op), to_string(g_.type({id, part})),
                                       to_string(g_.site(id))));
      }
    }
    if (g_.node(id).op != Op::input && g_.node(id).op != Op::slot) {
      operands.clear();
      results.clear();
      for (Value v : g_.operands(id)) operands.push_back(g_.type(v));
      for (std::uint16_t part = 0; part < g_.node(id).parts; ++part)
        results.push_back(g_.type({id, part}));
      Op op = g_.node(id).op;
      flops_[id] = row(op).cost({op, operands, g_.attributes(id), results}).flops;
      if (!is_primitive(op) || is_product(op)) program_.flops += flops_[id];
    }
  }
}

void Lowering::node(NodeId id) {
  const Node& n = g_.node(id);
  if (n.op == Op::input || n.op == Op::slot || n.op == Op::constant) return leaf(id);
  if (is_elementwise(n.op)) return elementwise(id);
  switch (n.op) {
    case Op::stop_gradient:
    case Op::after:
    case Op::all_reduce:
      return alias({id, 0}, view(g_.operands(id)[0]));
    case Op::pad:
      return pad(id);
    case Op::concat:
      return concat(id);
    case Op::sum:
    case Op::top:
    case Op::argtop:
      return reduce(id);
    case Op::iota:
    case Op::random:
    case Op::take:
    case Op::put_add:
    case Op::dyn_slice:
    case Op::dyn_update:
      return indexing(id);
    case Op::matmul:
      return matmul(id);
    case Op::conv:
    case Op::conv_dx:
    case Op::conv_dw:
      return convolution(id);
    default:
      break;
  }
  if (movement(id) || composite(id)) return;
  throw ProgramError(fmt::format("{}: no lowering ({})", name(n.op), to_string(g_.site(id))));
}

TensorId Lowering::new_tensor(std::int64_t bytes, Home home) {
  ProgramTensor tensor;
  tensor.home = home;
  tensor.bytes = bytes;
  program_.tensors.push_back(tensor);
  return TensorId(program_.tensors.size() - 1);
}

View Lowering::temporary(const Type& type) {
  View v;
  v.tensor = new_tensor(type.bytes());
  v.type = type;
  v.stride = dense_strides(type.shape);
  return v;
}

View Lowering::define(Value value) {
  View v = temporary(g_.type(value));
  alias(value, v);
  return v;
}

void Lowering::leaf(NodeId id) {
  const Type& type = g_.type({id, 0});
  View v;
  v.type = type;
  v.stride = dense_strides(type.shape);
  if (g_.node(id).op == Op::constant) {
    v.constant = bits_to_double(g_.attributes(id)[0]);
  } else if (g_.node(id).op == Op::input) {
    v.tensor = new_tensor(type.bytes());
    program_.tensors[v.tensor].whole_run = true;
    program_.inputs.push_back({g_.name_of(id), type, v.tensor, 0});
  } else {
    v.tensor = new_tensor(type.bytes(), Home::slot);
    program_.tensors[v.tensor].slot = std::uint32_t(program_.slots.size());
    slot_index_[g_.name_of(id)] = std::uint32_t(program_.slots.size());
    program_.slots.push_back({g_.name_of(id), type, false});
    program_.slot_tensors.push_back(v.tensor);
  }
  alias({id, 0}, v);
}

View Lowering::view(Value v) {
  auto found = views_.find(key(v));
  if (found == views_.end()) {
    throw ProgramError(fmt::format("{} is read before it is computed ({})",
                                   name(g_.node(v.node).op), to_string(g_.site(v.node))));
  }
  return found->second;
}

View Lowering::dense(Value v) {
  View from = view(v);
  if (from.dense()) return from;
  auto [it, fresh] = dense_copies_.try_emplace(key(v), kNoTensor);
  if (fresh) it->second = dense_copy(from, v).tensor;
  View to;
  to.tensor = it->second;
  to.type = from.type;
  to.stride = dense_strides(from.type.shape);
  return to;
}

View Lowering::dense_copy(const View& from, Value whole) {
  View to = dense_copy(from, whole.node);
  completes(whole);
  return to;
}

// The last step's one write is this value.
void Lowering::completes(Value v) {
  Step& step = program_.steps.back();
  step.part = v.part;
  step.parts = 1;
  step.type = g_.type(v);
}

View Lowering::dense_copy(const View& from, NodeId id) {
  View to = temporary(from.type);
  if (from.constant) {
    fill(to, *from.constant, id);
  } else {
    copy(to, from, id);
  }
  return to;
}

// Outputs become dense tensors that live to the end; updates become copies that layout() may turn
// into writes in place.
void Lowering::finish() {
  std::vector<bool> written(program_.slots.size(), false);
  for (const Update& u : g_.updates()) written[program_.tensors[view(u.slot).tensor].slot] = true;
  for (const NamedValue& o : g_.outputs()) {
    View v = dense(o.value);
    // The output is the slot's value before this run's update.
    const ProgramTensor& holder = program_.tensors[v.tensor];
    if (holder.home == Home::slot && written[holder.slot]) v = dense_copy(v, o.value);
    program_.outputs.push_back(
        {o.name, v.type, v.tensor, v.offset * std::int64_t(size_of(v.type.dtype))});
    program_.tensors[v.tensor].whole_run = true;
    if (!options_.guard.empty() && o.name == options_.guard) program_.guard = v.tensor;
  }
  struct Commit {
    View to, from;
    Value value;
  };
  std::vector<Commit> commits;
  for (const Update& u : g_.updates()) {
    View from = dense(u.next), to = view(u.slot);
    std::uint32_t slot = program_.tensors[to.tensor].slot;
    program_.slots[slot].updated = true;
    // What lies in another slot may be overwritten by that slot's own commit: taken out first.
    bool same = from.tensor == to.tensor;
    if (!same && program_.tensors[from.tensor].home == Home::slot) from = dense_copy(from, u.next);
    program_.updates.push_back(
        {slot, from.tensor, from.offset * std::int64_t(size_of(from.type.dtype))});
    if (!same) commits.push_back({to, from, u.next});
  }
  for (const Commit& c : commits) {
    copy(c.to, c.from, c.value.node);
    completes(c.value);
  }
}

namespace {

KernelId kernel_of(Op composite) {
  switch (composite) {
    case Op::normal:
      return KernelId::normal;
    case Op::softmax:
      return KernelId::softmax;
    case Op::layer_norm:
      return KernelId::layer_norm;
    case Op::layer_norm_grad:
      return KernelId::layer_norm_grad;
    case Op::group_norm:
      return KernelId::group_norm;
    case Op::group_norm_grad:
      return KernelId::group_norm_grad;
    case Op::batch_norm:
      return KernelId::batch_norm;
    case Op::batch_norm_grad:
      return KernelId::batch_norm_grad;
    case Op::cross_entropy:
      return KernelId::cross_entropy;
    case Op::attention:
      return KernelId::attention;
    case Op::attention_grad:
      return KernelId::attention_grad;
    default:
      return KernelId::adam;
  }
}

// The prepared graph, unless it is the graph itself.
std::optional<Graph> changed(const Graph& graph, const LowerOptions& options) {
  if (options.precision != Precision::f32) {
    Graph narrowed = narrow_products(graph, options.precision);
    LowerOptions rest = options;
    rest.precision = Precision::f32;
    std::optional<Graph> further = changed(narrowed, rest);
    return further ? std::move(*further) : std::move(narrowed);
  }
  const KernelTable& table = kernel_table(options.level);
  auto replace = [&](NodeId id) {
    Op op = graph.node(id).op;
    return options.decompose_composites || !table[kernel_of(op)].run ||
           (op == Op::adam && graph.attributes(id)[4] > kMaxAverages);
  };
  bool any = false;
  for (NodeId id = 0; id < graph.size(); ++id)
    any = any || (is_composite(graph.node(id).op) && replace(id));
  if (!any) return std::nullopt;
  return expand_composites(graph, replace);
}

}  // namespace

Graph prepared(const Graph& graph, const LowerOptions& options) {
  std::optional<Graph> made = changed(graph, options);
  return made ? std::move(*made) : narrow_products(graph, Precision::f32);
}

Program lower(const Graph& graph, const LowerOptions& options) {
  std::optional<Graph> made = changed(graph, options);
  return Lowering(made ? *made : graph, options).run();
}

}  // namespace atelier
