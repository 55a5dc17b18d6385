// Program: a graph lowered to a flat list of kernel steps over symbolic tensors. It knows no
// addresses, so it can be made, explained and checked for any level on any host.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "compile/precision.h"
#include "graph/graph.h"
#include "kernels/kernels.h"

namespace atelier {

// Where a tensor's memory comes from.
enum class Home : std::uint8_t {
  arena,   // placed by layout(), alive from its first to its last step
  slot,    // memory of a stored tensor
  packed,  // panels of weights: outlive runs, redone when their slot has changed
};

using TensorId = std::uint32_t;
inline constexpr TensorId kNoTensor = ~TensorId{0};

struct ProgramTensor {
  Home home = Home::arena;
  std::int64_t bytes = 0;
  std::uint32_t slot = 0;           // index into Program::slots, for slot and packed
  bool whole_run = false;           // inputs and outputs: never shared with others
  TensorId in_slot_of = kNoTensor;  // written straight into that slot's memory (an update in place)
  // Filled by layout():
  std::int64_t offset = -1;            // in the arena or the packed memory
  std::int32_t first = -1, last = -1;  // steps
};

// A pointer in a step's arguments: args + field = memory of tensor + byte_offset.
struct Pointer {
  std::uint16_t field;
  bool write;
  TensorId tensor;
  std::int64_t byte_offset;
};

struct Step {
  KernelId kernel;
  std::vector<std::byte> args;
  std::vector<Pointer> pointers;
  std::vector<TileInsn> code;    // tile programs
  TensorId scratch = kNoTensor;  // sized by layout() for the team
  std::uint16_t scratch_field = 0;
  bool barrier = true;      // by layout(): the team meets after it
  NodeId node = 0;          // the node it works for
  std::uint16_t nodes = 1;  // how many nodes it computes
  // It completes these parts of the node, in order of its writes: from then on the tensors written
  // hold them from their first byte, dense. None for what only leads there (a pack, a fill).
  std::uint16_t part = 0, parts = 0;
  Type type;  // of its first result
  std::string scope;
  Where site;
  double flops = 0;  // 2 x multiply-accumulate for products, else as the rows of its nodes say
  double bytes = 0;  // of its operands and results; what is broadcast counts once
};

struct ProgramSlot {
  std::string name;
  Type type;
  bool updated = false;
};
// At the end of a run the slot holds what `value` held at byte_offset.
struct ProgramUpdate {
  std::uint32_t slot;
  TensorId value;
  std::int64_t byte_offset;
};
struct ProgramPort {
  std::string name;
  Type type;
  TensorId tensor;
  std::int64_t byte_offset = 0;
};

struct Program {
  Level level = Level::avx2;
  std::vector<ProgramTensor> tensors;
  std::vector<ProgramSlot> slots;
  std::vector<TensorId> slot_tensors;  // one a slot
  std::vector<Step> prologue;          // packs weights; run when a slot's version changed
  std::vector<Step> steps;
  std::vector<ProgramPort> inputs, outputs;
  std::vector<ProgramUpdate> updates;
  TensorId guard = kNoTensor;  // tensor of the guard output
  double flops = 0;            // of products and composites
  // By layout(). At its peak the live tensors take live_peak bytes, those that share memory once.
  std::int64_t arena_bytes = 0, packed_bytes = 0, live_peak = 0;
  int threads = 0;
};

// A plan could not be made; run/plan.h names it for users.
class ProgramError : public Error {
 public:
  using Error::Error;
};

struct LowerOptions {
  Level level = Level::avx2;
  Precision precision = Precision::f32;
  bool decompose_composites = false;
  bool fuse = true;        // chains of elementwise nodes in one tile program; values do not change
  std::string guard = {};  // output that is complete before any slot is written; empty: none
};

// The graph that is lowered, whose nodes the steps name: products narrowed, then composites that
// have no kernel for their case replaced by primitives. Lowering it at f32 changes nothing more.
Graph prepared(const Graph& graph, const LowerOptions& options);

// Lowers what outputs and updates of the prepared graph need. Throws ProgramError for f64 values.
Program lower(const Graph& graph, const LowerOptions& options);

// Decides which updates are written in place, lifetimes, offsets, and after which steps the team
// must meet, for a team of `threads`. `reuse` false gives every tensor its own memory (verify
// mode).
void layout(Program& program, int threads, bool reuse = true);

// What a step does: "matmul", "tile: sub mul exp".
std::string what_of(const Step& step);
// The step table as text.
std::string explain(const Program& program);

}  // namespace atelier
