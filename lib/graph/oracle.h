// The oracle: evaluates a graph naively in f64. It shares nothing with the kernels.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/op_table.h"

namespace atelier {

struct OracleState {
  std::map<std::string, Dense, std::less<>> inputs;  // by name
  std::map<std::string, Dense, std::less<>> slots;   // by name; updates are committed here
};

// Values of `wanted`; commits the graph's updates to state.slots if `commit`.
// Rounding: values of dtype f32 are kept in f64 (no rounding); `cast` to bf16, i32 and u8 rounds.
std::vector<Dense> evaluate(const Graph& graph, std::span<const Value> wanted, OracleState& state,
                            bool commit = false);

// All outputs by name, updates committed.
std::map<std::string, Dense, std::less<>> run_oracle(const Graph& graph, OracleState& state);

}  // namespace atelier
