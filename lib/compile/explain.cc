// The step table for people.
#include <fmt/format.h>

#include "compile/program.h"

namespace atelier {
namespace {

std::string place_of(const Program& p, TensorId id) {
  const ProgramTensor& t = p.tensors[id];
  if (t.in_slot_of != kNoTensor) return p.slots[p.tensors[t.in_slot_of].slot].name + " (in place)";
  if (t.home == Home::slot) return p.slots[t.slot].name;
  if (t.home == Home::packed) return "packed " + p.slots[t.slot].name;
  return t.offset < 0 ? fmt::format("t{}", id) : fmt::format("@{}", t.offset);
}

std::string line_of(const Program& p, const Step& step, const std::string& number) {
  std::string reads, writes;
  for (const Pointer& q : step.pointers) {
    std::string& list = q.write ? writes : reads;
    list += (list.empty() ? "" : ", ") + place_of(p, q.tensor);
  }
  std::string what = what_of(step);
  return fmt::format("{:>4}  {:<32} {:<22} {:>8.3g} {:>8.3g}  {} -> {}  {} ({})\n", number, what,
                     to_string(step.type), step.flops / 1e3, step.bytes / 1024, reads, writes,
                     step.scope, to_string(step.site));
}

}  // namespace

std::string what_of(const Step& step) {
  std::string what{name(step.kernel)};
  if (step.kernel == KernelId::tile) {
    what.clear();
    for (const TileInsn& i : step.code) {
      if (i.op == TileOp::load || i.op == TileOp::store || i.op == TileOp::constant) continue;
      what += (what.empty() ? "" : " ") + std::string(name(i.op));
    }
    what = "tile: " + (what.empty() ? "move" : what);
  }
  return what;
}

std::string explain(const Program& p) {
  double flops = 0, bytes = 0;
  for (const Step& step : p.steps) flops += step.flops, bytes += step.bytes;
  std::string out = fmt::format(
      "level {}, {} steps and {} packs, {:.4g} kflop, {:.4g} KiB read and written; arena {} bytes "
      "(live peak {}), packed {} bytes\n{:>4}  {:<32} {:<22} {:>8} {:>8}  reads -> writes\n",
      name(p.level), p.steps.size(), p.prologue.size(), flops / 1e3, bytes / 1024, p.arena_bytes,
      p.live_peak, p.packed_bytes, "", "kernel", "result", "kflop", "KiB");
  for (const Step& step : p.prologue) out += line_of(p, step, "pack");
  for (std::size_t i = 0; i < p.steps.size(); ++i) out += line_of(p, p.steps[i], std::to_string(i));
  return out;
}

}  // namespace atelier
