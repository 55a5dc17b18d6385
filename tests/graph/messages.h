// Graphs that builders refuse, and what their messages must hold.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "graph/ops.h"

namespace atelier::testing {

struct Refusal {
  const char* name;
  std::function<void(Graph&)> build;
  std::vector<std::string> parts;
};

inline Expr f(Graph& g, const char* name, Shape shape, Where where = Where::here()) {
  return g.input(name, DType::f32, shape, where);
}
inline Expr i(Graph& g, const char* name, Shape shape, Where where = Where::here()) {
  return g.input(name, DType::i32, shape, where);
}

inline std::string refusal_of(const std::function<void()>& build) {
  try {
    build();
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "";
}

// `place`: the file that the builders are called in.
inline void check_refusals(std::span<const Refusal> refusals, const std::string& place) {
  for (const Refusal& r : refusals) {
    Graph g;
    INFO(std::string(r.name));
    std::string message = refusal_of([&] { r.build(g); });
    INFO(message);
    CHECK_FALSE(message.empty());
    CHECK(message.find(" (" + place) != message.npos);
    for (const std::string& part : r.parts) {
      INFO(part);
      CHECK(message.find(part) != message.npos);
    }
  }
}

}  // namespace atelier::testing
