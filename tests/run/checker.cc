// The abstract memory: which tensor owns which bytes after each step.
#include "run/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>

namespace atelier::testing {
namespace {

// A place: the arena (space -1), packed weights (-2) or a slot by its index.
struct Place {
  int space = -1;
  std::int64_t first = 0, last = 0;  // bytes
};
bool meet(const Place& a, const Place& b) {
  return a.space == b.space && a.first < b.last && b.first < a.last;
}

// Bytes that a pointer of a step reaches, relative to the pointer: [low, high).
struct Reach {
  std::int64_t low = 0, high = 0;
};
Reach strided(int rank, const std::int64_t* extent, const std::int64_t* stride,
              std::int64_t element) {
  Reach reach;
  for (int i = 0; i < rank; ++i) {
    std::int64_t far = (extent[i] - 1) * stride[i] * element;
    (far < 0 ? reach.low : reach.high) += far;
  }
  reach.high += element;
  return reach;
}

class Checker {
 public:
  explicit Checker(const Program& p) : p_(p) {}

  std::vector<std::string> run() {
    for (const ProgramPort& port : p_.inputs) own(port.tensor);
    for (TensorId id = 0; id < p_.tensors.size(); ++id) {
      // Slots hold their stored values; panels are filled by the prologue.
      if (p_.tensors[id].home == Home::slot && p_.tensors[id].in_slot_of == kNoTensor) own(id);
    }
    for (const Step& step : p_.prologue) {
      for (const Pointer& q : step.pointers) {
        if (q.write) own(q.tensor);
      }
    }
    for (at_ = 0; at_ < p_.steps.size(); ++at_) {
      const Step& step = p_.steps[at_];
      for (const Pointer& q : step.pointers) bounds(step, q);
      meetings(step);
      aliases(step);
      for (const Pointer& q : step.pointers) {
        if (!q.write) read(q.tensor);
      }
      if (step.scratch != kNoTensor) own(step.scratch);
      for (const Pointer& q : step.pointers) {
        if (q.write) own(q.tensor);
      }
      commit(step);
      if (step.barrier) since_.clear();
    }
    for (const ProgramPort& port : p_.outputs) read(port.tensor);
    updates();
    return faults_;
  }

