// Plan: binds a program to memory and runs it.
#include "run/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <list>

#include "base/parallel.h"
#include "compile/program.h"
#include "graph/oracle.h"
#include "run/executor.h"

namespace atelier {

struct Workspace::Impl {
  Buffer memory;
  std::uint64_t generation = 1;  // raised when the memory moves
  void grow(std::size_t bytes) {
    if (bytes <= memory.size()) return;
    memory = Buffer();  // first, so that both do not exist at once
    memory = Buffer(bytes);
    ++generation;
  }
};
Workspace::Workspace() : impl_(std::make_unique<Impl>()) {}
Workspace::~Workspace() = default;
std::size_t Workspace::bytes() const { return impl_->memory.size(); }

struct Plan::Impl {
  Program program;
  PlanOptions options;
  Graph graph;  // kept for verify only
  Store* store;
  std::shared_ptr<Workspace> workspace;
  Buffer packed;
  std::vector<StoredTensor*> slots;
  std::vector<std::uint64_t> packed_version;  // of each slot when its panels were made
  Executor executor;
  std::uint64_t generation = 0;
  int threads = 0;
  std::string non_finite;

  std::byte* address(TensorId id) const {
    const ProgramTensor& t = program.tensors[id];
    if (t.in_slot_of != kNoTensor) return slots[program.tensors[t.in_slot_of].slot]->data();
    if (t.home == Home::slot) return slots[t.slot]->data();
    if (t.home == Home::packed) return packed.data() + t.offset;
    return t.offset < 0 ? nullptr : workspace->impl_->memory.data() + t.offset;
  }

  // Places and aims everything; again when the team's size or the workspace has changed.
  void prepare() {
    if (threads != num_threads()) {
      layout(program, num_threads(), !options.verify);
      threads = num_threads();
      if (packed.size() < std::size_t(program.packed_bytes))
        packed = Buffer(std::size_t(program.packed_bytes));
      packed_version.assign(slots.size(), ~std::uint64_t{0});
      workspace->impl_->grow(std::size_t(program.arena_bytes));
      generation = 0;
    }
    if (generation != workspace->impl_->generation) {
      generation = workspace->impl_->generation;
      executor.aim(
          program, [this](TensorId id) { return address(id); }, threads);
    }
  }

  std::string describe(std::size_t bad) const {
    if (bad >= program.steps.size()) return "";
    const Step& step = program.steps[bad];
    return fmt::format("step {} ({}): {}{}{} ({})", bad, what_of(step), to_string(step.type),
                       step.scope.empty() ? "" : " of ", step.scope, to_string(step.site));
  }

  // The first step that writes into a stored tensor.
  std::size_t first_update() const {
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
      for (const Pointer& q : program.steps[i].pointers) {
        const ProgramTensor& t = program.tensors[q.tensor];
        if (q.write && (t.home == Home::slot || t.in_slot_of != kNoTensor)) return i;
      }
    }
    return program.steps.size();
  }

  // Packs that are out of date.
  void refresh_packs() {
    std::vector<bool>& due = executor.prologue_due();
    bool any = false;
    for (std::size_t i = 0; i < program.prologue.size(); ++i) {
      const Pointer& to = program.prologue[i].pointers[0];
      std::uint32_t slot = program.tensors[to.tensor].slot;
      due[i] = packed_version[slot] != slots[slot]->version;
      any = any || due[i];
    }
    if (!any) return;
    executor.run_prologue();
    for (std::size_t s = 0; s < slots.size(); ++s) packed_version[s] = slots[s]->version;
  }
};

namespace {

LowerOptions lowering(const PlanOptions& options) {
  return {.level = options.level,
          .precision = options.precision,
          .decompose_composites = options.decompose_composites,
          .fuse = options.fuse && !options.verify,
          .guard = options.guard};
}

Program lowered(const Graph& graph, const LowerOptions& options) {
  try {
    return lower(graph, options);
  } catch (const ProgramError& error) {
    throw PlanError(error.what());
  }
}

}  // namespace

