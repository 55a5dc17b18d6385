// Running a graph as a plan and by the oracle on the same values.
#pragma once

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
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

// Elementwise ops of one operand that compute (a cast converts).
inline std::vector<Op> functions_of_one_float() {
  std::vector<Op> ops;
  for (int i = 0; i < kNumOps; ++i) {
    if (is_elementwise(Op(i)) && row(Op(i)).max_operands == 1 && Op(i) != Op::cast)
      ops.push_back(Op(i));
  }
  return ops;
}

inline void write_input(Plan& plan, const std::string& name, const Dense& dense) {
  if (!plan.has_input(name)) return;
  auto fill = [&]<class T>(T) {
    auto span = plan.input<T>(name);
    for (std::size_t i = 0; i < dense.v.size(); ++i) {
      if constexpr (std::is_same_v<T, BFloat16>) {
        span[i] = to_bf16(float(dense.v[i]));
      } else {
        span[i] = T(dense.v[i]);
      }
    }
  };
  switch (plan.input_type(name).dtype) {
    case DType::i32:
      return fill(std::int32_t{});
    case DType::u8:
      return fill(std::uint8_t{});
    case DType::bf16:
      return fill(BFloat16{});
    default:
      return fill(float{});
  }
}

inline std::vector<double> read_output(const Plan& plan, const std::string& name,
                                       const Type& type) {
  std::vector<double> values;
  auto read = [&]<class T>(T) {
    for (T v : plan.output<T>(name)) {
      if constexpr (std::is_same_v<T, BFloat16>) {
        values.push_back(double(to_float(v)));
      } else {
        values.push_back(double(v));
      }
    }
  };
  if (type.dtype == DType::i32) {
    read(std::int32_t{});
  } else if (type.dtype == DType::u8) {
    read(std::uint8_t{});
  } else if (type.dtype == DType::bf16) {
    read(BFloat16{});
  } else {
    read(float{});
  }
  return values;
}

}  // namespace atelier::testing
