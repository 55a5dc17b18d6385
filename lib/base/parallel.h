// The thread team. The only file with OpenMP; it knows CPUs, cgroup quotas and pinning.
#pragma once

#include <functional>

namespace atelier {

// More than these are a slip of the pen: OpenMP dies of a team that its stack cannot list.
inline constexpr int kMaxThreads = 1024;

// Threads to use if nobody says otherwise: OMP_NUM_THREADS, then SLURM_CPUS_PER_TASK, then the
// affinity mask cut by the cgroup CPU quota; from 1 to kMaxThreads.
int default_threads();

// Sets the size of the team (-j), at most kMaxThreads; 0 = default_threads(). Takes effect at the
// next region.
void set_threads(int threads);
int num_threads();

// A barrier that spins briefly and then sleeps; it never spins when threads exceed CPUs.
class Barrier {
 public:
  explicit Barrier(int threads);
  ~Barrier();
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;
  void wait() noexcept;

 private:
  struct State;
  State* state_;
};

// Runs body(thread, threads) once on every thread of the team and returns when all have ended.
// Denormals are flushed (FTZ and DAZ) inside and restored in the caller. Nothing may throw inside.
// Regions do not nest: a call from inside a region runs the body on the caller alone.
void parallel(const std::function<void(int thread, int threads)>& body);

// [first, last) of `count` items for this thread, in whole multiples of `grain`, as even as can be.
struct Range {
  long first, last;
};
constexpr Range split_range(long count, int thread, int threads, long grain = 1) {
  long blocks = (count + grain - 1) / grain;
  long first = blocks * thread / threads * grain, last = blocks * (thread + 1) / threads * grain;
  return {first < count ? first : count, last < count ? last : count};
}

}  // namespace atelier