Plan::Plan(const Graph& graph, Store& store, const PlanOptions& options,
           std::shared_ptr<Workspace> workspace)
    : impl_(std::make_unique<Impl>()) {
  Impl& p = *impl_;
  p.options = options;
  p.store = &store;
  p.workspace = workspace ? std::move(workspace) : std::make_shared<Workspace>();
  LowerOptions how = lowering(options);
  if (options.verify) {  // evaluates the nodes that the steps name
    p.graph = prepared(graph, how);
    how.precision = Precision::f32;
  }
  p.program = lowered(options.verify ? p.graph : graph, how);
  for (const ProgramSlot& slot : p.program.slots) {
    if (!store.has(slot.name)) {
      throw PlanError(fmt::format("slot '{}': expected {}, but the store has no such tensor",
                                  slot.name, to_string(slot.type)));
    }
    StoredTensor& tensor = store.at(slot.name);
    if (tensor.type != slot.type) {
      throw PlanError(fmt::format("slot '{}': expected {}, found {}", slot.name,
                                  to_string(slot.type), to_string(tensor.type)));
    }
    p.slots.push_back(&tensor);
  }
  p.prepare();
}

Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;
Plan::~Plan() = default;

void Plan::run() {
  Impl& p = *impl_;
  p.prepare();
  p.refresh_packs();
  p.non_finite.clear();
  if (p.options.verify) {
    verify_run(p.program, p.graph, p.executor, [&p](TensorId id) { return p.address(id); });
  } else if (p.options.check_finite || p.options.poison) {
    std::size_t bad = p.executor.run_watched(p.program, p.options.poison, p.program.steps.size());
    p.non_finite = p.describe(bad);
  } else {
    p.executor.run();
  }
  for (const ProgramUpdate& u : p.program.updates) ++p.slots[u.slot]->version;
}

bool Plan::run_guarded() {
  Impl& p = *impl_;
  if (p.options.guard.empty()) throw PlanError("the plan was made without a guard");
  p.prepare();
  p.refresh_packs();
  p.non_finite.clear();
  std::size_t middle = p.first_update();
  p.executor.run_range(0, middle);
  for (float value : output<float>(p.options.guard)) {
    if (std::isfinite(value)) continue;
    p.non_finite = p.describe(p.executor.run_watched(p.program, false, middle));
    return false;
  }
  p.executor.run_range(middle, p.program.steps.size());
  for (const ProgramUpdate& u : p.program.updates) ++p.slots[u.slot]->version;
  return true;
}

std::string Plan::non_finite() const { return impl_->non_finite; }
std::string Plan::explain() const { return atelier::explain(impl_->program); }
std::size_t Plan::arena_bytes() const { return std::size_t(impl_->program.arena_bytes); }
std::size_t Plan::packed_bytes() const { return std::size_t(impl_->program.packed_bytes); }
double Plan::flops() const { return impl_->program.flops; }
std::size_t Plan::steps() const { return impl_->program.steps.size(); }

namespace {
const ProgramPort* port(const std::vector<ProgramPort>& ports, std::string_view name) {
  auto found = std::find_if(ports.begin(), ports.end(),
                            [&](const ProgramPort& p) { return p.name == name; });
  return found == ports.end() ? nullptr : &*found;
}
const ProgramPort& checked(const std::vector<ProgramPort>& ports, std::string_view kind,
                           std::string_view label, DType type) {
  const ProgramPort* found = port(ports, label);
  if (!found) throw PlanError(fmt::format("the plan has no {} '{}'", kind, label));
  if (found->type.dtype != type) {
    throw PlanError(
        fmt::format("{} '{}' is {}, not {}", kind, label, to_string(found->type), name(type)));
  }
  return *found;
}
}  // namespace

bool Plan::has_input(std::string_view name) const { return port(impl_->program.inputs, name); }
bool Plan::has_output(std::string_view name) const { return port(impl_->program.outputs, name); }
Type Plan::input_type(std::string_view name) const {
  const ProgramPort* found = port(impl_->program.inputs, name);
  if (!found) throw PlanError(fmt::format("the plan has no input '{}'", name));
  return found->type;
}
Plan::Raw Plan::input_raw(std::string_view name, DType type) {
  const ProgramPort& p = checked(impl_->program.inputs, "input", name, type);
  impl_->prepare();
  return {impl_->address(p.tensor) + p.byte_offset, p.type.shape.count()};
}
Plan::Raw Plan::output_raw(std::string_view name, DType type) const {
  const ProgramPort& p = checked(impl_->program.outputs, "output", name, type);
  return {impl_->address(p.tensor) + p.byte_offset, p.type.shape.count()};
}

}  // namespace atelier
