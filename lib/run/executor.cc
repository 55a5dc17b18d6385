// One parallel region a run; threads walk the same array of steps with a barrier after each phase.
#include "run/executor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace atelier {

void Executor::aim(const Program& program, const std::function<std::byte*(TensorId)>& address,
                   int threads) {
  const KernelTable& table = kernel_table(program.level);
  std::size_t bytes = 0, insns = 0;
  for (auto* list : {&program.prologue, &program.steps}) {
    for (const Step& step : *list) {
      bytes += round_up(step.args.size(), kAlignment);
      insns += step.code.size();
    }
  }
  arguments_ = Buffer(std::max<std::size_t>(bytes, 1));
  code_.clear();
  code_.reserve(insns);
  steps_.clear();
  prologue_.clear();
  results_.clear();
  dying_.assign(program.steps.size(), {});
  std::size_t at = 0;
  auto ready = [&](const Step& step) {
    std::byte* args = arguments_.data() + at;
    at += round_up(step.args.size(), kAlignment);
    std::memcpy(args, step.args.data(), step.args.size());
    auto aim_at = [&](std::uint16_t field, std::byte* where) {
      std::memcpy(args + field, &where, sizeof where);
    };
    for (const Pointer& p : step.pointers) aim_at(p.field, address(p.tensor) + p.byte_offset);
    if (step.scratch != kNoTensor) aim_at(step.scratch_field, address(step.scratch));
    if (!step.code.empty()) {
      reinterpret_cast<TileArgs*>(args)->code = code_.data() + code_.size();
      code_.insert(code_.end(), step.code.begin(), step.code.end());
    }
    const KernelEntry& entry = table[step.kernel];
    return Ready{entry.run, args, entry.phases ? entry.phases(args) : 1, step.barrier};
  };
  for (const Step& step : program.prologue) prologue_.push_back(ready(step));
  for (const Step& step : program.steps) {
    steps_.push_back(ready(step));
    std::vector<Span> spans;
    for (const Pointer& p : step.pointers) {
      if (p.write && step.type.dtype == DType::f32)
        spans.push_back({address(p.tensor), program.tensors[p.tensor].bytes});
    }
    results_.push_back(spans);
  }
  for (TensorId id = 0; id < program.tensors.size(); ++id) {
    const ProgramTensor& t = program.tensors[id];
    bool dies = t.home == Home::arena && t.in_slot_of == kNoTensor && t.last >= 0 &&
                t.last < std::int32_t(program.steps.size());
    if (!dies || t.whole_run) continue;
    // Memory that a result of the dying step took over is alive.
    const auto& pointers = program.steps[std::size_t(t.last)].pointers;
    bool taken = std::any_of(pointers.begin(), pointers.end(), [&](const Pointer& p) {
      return p.write && p.tensor != id && address(p.tensor) == address(id);
    });
    if (!taken) dying_[std::size_t(t.last)].push_back({address(id), t.bytes});
  }
  due_.assign(prologue_.size(), true);
  barrier_ = std::make_unique<Barrier>(threads);
  range_ = [this](int thread, int team) {
    for (std::size_t i = first_; i < last_; ++i) {
      const Ready& step = steps_[i];
      for (int phase = 0; phase < step.phases; ++phase) {
        step.run(step.args, phase, thread, team);
        if (team > 1 && (step.barrier || phase + 1 < step.phases)) barrier_->wait();
      }
    }
  };
  packs_ = [this](int thread, int team) {
    for (std::size_t i = 0; i < prologue_.size(); ++i) {
      for (int phase = 0; due_[i] && phase < prologue_[i].phases; ++phase) {
        prologue_[i].run(prologue_[i].args, phase, thread, team);
        if (team > 1) barrier_->wait();
      }
    }
  };
}

void Executor::run_range(std::size_t first, std::size_t last) noexcept {
  first_ = first;
  last_ = last;
  parallel(range_);
}
void Executor::run_prologue() noexcept { parallel(packs_); }

void Executor::run_step(std::size_t index) noexcept {
  const Ready& step = steps_[index];
  parallel([&](int thread, int team) {
    for (int phase = 0; phase < step.phases; ++phase) {
      step.run(step.args, phase, thread, team);
      if (team > 1) barrier_->wait();
    }
  });
}

std::size_t Executor::run_watched(const Program& program, bool poison, std::size_t last) {
  std::size_t bad = program.steps.size();
  for (std::size_t i = 0; i < last; ++i) {
    run_step(i);
    for (const Span& span : results_[i]) {
      const float* values = reinterpret_cast<const float*>(span.data);
      bool finite =
          std::all_of(values, values + span.bytes / 4, [](float v) { return std::isfinite(v); });
      if (!finite && bad == program.steps.size()) bad = i;
    }
    if (!poison) continue;
    for (const Span& span : dying_[i]) std::memset(span.data, 0xff, std::size_t(span.bytes));
  }
  return bad;
}

}  // namespace atelier
