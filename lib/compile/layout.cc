// Memory of a program: updates in place, lifetimes, reuse by dying operands, offsets by best fit.
#include <algorithm>
#include <cstddef>
#include <map>
#include <tuple>

#include "base/memory.h"
#include "compile/program.h"

namespace atelier {
namespace {

const TileOperand* tile_operand(const Step& step, std::uint16_t field) {
  const auto* args = reinterpret_cast<const TileArgs*>(step.args.data());
  return &args->operand[(field - offsetof(TileArgs, operand)) / sizeof(TileOperand)];
}

// May the result behind `out` overwrite the operand behind `in` within this step?
bool may_alias(const Step& step, const Pointer& out, const Pointer& in) {
  if (out.byte_offset != 0 || in.byte_offset != 0) return false;
  if (step.kernel == KernelId::tile) {
    // A chunk is read whole before it is written: same elements in the same order suffice.
    const auto* args = reinterpret_cast<const TileArgs*>(step.args.data());
    const TileOperand *a = tile_operand(step, out.field), *b = tile_operand(step, in.field);
    return size_of(a->dtype) == size_of(b->dtype) &&
           std::equal(a->stride, a->stride + args->rank, b->stride);
  }
  auto pairs = alias_pairs(step.kernel);
  return std::any_of(pairs.begin(), pairs.end(),
                     [&](AliasPair p) { return p.output == out.field && p.input == in.field; });
}

// Every read of `operand` in this step may be overwritten by the write `out`.
bool overwrites(const Step& step, const Pointer& out, TensorId operand) {
  return std::all_of(step.pointers.begin(), step.pointers.end(), [&](const Pointer& p) {
    return p.write || p.tensor != operand || may_alias(step, out, p);
  });
}

const Pointer* write_of(const Step& step, TensorId tensor) {
  for (const Pointer& p : step.pointers) {
    if (p.write && p.tensor == tensor) return &p;
  }
  return nullptr;
}

// A copy into a slot's memory at the end of the program.
bool commits(const Program& program, const Step& step) {
  if (step.kernel != KernelId::copy) return false;
  const Pointer& to = step.pointers[0];
  return program.tensors[to.tensor].home == Home::slot && to.byte_offset == 0;
}

struct Life {
  std::int32_t first_write = -1, first = -1, last = -1;
};
std::vector<Life> lives(const Program& program) {
  std::vector<Life> life(program.tensors.size());
  auto touch = [&](TensorId tensor, std::int32_t at, bool write) {
    Life& l = life[tensor];
    if (l.first < 0) l.first = at;
    if (write && l.first_write < 0) l.first_write = at;
    l.last = at;
  };
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    for (const Pointer& p : program.steps[i].pointers) touch(p.tensor, std::int32_t(i), p.write);
    if (program.steps[i].scratch != kNoTensor)
      touch(program.steps[i].scratch, std::int32_t(i), true);
  }
  return life;
}

// Last step that reads each slot, commits aside.
std::map<TensorId, std::int32_t> last_readers(const Program& program) {
  std::map<TensorId, std::int32_t> last;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    for (const Pointer& p : program.steps[i].pointers) {
      if (!p.write && program.tensors[p.tensor].home == Home::slot)
        last[p.tensor] = std::int32_t(i);
    }
  }
  return last;
}

// Turns commits into writes in place where every reader of the old value comes earlier, or in the
// writing step itself and its kernel allows it.
void place_updates(Program& program) {
  auto life = lives(program);
  auto readers = last_readers(program);
  // Slots are written after the guard is known.
  std::int32_t guard = -1;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    if (program.guard != kNoTensor && write_of(program.steps[i], program.guard))
      guard = std::int32_t(i);
  }
  std::vector<bool> drop(program.steps.size(), false);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Step& commit = program.steps[i];
    if (!commits(program, commit)) continue;
    TensorId slot = commit.pointers[0].tensor, value = commit.pointers[1].tensor;
    ProgramTensor& t = program.tensors[value];
    bool input = std::any_of(program.inputs.begin(), program.inputs.end(),
                             [&](const ProgramPort& p) { return p.tensor == value; });
    if (t.home != Home::arena || input || t.in_slot_of != kNoTensor ||
        commit.pointers[1].byte_offset != 0 || t.bytes != program.tensors[slot].bytes ||
        life[value].first_write < 0) {
      continue;
    }
    auto reader = readers.find(slot);
    std::int32_t last = reader == readers.end() ? -1 : reader->second, at = life[value].first_write;
    if (last > at || at <= guard) continue;
    const Step& maker = program.steps[std::size_t(at)];
    const Pointer* out = write_of(maker, value);
    if (last == at && (!out || !overwrites(maker, *out, slot))) continue;
    t.in_slot_of = slot;
    drop[i] = true;
  }
  std::size_t to = 0;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    if (drop[i]) continue;
    if (to != i) program.steps[to] = std::move(program.steps[i]);
    ++to;
  }
  program.steps.resize(to);
}

