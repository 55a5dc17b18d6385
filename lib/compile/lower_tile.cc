// Elementwise nodes: groups of them become one tile program over the flattened result.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "compile/lowering.h"

namespace atelier {
namespace {

// The opcode of an elementwise op on operands of a type; opcodes carry the names of their ops.
std::optional<TileOp> opcode_of(Op op, DType type) {
  if (op == Op::where) return TileOp::select;
  return tile_op(type == DType::i32 ? fmt::format("i32_{}", name(op)) : std::string(name(op)));
}

// Axes of extent 1 dropped and neighbours joined where every operand allows it.
void collapse(TileArgs& args) {
  int to = -1;
  for (int axis = 0; axis < args.rank; ++axis) {
    if (args.extent[axis] == 1) continue;
    bool joins = to >= 0;
    for (int k = 0; joins && k < args.num_operands; ++k) {
      const std::int64_t* s = args.operand[k].stride;
      joins = s[to] == s[axis] * args.extent[axis];
    }
    if (joins) {
      args.extent[to] *= args.extent[axis];
      for (int k = 0; k < args.num_operands; ++k)
        args.operand[k].stride[to] = args.operand[k].stride[axis];
      continue;
    }
    ++to;
    args.extent[to] = args.extent[axis];
    for (int k = 0; k < args.num_operands; ++k)
      args.operand[k].stride[to] = args.operand[k].stride[axis];
  }
  if (to < 0) {
    to = 0;
    args.extent[0] = 1;
    for (int k = 0; k < args.num_operands; ++k) args.operand[k].stride[0] = 0;
  }
  args.rank = to + 1;
}

}  // namespace

// Writes the program of one group: registers are handed out like a stack of expression results.
class StepBuilder {
 public:
  StepBuilder(Lowering& lowering, NodeId root)
      : l_(lowering), root_(root), step_(KernelId::tile, root) {}

  void run() {
    int result = emit(root_);
    finish(l_.define({root_, 0}), result);
  }

  // Element by element from one type to another that holds it.
  void move(const View& to, const View& from) { finish(to, load(from)); }

 private:
  void finish(const View& out, int result) {
    int k = operand(out, true);
    code_.push_back(
        {TileOp::store, std::uint8_t(result), std::uint8_t(result), std::uint8_t(k), 0});
    TileArgs& args = step_.args;
    args.num_insns = std::int32_t(code_.size());
    args.rank = out.type.shape.rank();
    for (int i = 0; i < args.rank; ++i) args.extent[i] = out.type.shape[i];
    collapse(args);
    Step step = step_.finish(l_.g_, l_.program_);
    step.code = code_;
    step.nodes = nodes_;
    step.type = out.type;
    step.flops = flops_;
    l_.program_.steps.push_back(std::move(step));
  }

  int take() {
    for (int r = 0; r < kTileRegisters; ++r) {
      if (!busy_[r]) {
        busy_[r] = true;
        return r;
      }
    }
    throw ProgramError(
        fmt::format("{}: a tile program ran out of registers", name(l_.g_.node(root_).op)));
  }
  void free(int r) { busy_[r] = false; }

  int operand(const View& v, bool write) {
    TileArgs& args = step_.args;
    for (int k = 0; !write && k < args.num_operands; ++k) {
      if (seen_[std::size_t(k)].tensor == v.tensor && seen_[std::size_t(k)].offset == v.offset &&
          seen_[std::size_t(k)].stride == v.stride) {
        return k;
      }
    }
    if (args.num_operands == kMaxTileOperands) {
      throw ProgramError(
          fmt::format("{}: a tile program ran out of operands", name(l_.g_.node(root_).op)));
    }
    int k = args.num_operands++;
    args.operand[k].dtype = v.type.dtype;
    for (int i = 0; i < v.type.shape.rank(); ++i) {
      args.operand[k].stride[i] = v.type.shape[i] == 1 ? 0 : v.stride[std::size_t(i)];
    }
    std::size_t field = offsetof(TileArgs, operand) + std::size_t(k) * sizeof(TileOperand) +
                        offsetof(TileOperand, data);
    write ? step_.writes(field, v) : step_.reads(field, v);
    seen_[std::size_t(k)] = v;
    return k;
  }

