// Every differentiable op against finite differences in f64, at orders 1, 2 and 3.
#include "graph/differences.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

using namespace atelier;
using testing::Differences;

namespace {

struct Worst {
  int cases = 0;
  double error[3] = {0, 0, 0};
  std::string where[3];
};

// `parts`: how many outputs enter the loss; the first alone takes the fused adjoint of composites.
void check_sample(Op op, const Sample& sample, std::uint16_t parts, Worst& worst) {
  Differences d;
  std::vector<Dense> values = testing::fill_sample(sample, 11);
  std::vector<Expr> operands;
  for (std::size_t k = 0; k < values.size(); ++k) {
    std::string name = "x" + std::to_string(k);
    Expr e = d.graph.input(name, values[k].type.dtype, values[k].type.shape);
    operands.push_back(e);
    d.state.inputs[name] = values[k];
    if (!is_float(values[k].type.dtype)) continue;
    d.wrt.push_back(e);
    d.names.push_back(name);
  }
  Expr first = d.graph.put(op, operands, sample.attributes);
  Expr loss;
  for (std::uint16_t part = 0;
       part < std::min<std::uint16_t>(parts, d.graph.node(first.node).parts); ++part) {
    Expr y{first.graph, first.node, part};
    if (!is_float(y.dtype())) continue;
    Expr term = d.weighted(cast(y, DType::f64), 100 + part);
    loss = loss ? loss + term : term;
  }
  REQUIRE(bool(loss));
  for (int order = 0; order < 3; ++order) {
    Expr next;
    double error = d.error(loss, 7, next);
    INFO(std::string(name(op)), ", ", sample.name, ", order ", order + 1, ", error ", error);
    CHECK(error <= (order == 2 ? 1e-4 : 1e-5));
    if (error > worst.error[order]) {
      worst.error[order] = error;
      worst.where[order] = fmt::format("{} ({})", name(op), sample.name);
    }
    ++worst.cases;
    loss = next;
  }
}

}  // namespace

TEST_CASE("every row of the op table is complete") {
  for (int i = 0; i < kNumOps; ++i) {
    const OpRow& r = row(Op(i));
    INFO("op number ", i);
    REQUIRE(bool(r.name));
    INFO(std::string(r.name));
    CHECK(bool(r.types));
    CHECK(bool(r.cost));
    REQUIRE(bool(r.samples));
    bool leaf = Op(i) == Op::input || Op(i) == Op::slot;
    CHECK((leaf || !r.samples().empty()));
    if (is_primitive(Op(i)) && !leaf) CHECK(bool(r.oracle));
    if (is_composite(Op(i))) CHECK(bool(r.decompose));
    if (r.differentiable) CHECK(bool(r.vjp || r.decompose));
  }
}

TEST_CASE("gradients of every op agree with central differences at orders 1, 2 and 3") {
  Worst worst;
  for (int i = 0; i < kNumOps; ++i) {
    if (!row(Op(i)).differentiable) continue;
    for (const Sample& sample : row(Op(i)).samples()) {
      check_sample(Op(i), sample, 99, worst);
      if (is_composite(Op(i))) check_sample(Op(i), sample, 1, worst);
    }
  }
  fmt::print(
      "summary: finite differences: {} cases, worst relative error {:.1e} {}, {:.1e} {}, {:.1e} "
      "{}\n",
      worst.cases, worst.error[0], worst.where[0], worst.error[1], worst.where[1], worst.error[2],
      worst.where[2]);
  CHECK(worst.cases > 150);
}
