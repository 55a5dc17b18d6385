// What kernel tests share: guarded buffers, filled values, runs by teams, the levels of the host.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <pmmintrin.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <map>
#include <new>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "kernels/kernels.h"

namespace atelier::test {

// `count` elements that end where an unreadable page begins, so that any access beyond the end
// faults; what comes before is a whole page of 0xA5, checked on destruction. `misalign` moves the
// data down by so many elements (their place after the end is checked too).
template <class T = float>
class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::size_t count, std::size_t misalign = 0)
      : count_(count), misalign_(misalign) {
    const std::size_t page = std::size_t(sysconf(_SC_PAGESIZE));
    const std::size_t body = round_up((count + misalign) * sizeof(T), page) + page;
    mapped_ = body + page;
    base_ = static_cast<std::byte*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) throw std::bad_alloc();
    mprotect(base_ + body, page, PROT_NONE);
    end_ = base_ + body;
    std::memset(base_, 0xA5, body);
    data_ = reinterpret_cast<T*>(end_) - count - misalign;
  }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;
  ~GuardedBuffer() {
    CHECK_MESSAGE(intact(), "a kernel wrote outside its buffer");
    munmap(base_, mapped_);
  }

  T* data() const { return data_; }
  std::size_t size() const { return count_; }
  std::span<T> span() const { return {data_, count_}; }
  T& operator[](std::size_t i) const { return data_[i]; }

  // True if the bytes before the data and in the gap after it are as they were.
  bool intact() const {
    const auto filled = [](const std::byte* p, const std::byte* end) {
      for (; p < end; ++p) {
        if (*p != std::byte{0xA5}) return false;
      }
      return true;
    };
    return filled(base_, reinterpret_cast<const std::byte*>(data_)) &&
           filled(reinterpret_cast<const std::byte*>(data_ + count_), end_);
  }

 private:
  std::size_t count_, misalign_, mapped_;
  std::byte *base_, *end_;
  T* data_;
};

// Values in [-1, 1), different for each stream.
inline void fill(std::span<float> values, std::uint64_t stream) {
  RandomStream random(11, stream);
  for (float& v : values) v = float(2 * random.uniform() - 1);
}

// The levels this host can run, of those that have f32 kernels of their own.
inline std::vector<Level> levels() {
  std::vector<Level> found;
  for (Level level : {Level::avx2, Level::avx512}) {
    if (cpu_has(level)) found.push_back(level);
  }
  return found;
}

// Kernels run with denormals flushed, as in parallel().
struct FlushDenormals {
  unsigned saved = _mm_getcsr();
  FlushDenormals() {
    _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
    _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
  }
  ~FlushDenormals() { _mm_setcsr(saved); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

// Runs all phases as a team of `threads` would, on real threads; scratch must have been given.
inline void run_phases(const KernelEntry& entry, const void* args, int threads) {
  const int phases = entry.phases ? entry.phases(args) : 1;
  const auto member_runs = [&entry, args, threads](int phase, int t) {
    const FlushDenormals flush;
    entry.run(args, phase, t, threads);
  };
  for (int phase = 0; phase < phases; ++phase) {
    std::vector<std::thread> team;
    for (int t = 1; t < threads; ++t) {
      team.emplace_back(member_runs, phase, t);
    }
    member_runs(phase, 0);
    for (std::thread& member : team) member.join();
  }
}

// The same for arguments with a `scratch` member, which is set to a guarded block.
template <class Args>
void run(Level level, KernelId id, Args args, int threads) {
  const KernelEntry& entry = kernel_table(level)[id];
  const bool exists = entry.run != nullptr;
  REQUIRE(exists);
  if constexpr (requires { args.scratch; }) {
    const std::size_t bytes = entry.scratch_bytes ? entry.scratch_bytes(&args, threads) : 0;
    GuardedBuffer<std::byte> scratch(round_up(bytes, kAlignment));
    args.scratch = reinterpret_cast<decltype(args.scratch)>(scratch.data());
    run_phases(entry, &args, threads);
  } else {
    run_phases(entry, &args, threads);
  }
}

inline bool same_bytes(std::span<const float> a, std::span<const float> b) {
  if (a.empty() || b.empty()) return a.size() == b.size();
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// The same, except that any NaN equals any other: which operand's NaN an instruction passes on is
// the compiler's choice.
inline bool same_values(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool same = std::memcmp(&a[i], &b[i], sizeof(float)) == 0;
    if (!same && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  }
  return true;
}

// The worst figure of each kernel at each level, printed when the program ends: one line each.
struct SummaryLine {
  std::string measure;  // what errors are shares or numbers of
  double worst = 0;
  long elements = 0;
};
class Summary {
 public:
  static SummaryLine& of(const std::string& kernel, Level level, const std::string& measure) {
    static Summary summary;
    SummaryLine& line =
        summary.lines_.try_emplace({kernel, level}, SummaryLine{measure}).first->second;
    REQUIRE(line.measure == measure);
    return line;
  }
  Summary(const Summary&) = delete;
  Summary& operator=(const Summary&) = delete;

 private:
  Summary() = default;
  ~Summary() {
    for (const auto& [key, line] : lines_)
      fmt::print("summary: kernel {} {}: worst error {:.3g} {} over {} elements\n", key.first,
                 name(key.second), line.worst, line.measure, line.elements);
  }
  std::map<std::pair<std::string, Level>, SummaryLine> lines_;
};

inline constexpr const char* kOfMagnitudes = "of the sum of magnitudes";
inline constexpr const char* kOfProducts = "of the sum of |a b|";
inline constexpr const char* kUlp = "ulp";
inline constexpr const char* kExact = "(exact)";

// Compares results of a kernel at a level.
class Worst {
 public:
  Worst(std::string what, SummaryLine& line) : what_(std::move(what)), line_(line) {}
  // |got - expected| <= limit * magnitude.
  void check(double got, double expected, double magnitude, double limit) {
    const double error = std::abs(got - expected);
    const double share = error == 0 ? 0 : error / magnitude;
    if (!(share <= line_.worst)) line_.worst = share;
    ++line_.elements;
    if (!(share <= limit)) {  // also NaN
      const std::string place =
          fmt::format("{}: got {}, expected {}, magnitude {}", what_, got, expected, magnitude);
      FAIL_CHECK(place);
    }
  }
  // `wrong` of `elements` results differ where none may.
  void exact(std::int64_t wrong, std::int64_t elements) {
    line_.elements += long(elements);
    if (wrong != 0) line_.worst = INFINITY;
    INFO(what_);
    CHECK(wrong == 0);
  }

 private:
  std::string what_;
  SummaryLine& line_;
};

// The same at every level. Several results of a kernel share its line; `result` tells failures
// apart.
class Ledger {
 public:
  explicit Ledger(std::string kernel, std::string measure = kOfMagnitudes, std::string result = "")
      : kernel_(std::move(kernel)), measure_(std::move(measure)), result_(std::move(result)) {}
  Worst& operator[](Level level) {
    const auto found = by_level_.find(level);
    if (found != by_level_.end()) return found->second;
    const std::string what =
        fmt::format("{}{}{} {}", kernel_, result_.empty() ? "" : " ", result_, name(level));
    return by_level_.try_emplace(level, what, Summary::of(kernel_, level, measure_)).first->second;
  }

 private:
  std::string kernel_, measure_, result_;
  std::map<Level, Worst> by_level_;
};

}  // namespace atelier::test
