// The thread team: every thread runs once, barriers hold, ranges cover, denormals are flushed.
#include "base/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <vector>

using namespace atelier;

TEST_CASE("split_range covers every item once in whole grains") {
  for (long count : {0L, 1L, 7L, 64L, 1000L}) {
    for (int threads : {1, 2, 3, 7}) {
      for (long grain : {1L, 8L, 32L}) {
        long next = 0;
        for (int t = 0; t < threads; ++t) {
          Range range = split_range(count, t, threads, grain);
          CHECK(range.first == next);
          CHECK(range.last >= range.first);
          CHECK((range.first % grain == 0 || range.first == count));
          next = range.last;
        }
        CHECK(next == count);
      }
    }
  }
}

TEST_CASE("a region runs once on every thread, and regions do not nest") {
  for (int threads : {1, 2, 3, 5}) {
    set_threads(threads);
    std::atomic<int> ran{0}, inner{0};
    parallel([&](int, int team) {
      if (team == threads) ++ran;
      parallel([&](int thread, int size) {
        if (thread == 0 && size == 1) ++inner;
      });
    });
    CHECK(ran == threads);
    CHECK(inner == threads);
  }
  set_threads(0);
}

TEST_CASE("a barrier lets nobody pass before all have come, with more threads than CPUs too") {
  for (int threads : {2, 3, 8}) {
    set_threads(threads);
    Barrier barrier(threads);
    std::vector<int> stage(std::size_t(threads), 0);
    std::atomic<int> wrong{0};
    parallel([&](int thread, int) {
      for (int round = 1; round <= 200; ++round) {
        stage[std::size_t(thread)] = round;
        barrier.wait();
        for (int other : stage) wrong += other != round;
        barrier.wait();
      }
    });
    CHECK(wrong == 0);
  }
  set_threads(0);
}

TEST_CASE("denormals are flushed inside a region and the caller keeps its mode") {
  volatile float tiny = 1e-38f;
  volatile float before = tiny * 0.1f;
  set_threads(2);
  std::atomic<int> flushed{0};
  parallel([&](int, int) {
    volatile float inside = tiny * 0.1f;
    flushed += inside == 0;
  });
  volatile float after = tiny * 0.1f;
  CHECK(flushed == 2);
  CHECK(before != 0);
  CHECK(after != 0);
  set_threads(0);
}

TEST_CASE("a team of more threads than anybody means is cut, not fatal") {
  set_threads(1000000000);
  CHECK(num_threads() == kMaxThreads);
  std::atomic<int> ran{0};
  parallel([&](int, int) { ++ran; });
  CHECK(ran == kMaxThreads);
  set_threads(0);
}
