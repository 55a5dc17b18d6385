// Executor: steps with their pointers aimed, run one after another by the whole team.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "compile/program.h"
#include "graph/graph.h"

namespace atelier {

class Executor {
 public:
  // Copies all arguments and sets their pointers; allocates everything that run() needs.
  void aim(const Program& program, const std::function<std::byte*(TensorId)>& address, int threads);
  void run() noexcept { run_range(0, steps_.size()); }
  void run_range(std::size_t first, std::size_t last) noexcept;
  // Which prologue steps the next run_prologue() performs.
  std::vector<bool>& prologue_due() { return due_; }
  void run_prologue() noexcept;
  // Runs [0, last) step by step: the first step whose f32 results are not all finite (or the number
  // of steps), with dead memory filled with NaN if `poison`.
  std::size_t run_watched(const Program& program, bool poison, std::size_t last);
  void run_step(std::size_t index) noexcept;

 private:
  struct Ready {
    Kernel run;
    const void* args;
    int phases;
    bool barrier;  // after its last phase
  };
  struct Span {
    std::byte* data;
    std::int64_t bytes;
  };
  std::vector<Ready> steps_, prologue_;
  std::vector<bool> due_;
  std::vector<std::vector<Span>> results_, dying_;  // of each step, for run_watched()
  Buffer arguments_;
  std::vector<TileInsn> code_;
  std::unique_ptr<Barrier> barrier_;
  // The bodies are kept so that a run does not allocate.
  std::function<void(int, int)> range_, packs_;
  std::size_t first_ = 0, last_ = 0;
};

// Runs the program step by step. What a step completes is compared with the f64 oracle of its node
// on the operands as they lie in memory, so that errors do not add up: movements, comparisons,
// conversions and integers must agree exactly, sums and products within 1e-5 times the sum of
// magnitudes, all else within 1e-5 times the largest value of the result and what moving the
// operands by some units in the last place would do. `graph` is the one that
// was lowered (prepared()), without fusion; the layout without reuse of memory. Throws Error naming
// the first step that differs.
void verify_run(const Program& program, const Graph& graph, Executor& executor,
                const std::function<std::byte*(TensorId)>& address);

}  // namespace atelier