  int load(const View& v) {
    int r = take();
    if (v.constant) {
      std::uint32_t bits = v.type.dtype == DType::i32
                               ? std::uint32_t(std::int32_t(*v.constant))
                               : std::bit_cast<std::uint32_t>(float(*v.constant));
      code_.push_back({TileOp::constant, std::uint8_t(r), 0, 0, bits});
      return r;
    }
    int k = operand(v, false);
    code_.push_back({TileOp::load, std::uint8_t(r), 0, std::uint8_t(k), 0});
    return r;
  }

  int value(Value v) { return l_.deferred_[v.node] ? emit(v.node) : load(l_.view(v)); }

  // Result register of a node.
  int emit(NodeId id) {
    ++nodes_;
    if (id != root_) flops_ += l_.flops_[id];
    Op op = l_.g_.node(id).op;
    auto operands = l_.g_.operands(id);
    if (op == Op::cast) return cast(id);
    DType type = l_.g_.type(operands[op == Op::where ? 1 : 0]).dtype;
    auto opcode = opcode_of(op, type);
    if (!opcode) {
      throw ProgramError(
          fmt::format("{} of {}: no opcode ({})", name(op), name(type), to_string(l_.g_.site(id))));
    }
    int r[3] = {0, 0, 0};
    for (std::size_t k = 0; k < operands.size(); ++k) r[k] = value(operands[k]);
    for (std::size_t k = 0; k < operands.size(); ++k) free(r[k]);
    int out = take();
    TileInsn insn{*opcode, std::uint8_t(out), std::uint8_t(r[0]), std::uint8_t(r[1]),
                  std::uint32_t(r[2])};
    if (op == Op::where) {  // select: c ? a : b
      insn = {*opcode, std::uint8_t(out), std::uint8_t(r[1]), std::uint8_t(r[2]),
              std::uint32_t(r[0])};
    }
    code_.push_back(insn);
    return out;
  }

  int cast(NodeId id) {
    Value from = l_.g_.operands(id)[0];
    DType source = l_.g_.type(from).dtype, target = l_.g_.type({id, 0}).dtype;
    int r = value(from);
    if (source == target) return r;
    auto convert = [&](std::string_view function) {
      code_.push_back({*tile_op(function), std::uint8_t(r), std::uint8_t(r), 0, 0});
    };
    if (source == DType::i32 && target != DType::i32) convert("i32_to_f32");
    if (target == DType::bf16) convert("round_bf16");
    if (target == DType::i32) convert("to_i32");
    if (target == DType::u8) convert("to_u8");
    return r;
  }

  Lowering& l_;
  NodeId root_;
  StepOf<TileArgs> step_;
  std::vector<TileInsn> code_;
  std::array<View, kMaxTileOperands> seen_{};
  bool busy_[kTileRegisters] = {};
  std::uint16_t nodes_ = 0;
  double flops_ = 0;  // of nodes inside, the root aside
};

void Lowering::elementwise(NodeId root) { StepBuilder(*this, root).run(); }
void Lowering::convert(const View& to, const View& from, NodeId id) {
  StepBuilder(*this, id).move(to, from);
}

// An elementwise node read once, by an elementwise node of the same shape, is computed inside its
// reader's program as long as registers and operands suffice. Counts are upper bounds.
void Lowering::choose_groups() {
  deferred_.assign(g_.size(), false);
  if (!options_.fuse) return;
  std::vector<NodeId> reader(g_.size(), 0);
  for (NodeId id = 0; id < g_.size(); ++id) {
    if (!live_[id]) continue;
    for (Value v : g_.operands(id)) reader[v.node] = id;
  }
  struct Size {
    int loads = 0, registers = 1;
  };
  std::vector<Size> size(g_.size());
  for (NodeId id = 0; id < g_.size(); ++id) {
    if (!live_[id] || !is_elementwise(g_.node(id).op)) continue;
    Size total;
    int held = 0, peak = 0;
    for (Value v : g_.operands(id)) {
      bool inside = deferred_[v.node];
      Size s = inside ? size[v.node] : Size{1, 1};
      if (inside && (total.loads + s.loads + 4 > kMaxTileOperands ||
                     held + s.registers + 3 > kTileRegisters)) {
        deferred_[v.node] = inside = false;
        s = {1, 1};
      }
      total.loads += s.loads;
      peak = std::max(peak, held + s.registers);
      ++held;
    }
    total.registers = std::max(peak, held);
    size[id] = total;
    NodeId next = reader[id];
    deferred_[id] = uses_[id] == 1 && next > id && is_elementwise(g_.node(next).op) &&
                    live_[next] && g_.type({next, 0}).shape == g_.type({id, 0}).shape;
  }
}

}  // namespace atelier
