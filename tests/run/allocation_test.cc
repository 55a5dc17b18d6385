// run() allocates nothing: every allocation of the process is counted while plans run. The
// sanitizers bring their own malloc, so this file is empty under them.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>

#include "base/parallel.h"
#include "run/random_graphs.h"
#include "run/support.h"

namespace {
std::atomic<long> g_allocations{0};
}

// glibc's own allocator under its second name; ours only counts.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void* malloc(std::size_t bytes) {
  ++g_allocations;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++g_allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
  ++g_allocations;
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++g_allocations;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
  ++g_allocations;
  *out = __libc_memalign(alignment, bytes);
  return *out ? 0 : 12;
}
}

using namespace atelier;
using namespace atelier::testing;

TEST_CASE("the counter counts") {
  long before = g_allocations;
  void* volatile kept = ::operator new(100);
  ::operator delete(kept);
  std::vector<int> v(50);
  CHECK(g_allocations >= before + 2);
  CHECK(v.size() == 50);
}

TEST_CASE("a run allocates nothing, whatever the graph and the team") {
  for (int threads : {1, 3}) {
    set_threads(threads);
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      RandomGraph made = random_graph(seed, operations_of(seed));
      Store store;
      for (const auto& [label, dense] : made.state.slots) store.create(label, dense.type);
      Plan plan(*made.graph, store);
      for (const auto& [label, dense] : made.state.inputs) write_input(plan, label, dense);
      plan.run();  // the team starts and weights are packed
      for (const std::string& label : made.updated) ++store.at(label).version;
      long before = g_allocations;
      plan.run();
      long found = g_allocations - before;
      INFO("seed ", seed, ", threads ", threads);
      CHECK(found == 0);
    }
  }
  set_threads(0);
}
#endif
