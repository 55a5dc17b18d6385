// Verification: the f64 oracle runs the same nodes, and every step is compared with it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compile/expand.h"
#include "graph/op_table.h"
#include "graph/oracle.h"
#include "run/executor.h"

namespace atelier {
namespace {

double element(const std::byte* data, DType type, std::int64_t i) {
  switch (type) {
    case DType::f32:
      return reinterpret_cast<const float*>(data)[i];
    case DType::i32:
      return reinterpret_cast<const std::int32_t*>(data)[i];
    case DType::u8:
      return std::to_integer<int>(data[i]);
    case DType::bf16:
      return to_float(reinterpret_cast<const BFloat16*>(data)[i]);
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

}  // namespace

Graph copy_graph(const Graph& graph, bool decompose_composites) {
  return expand_composites(graph, [&](NodeId) { return decompose_composites; });
}

void verify_run(const Program& program, const Graph& graph, Executor& executor,
                const std::function<std::byte*(TensorId)>& address) {
  OracleState state;
  for (const ProgramPort& p : program.inputs)
    state.inputs[p.name] = read(address(p.tensor), p.type);
  for (std::size_t i = 0; i < program.slots.size(); ++i) {
    state.slots[program.slots[i].name] =
        read(address(program.slot_tensors[i]), program.slots[i].type);
  }
  std::vector<Value> wanted;
  for (const Step& step : program.steps) wanted.push_back({step.node, 0});
  std::vector<Dense> expected = evaluate(graph, wanted, state);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    executor.run_step(i);
    // The step that completes a node is compared; copies and fills on the way are not.
    bool last = std::none_of(program.steps.begin() + std::ptrdiff_t(i) + 1, program.steps.end(),
                             [&](const Step& s) { return s.node == step.node; });
    if (!last || step.kernel == KernelId::pack || step.kernel == KernelId::copy) continue;
    Dense found = read(
        address(step.pointers[0].write ? step.pointers[0].tensor : step.pointers.back().tensor),
        step.type);
    for (const Pointer& p : step.pointers) {
      if (p.write) {
        found = read(address(p.tensor) + p.byte_offset, step.type);
        break;
      }
    }
    double scale = 1e-6;
    for (double v : expected[i].v) scale = std::max(scale, std::abs(v));
    for (std::size_t j = 0; j < found.v.size(); ++j) {
      if (std::abs(found.v[j] - expected[i].v[j]) <= 1e-3 * scale || std::isnan(expected[i].v[j]))
        continue;
      throw Error(fmt::format("verify: step {} ({} {} of {}, {}): element {} is {}, expected {}", i,
                              name(step.kernel), to_string(step.type), step.scope,
                              to_string(step.site), j, found.v[j], expected[i].v[j]));
    }
  }
}

}  // namespace atelier
