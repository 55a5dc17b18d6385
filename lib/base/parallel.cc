// OpenMP keeps the threads alive between regions; everything else about them is decided here.
#include "base/parallel.h"

#include <linux/futex.h>
#include <omp.h>
#include <pmmintrin.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace atelier {
namespace {

int positive_env(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text) return 0;
  int value = 0;
  auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error == std::errc::result_out_of_range) return *text == '-' ? 0 : kMaxThreads;
  return error == std::errc{} && value > 0 ? std::min(value, kMaxThreads) : 0;
}

int affinity_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// CPUs that the cgroup's quota allows, rounded up; INT_MAX without a quota.
int quota_cpus() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0) {
    return std::max(1, int(std::ceil(std::atof(quota.c_str()) / period)));
  }
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double q = 0;
  if (v1_quota >> q && v1_period >> period && q > 0 && period > 0) {
    return std::max(1, int(std::ceil(q / period)));
  }
  return INT_MAX;
}

int g_threads = 0;  // 0: ask default_threads()

// One CPU a worker, if the machine is ours alone: as many threads as CPUs in the mask, and no
// ATELIER_PIN=0. The calling thread keeps its own mask (threads it creates later would inherit it).
void pin_worker(int thread, int threads) {
  static const bool wanted = [] {
    const char* pin = std::getenv("ATELIER_PIN");
    return !(pin && std::strcmp(pin, "0") == 0) && !std::getenv("OMP_PROC_BIND") &&
           !std::getenv("SLURM_JOB_ID") && sysconf(_SC_NPROCESSORS_ONLN) == affinity_cpus();
  }();
  thread_local int pinned_for = 0;
  if (!wanted || thread == 0 || threads != affinity_cpus() || pinned_for == threads) return;
  pinned_for = threads;
  cpu_set_t all, one;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  int seen = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &all) && seen++ == thread) {
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      sched_setaffinity(0, sizeof one, &one);
      return;
    }
  }
}

struct FlushDenormals {
  unsigned saved = _mm_getcsr();
  FlushDenormals() {
    _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
    _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
  }
  ~FlushDenormals() { _mm_setcsr(saved); }
};

}  // namespace

int default_threads() {
  static const int threads = [] {
    if (int n = positive_env("OMP_NUM_THREADS")) return n;
    if (int n = positive_env("SLURM_CPUS_PER_TASK")) return n;
    return std::min({affinity_cpus(), quota_cpus(), kMaxThreads});
  }();
  return threads;
}

void set_threads(int threads) { g_threads = std::min(threads, kMaxThreads); }
int num_threads() { return g_threads > 0 ? g_threads : default_threads(); }

struct Barrier::State {
  alignas(64) std::atomic<int> arrived{0};
  alignas(64) std::atomic<unsigned> generation{0};
  std::atomic<int> sleepers{0};
  int threads = 1, spins = 0;
};

Barrier::Barrier(int threads) : state_(new State) {
  state_->threads = threads;
  state_->spins = threads <= affinity_cpus() ? 4000 : 0;
}

Barrier::~Barrier() { delete state_; }

void Barrier::wait() noexcept {
  State& s = *state_;
  if (s.threads == 1) return;
  unsigned generation = s.generation.load(std::memory_order_relaxed);
  if (s.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == s.threads) {
    s.arrived.store(0, std::memory_order_relaxed);
    s.generation.store(generation + 1, std::memory_order_seq_cst);
    if (s.sleepers.load(std::memory_order_seq_cst) == 0) return;  // nobody to wake: no system call
    syscall(SYS_futex, reinterpret_cast<unsigned*>(&s.generation), FUTEX_WAKE_PRIVATE, INT_MAX,
            nullptr, nullptr, 0);
    return;
  }
  for (int i = 0; i < s.spins; ++i) {
    if (s.generation.load(std::memory_order_acquire) != generation) return;
    _mm_pause();
  }
  s.sleepers.fetch_add(1, std::memory_order_seq_cst);
  while (s.generation.load(std::memory_order_seq_cst) == generation) {
    syscall(SYS_futex, reinterpret_cast<unsigned*>(&s.generation), FUTEX_WAIT_PRIVATE, generation,
            nullptr, nullptr, 0);
  }
  s.sleepers.fetch_sub(1, std::memory_order_relaxed);
}

void parallel(const std::function<void(int thread, int threads)>& body) {
  int threads = num_threads();
  if (omp_in_parallel() || threads == 1) {
    FlushDenormals flush;
    body(0, 1);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    FlushDenormals flush;
    int thread = omp_get_thread_num(), team = omp_get_num_threads();
    pin_worker(thread, team);
    body(thread, team);
  }
}

}  // namespace atelier
