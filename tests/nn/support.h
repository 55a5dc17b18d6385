// Running graphs of layers and optimizers by the f64 oracle on the values of a store.
#pragma once

#include <string>
#include <vector>

#include "graph/oracle.h"
#include "tensor/store.h"

namespace atelier::testing {

inline OracleState state_of(const Store& store) {
  OracleState state;
  for (const std::string& name : store.names()) {
    auto values = store.values(name);
    state.slots[name] = {store.at(name).type, std::vector<double>(values.begin(), values.end())};
  }
  return state;
}

inline Dense dense_of(Shape shape, std::vector<double> values, DType dtype = DType::f32) {
  return {{dtype, shape}, std::move(values)};
}

inline std::vector<double> value_of(Expr e, OracleState& state) {
  Value wanted = e.value();
  return evaluate(*e.graph, {&wanted, 1}, state)[0].v;
}

}  // namespace atelier::testing
