// Running a graph as a plan and by the oracle on the same values.
#pragma once

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/ops.h"
#include "graph/oracle.h"
#include "run/plan.h"

namespace atelier::testing {

inline std::vector<Level> host_levels() {
  std::vector<Level> levels;
  for (Level level : {Level::avx2, Level::avx512, Level::avx512bf16, Level::amx}) {
    if (cpu_has(level)) levels.push_back(level);
  }
  return levels;
}

inline void write_input(Plan& plan, const std::string& name, const Dense& dense) {
  if (!plan.has_input(name)) return;
  auto fill = [&]<class T>(T) {
    auto span = plan.input<T>(name);
    for (std::size_t i = 0; i < dense.v.size(); ++i) span[i] = T(dense.v[i]);
  };
  switch (plan.input_type(name).dtype) {
    case DType::i32:
      return fill(std::int32_t{});
    case DType::u8:
      return fill(std::uint8_t{});
    default:
      return fill(float{});
  }
}

inline std::vector<double> read_output(const Plan& plan, const std::string& name,
                                       const Type& type) {
  std::vector<double> values;
  auto read = [&]<class T>(T) {
    for (T v : plan.output<T>(name)) values.push_back(double(v));
  };
  if (type.dtype == DType::i32) {
    read(std::int32_t{});
  } else if (type.dtype == DType::u8) {
    read(std::uint8_t{});
  } else {
    read(float{});
  }
  return values;
}

}  // namespace atelier::testing