// Free memory by offset; the arena grows at its end.
class Gaps {
 public:
  std::int64_t take(std::int64_t bytes) {
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second >= bytes && (best == free_.end() || it->second < best->second)) best = it;
    }
    if (best == free_.end()) {
      std::int64_t at = end_;
      if (!free_.empty() &&
          std::prev(free_.end())->first + std::prev(free_.end())->second == end_) {
        at = std::prev(free_.end())->first;  // extends the last gap
        free_.erase(std::prev(free_.end()));
      }
      end_ = at + bytes;
      return at;
    }
    auto [at, size] = *best;
    free_.erase(best);
    if (size > bytes) free_.emplace(at + bytes, size - bytes);
    return at;
  }
  void give(std::int64_t at, std::int64_t bytes) {
    auto next = free_.lower_bound(at);
    if (next != free_.end() && at + bytes == next->first) {
      bytes += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      auto before = std::prev(next);
      if (before->first + before->second == at) {
        before->second += bytes;
        return;
      }
    }
    free_.emplace(at, bytes);
  }
  std::int64_t end() const { return end_; }

 private:
  std::map<std::int64_t, std::int64_t> free_;
  std::int64_t end_ = 0;
};

std::int64_t padded(std::int64_t bytes) {
  return std::int64_t(round_up(std::size_t(std::max<std::int64_t>(bytes, 1)), kAlignment));
}

// Memory that holds one tensor after another, each where the former dies: alive without a break.
struct Block {
  std::int32_t first, last;  // steps
  std::int64_t bytes, offset;
};

class Placer {
 public:
  Placer(Program& program, bool reuse)
      : p_(program), reuse_(reuse), taken_(program.tensors.size(), false) {}

  void run() {
    make_blocks();
    p_.arena_bytes = fit_in_order(false);
    // Which end one begins at decides where holes are left.
    if (reuse_ && p_.arena_bytes > p_.live_peak) {
      std::vector<Block> forwards = blocks_;
      std::int64_t bytes = fit_in_order(true);
      if (bytes >= p_.arena_bytes) blocks_ = std::move(forwards);
      p_.arena_bytes = std::min(p_.arena_bytes, bytes);
    }
    for (TensorId id = 0; id < p_.tensors.size(); ++id) {
      if (block_of_[id] != kNone) p_.tensors[id].offset = blocks_[block_of_[id]].offset;
    }
  }

 private:
  void make_blocks() {
    std::vector<TensorId> born;
    for (TensorId id = 0; id < p_.tensors.size(); ++id) {
      const ProgramTensor& t = p_.tensors[id];
      if (t.home == Home::arena && t.in_slot_of == kNoTensor && t.first >= 0) born.push_back(id);
    }
    std::sort(born.begin(), born.end(), [&](TensorId a, TensorId b) {
      const ProgramTensor &t = p_.tensors[a], &u = p_.tensors[b];
      return std::tuple(t.first, u.bytes, a) < std::tuple(u.first, t.bytes, b);
    });
    block_of_.assign(p_.tensors.size(), kNone);
    for (TensorId id : born) {
      const ProgramTensor& t = p_.tensors[id];
      TensorId dying = predecessor(id);
      std::size_t block = dying == kNoTensor ? blocks_.size() : block_of_[dying];
      if (dying == kNoTensor) blocks_.push_back({t.first, t.last, padded(t.bytes), 0});
      blocks_[block].last = t.last;
      block_of_[id] = block;
    }
  }

  // An operand that dies where this tensor is born and may be overwritten by it.
  TensorId predecessor(TensorId id) {
    const ProgramTensor& t = p_.tensors[id];
    if (!reuse_ || t.first == std::int32_t(p_.steps.size())) return kNoTensor;
    const Step& step = p_.steps[std::size_t(t.first)];
    const Pointer* out = write_of(step, id);
    for (const Pointer& in : step.pointers) {
      const ProgramTensor& u = p_.tensors[in.tensor];
      if (!out || in.write || taken_[in.tensor] || u.home != Home::arena ||
          u.in_slot_of != kNoTensor || u.whole_run || t.whole_run || u.last != t.first ||
          padded(u.bytes) != padded(t.bytes) || !overwrites(step, *out, in.tensor)) {
        continue;
      }
      taken_[in.tensor] = true;
      return in.tensor;
    }
    return kNoTensor;
  }

