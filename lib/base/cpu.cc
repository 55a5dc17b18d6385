// CPUID is asked through the compiler's builtins and cpuid.h; the operating system through XGETBV.
#include "base/cpu.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "base/error.h"

namespace atelier {
namespace {

bool leaf7_1_eax(unsigned bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> bit & 1);
}

bool leaf7_edx(unsigned bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> bit & 1);
}

}  // namespace

std::string_view name(Level level) {
  switch (level) {
    case Level::avx2:
      return "avx2";
    case Level::avx512:
      return "avx512";
    case Level::avx512bf16:
      return "avx512bf16";
    case Level::amx:
      return "amx";
  }
  return "?";
}

Level parse_level(std::string_view text) {
  for (Level level : {Level::avx2, Level::avx512, Level::avx512bf16, Level::amx}) {
    if (text == name(level)) return level;
  }
  throw UsageError(fmt::format("level '{}': expected avx2, avx512, avx512bf16 or amx", text));
}

bool cpu_has(Level level) {
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi2");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512cd");
  switch (level) {
    case Level::avx2:
      return avx2;
    case Level::avx512:
      return avx512;
    case Level::avx512bf16:
      return avx512 && leaf7_1_eax(5);
    case Level::amx:
      return avx512 && leaf7_1_eax(5) && leaf7_edx(22) && leaf7_edx(24);
  }
  return false;
}

Level host_level() {
  if (!cpu_has(Level::avx2)) throw Error("this CPU lacks AVX2 and FMA, which atelier needs");
  if (const char* pinned = std::getenv("ATELIER_ISA"); pinned && *pinned) {
    Level level = Level::avx2;
    try {
      level = parse_level(pinned);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("ATELIER_ISA: {}", error.what()));
    }
    if (!cpu_has(level)) throw UsageError(fmt::format("ATELIER_ISA: this CPU has no {}", pinned));
    return level;
  }
  Level best = Level::avx2;
  for (Level level : {Level::avx512, Level::avx512bf16, Level::amx}) {
    if (cpu_has(level)) best = level;
  }
  return best;
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      auto colon = line.find(": ");
      if (colon != line.npos) return line.substr(colon + 2);
    }
  }
  return "unknown CPU";
}

}  // namespace atelier