 private:
  template <class... Args>
  void fault(fmt::format_string<Args...> text, Args&&... args) {
    if (faults_.size() < 20) faults_.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  std::string step_name() const {
    return at_ < p_.steps.size() ? fmt::format("step {} ({})", at_, name(p_.steps[at_].kernel))
                                 : "the end";
  }

  Place place(TensorId id) const {
    const ProgramTensor& t = p_.tensors[id];
    if (t.in_slot_of != kNoTensor) return {int(p_.tensors[t.in_slot_of].slot), 0, t.bytes};
    if (t.home == Home::slot) return {int(t.slot), 0, t.bytes};
    return {t.home == Home::packed ? -2 : -1, t.offset, t.offset + t.bytes};
  }

  // The tensor's bytes hold its own value from now on, and nobody else's.
  void own(TensorId id) {
    Place mine = place(id);
    std::erase_if(owners_,
                  [&](const auto& entry) { return entry.first != id && meet(entry.second, mine); });
    owners_[id] = mine;
    sources_.erase(id);
  }

  void read(TensorId id) {
    if (p_.tensors[id].bytes == 0 || owners_.count(id)) return;
    for (const auto& [other, where] : owners_) {
      if (!meet(where, place(id))) continue;
      return fault("lifetime: {} reads tensor {}, but its memory holds tensor {}", step_name(), id,
                   other);
    }
    fault("lifetime: {} reads tensor {}, which nobody has written", step_name(), id);
  }

  // What the team has touched since it last met.
  void meetings(const Step& step) {
    auto touch = [&](TensorId id, bool write) {
      Place where = place(id);
      for (const auto& [step_before, other, wrote] : since_) {
        if (step_before == at_ || !(wrote || write) || !meet(other, where)) continue;
        fault("barrier: {} and step {} touch the same memory, and the team does not meet between",
              step_name(), step_before);
        break;
      }
      since_.push_back({at_, where, write});
    };
    for (const Pointer& q : step.pointers) touch(q.tensor, q.write);
    if (step.scratch != kNoTensor) touch(step.scratch, true);
  }

  void aliases(const Step& step) {
    for (const Pointer& out : step.pointers) {
      if (!out.write) continue;
      for (const Pointer& in : step.pointers) {
        if (&in == &out || (in.write && in.tensor == out.tensor)) continue;
        Place a = place(out.tensor), b = place(in.tensor);
        if (in.tensor == out.tensor || !meet(a, b) || allowed(step, out, in)) continue;
        fault("alias: {} writes tensor {} over tensor {}", step_name(), out.tensor, in.tensor);
      }
    }
    if (step.scratch == kNoTensor) return;
    for (const Pointer& q : step.pointers) {
      if (p_.tensors[step.scratch].bytes > 0 && meet(place(step.scratch), place(q.tensor)))
        fault("alias: {} keeps its scratch over tensor {}", step_name(), q.tensor);
    }
  }

  // Only the very same bytes in the very same order may be read and written by one step.
  bool allowed(const Step& step, const Pointer& out, const Pointer& in) const {
    if (in.write || out.byte_offset != in.byte_offset) return false;
    if (place(out.tensor).first != place(in.tensor).first) return false;
    if (step.kernel == KernelId::tile) {
      const auto* args = reinterpret_cast<const TileArgs*>(step.args.data());
      const TileOperand *a = operand(step, out), *b = operand(step, in);
      for (int i = 0; i < args->rank; ++i) {
        if (a->stride[i] != b->stride[i] && args->extent[i] > 1) return false;
      }
      return size_of(a->dtype) == size_of(b->dtype);
    }
    for (AliasPair pair : alias_pairs(step.kernel)) {
      if (pair.output == out.field && pair.input == in.field) return true;
    }
    return false;
  }

  static const TileOperand* operand(const Step& step, const Pointer& q) {
    const auto* args = reinterpret_cast<const TileArgs*>(step.args.data());
    return &args->operand[(q.field - offsetof(TileArgs, operand)) / sizeof(TileOperand)];
  }

  void bounds(const Step& step, const Pointer& q) {
    Reach reach;
    if (step.kernel == KernelId::tile) {
      const auto* args = reinterpret_cast<const TileArgs*>(step.args.data());
      const TileOperand* o = operand(step, q);
      reach = strided(args->rank, args->extent, o->stride, std::int64_t(size_of(o->dtype)));
    } else if (step.kernel == KernelId::copy) {
      const auto* args = reinterpret_cast<const CopyArgs*>(step.args.data());
      reach = strided(args->rank, args->extent, q.write ? args->dst_stride : args->src_stride,
                      args->element_bytes);
    } else if (step.kernel == KernelId::fill) {
      reach.high = reinterpret_cast<const FillArgs*>(step.args.data())->bytes;
    } else if (step.kernel == KernelId::matmul) {
      reach = of_matmul(*reinterpret_cast<const MatmulArgs*>(step.args.data()), q.field);
    } else if (q.write && q.field == step.pointers[0].field && !step.type.shape.count()) {
      return;
    }
    std::int64_t bytes = p_.tensors[q.tensor].bytes;
    if (q.byte_offset + reach.low >= 0 && q.byte_offset + reach.high <= bytes) return;
    fault("stride: {} reaches bytes {} to {} of tensor {}, which has {}", step_name(),
          q.byte_offset + reach.low, q.byte_offset + reach.high, q.tensor, bytes);
  }

  static Reach of_matmul(const MatmulArgs& m, std::uint16_t field) {
    if (field == offsetof(MatmulArgs, c)) return {0, m.batch * m.m * m.n * 4};
    if (field != offsetof(MatmulArgs, a)) return {};
    const std::int64_t extent[] = {m.batch, m.m, m.k};
    const std::int64_t stride[] = {m.a_batch_stride, m.a_row_stride, m.a_k_stride};
    return strided(3, extent, stride, 4);
  }

  // A whole copy into a slot's memory hands a value on.
  void commit(const Step& step) {
    if (step.kernel != KernelId::copy) return;
    const Pointer &to = step.pointers[0], &from = step.pointers[1];
    if (p_.tensors[to.tensor].home != Home::slot) return;
    const auto* args = reinterpret_cast<const CopyArgs*>(step.args.data());
    std::int64_t bytes = args->element_bytes;
    for (int i = 0; i < args->rank; ++i) bytes *= args->extent[i];
    if (bytes == p_.tensors[to.tensor].bytes) sources_[to.tensor] = {from.tensor, from.byte_offset};
  }

  void updates() {
    std::set<std::uint32_t> updated;
    for (const ProgramUpdate& u : p_.updates) {
      updated.insert(u.slot);
      TensorId slot = p_.slot_tensors[u.slot];
      bool unchanged = u.value == slot && owners_.count(slot) && !sources_.count(slot);
      bool in_place = p_.tensors[u.value].in_slot_of == slot && owners_.count(u.value);
      auto source = sources_.find(slot);
      bool copied = owners_.count(slot) && source != sources_.end() &&
                    source->second == std::pair(u.value, u.byte_offset);
      if (unchanged || in_place || copied) continue;
      fault("update: slot '{}' does not end with the value of tensor {}", p_.slots[u.slot].name,
            u.value);
    }
    for (std::uint32_t s = 0; s < p_.slots.size(); ++s) {
      TensorId slot = p_.slot_tensors[s];
      if (!updated.count(s) && (!owners_.count(slot) || sources_.count(slot)))
        fault("update: slot '{}' is written, but has no update", p_.slots[s].name);
      if (p_.slots[s].updated != (updated.count(s) > 0))
        fault("update: slot '{}' is marked wrongly", p_.slots[s].name);
    }
  }

  struct Touch {
    std::size_t step;
    Place where;
    bool write;
  };
  const Program& p_;
  std::size_t at_ = 0;
  std::map<TensorId, Place> owners_;
  std::map<TensorId, std::pair<TensorId, std::int64_t>> sources_;  // what slots were copied from
  std::vector<Touch> since_;
  std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> check_program(const Program& program) { return Checker(program).run(); }

}  // namespace atelier::testing