  // Best fit as blocks come and go, from the first step to the last or back; finds the live peak on
  // the way.
  std::int64_t fit_in_order(bool backwards) {
    struct Event {
      std::int32_t at;
      std::int64_t bytes;
      std::size_t block;
    };
    std::vector<Event> born, dying;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const Block& b = blocks_[i];
      born.push_back({backwards ? -b.last : b.first, b.bytes, i});
      dying.push_back({backwards ? -b.first : b.last, b.bytes, i});
    }
    auto by_time = [](const Event& a, const Event& b) {
      return std::tuple(a.at, b.bytes, a.block) < std::tuple(b.at, a.bytes, b.block);
    };
    std::sort(born.begin(), born.end(), by_time);
    std::sort(dying.begin(), dying.end(), by_time);
    Gaps gaps;
    std::int64_t live = 0;
    std::size_t next = 0;
    for (const Event& death : dying) {
      for (; next < born.size() && born[next].at <= death.at; ++next) {
        live += born[next].bytes;
        blocks_[born[next].block].offset = gaps.take(born[next].bytes);
      }
      p_.live_peak = std::max(p_.live_peak, live);
      live -= death.bytes;
      if (reuse_) gaps.give(blocks_[death.block].offset, death.bytes);
    }
    return gaps.end();
  }

  Program& p_;
  bool reuse_;
  std::vector<bool> taken_;  // tensors whose block goes on with another
  std::vector<Block> blocks_;
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::vector<std::size_t> block_of_;  // of each tensor of the arena
};

// Memory that a step touches: where it lies is what counts, not which tensor it is.
struct Range {
  std::int64_t space;  // -1: the arena, else a slot
  std::int64_t first, last;
  bool write;
};
bool conflict(const Range& a, const Range& b) {
  return (a.write || b.write) && a.space == b.space && a.first < b.last && b.first < a.last;
}

void add_ranges(const Program& program, const Step& step, std::vector<Range>& ranges) {
  auto add = [&](TensorId id, bool write) {
    const ProgramTensor& t = program.tensors[id];
    if (t.home == Home::packed) return;  // written by the prologue alone
    bool slot = t.home == Home::slot || t.in_slot_of != kNoTensor;
    TensorId holder = t.in_slot_of != kNoTensor ? t.in_slot_of : id;
    if (slot) {
      ranges.push_back({program.tensors[holder].slot, 0, 1, write});
    } else {
      ranges.push_back({-1, t.offset, t.offset + padded(t.bytes), write});
    }
  };
  for (const Pointer& p : step.pointers) add(p.tensor, p.write);
  if (step.scratch != kNoTensor) add(step.scratch, true);
}

// The team meets only before a step that touches what a step since the last meeting has written, or
// writes what one has touched. The list of ranges stays short, so that this is linear.
void place_barriers(Program& program) {
  constexpr std::size_t kMostRanges = 48;
  std::vector<Range> since, mine;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    mine.clear();
    add_ranges(program, program.steps[i], mine);
    bool meets = since.size() > kMostRanges;
    for (const Range& r : mine) {
      meets = meets || std::any_of(since.begin(), since.end(),
                                   [&](const Range& s) { return conflict(r, s); });
    }
    if (i > 0) program.steps[i - 1].barrier = meets;
    if (meets) since.clear();
    since.insert(since.end(), mine.begin(), mine.end());
  }
  if (!program.steps.empty()) program.steps.back().barrier = true;
}

}  // namespace

void layout(Program& program, int threads, bool reuse) {
  const KernelTable& table = kernel_table(program.level);
  if (program.threads == 0) place_updates(program);
  program.threads = threads;
  for (auto* list : {&program.prologue, &program.steps}) {
    for (Step& step : *list) {
      if (step.scratch == kNoTensor) continue;
      auto* bytes = table[step.kernel].scratch_bytes;
      program.tensors[step.scratch].bytes =
          bytes ? std::int64_t(bytes(step.args.data(), threads)) : 0;
    }
  }
  auto life = lives(program);
  std::int32_t end = std::int32_t(program.steps.size());
  std::int64_t packed = 0;
  for (TensorId id = 0; id < program.tensors.size(); ++id) {
    ProgramTensor& t = program.tensors[id];
    t.first = t.whole_run ? 0 : life[id].first;
    t.last = t.whole_run ? end : life[id].last;
    if (t.home == Home::packed) {
      t.offset = packed;
      packed += padded(t.bytes);
    }
  }
  program.packed_bytes = packed;
  program.live_peak = 0;
  Placer(program, reuse).run();
  place_barriers(program);
}

}  // namespace atelier
