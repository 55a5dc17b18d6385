// Adam(W) with averages as one composite (Kingma and Ba 2014; Loshchilov and Hutter 2017).
//   adam(p, m, v, g, rate, c1, c2, scale, average_1.., keep_1..) -> p, m, v, average_1..
// {beta1, beta2, eps, weight_decay as bits, number of averages}. Differentiable by decomposition,
// which is what unrolled optimisation needs.
#include <fmt/format.h>

#include <cmath>

#include "graph/builders.h"
#include "graph/rows.h"

namespace atelier {
using builders::graph_of;
using namespace rows;
namespace {

std::vector<Type> adam_types(const NodeView& n) {
  std::size_t averages = std::size_t(n.attributes[4]);
  require(n.operands.size() == 8 + 2 * averages,
          fmt::format("{} operands for {} averages", n.operands.size(), averages));
  const Type& p = n.operands[0];
  require(real(p), "needs f32 or f64");
  std::vector<Type> results{p, p, p};
  for (std::size_t i = 1; i < n.operands.size(); ++i) {
    bool tensor = i < 4 || (i >= 8 && i < 8 + averages);
    require(n.operands[i] == (tensor ? p : Type{p.dtype, {}}),
            fmt::format("operand {} must be {}", i, tensor ? "as the parameter" : "a scalar"));
  }
  results.insert(results.end(), averages, p);
  return results;
}
std::vector<Expr> adam_decompose(Graph&, Exprs x, Attrs a) {
  double beta1 = bits_to_double(a[0]), beta2 = bits_to_double(a[1]);
  double eps = bits_to_double(a[2]), decay = bits_to_double(a[3]);
  Expr p = x[0], g = x[3] * x[7], rate = x[4];
  Expr m = beta1 * x[1] + (1 - beta1) * g;
  Expr v = beta2 * x[2] + (1 - beta2) * (g * g);
  // Where no gradient ever was, v is 0 and the slope of its root infinite. The root of 1e-36 is
  // lost beside any eps in use, and below it the slope is 0, as it should be: g is 0 there.
  Expr spread = sqrt(max(v / x[6], 1e-36));
  Expr next = p - rate * ((m / x[5]) / (spread + eps));
  if (decay != 0) next = next - rate * decay * p;
  std::vector<Expr> out{next, m, v};
  std::size_t averages = std::size_t(a[4]);
  for (std::size_t i = 0; i < averages; ++i) {
    out.push_back(x[8 + i] + (1.0 - x[8 + averages + i]) * (next - x[8 + i]));
  }
  return out;
}
void positive(int k, Dense& d, std::uint64_t seed) {
  fill_distinct(d, seed + std::uint64_t(k), 0.1);
  if (k == 2 || k >= 4) {
    for (double& v : d.v) v = 0.3 + std::abs(v);
  }
}
std::vector<Sample> adam_samples() {
  std::int64_t b1 = double_to_bits(0.9), b2 = double_to_bits(0.99), eps = double_to_bits(1e-3),
               wd = double_to_bits(0.01);
  Type p = f64({2, 3});
  Type s = f64({});
  return {{"no average", {p, p, p, p, s, s, s, s}, {b1, b2, eps, 0, 0}, -1, 1, positive},
          {"decay and two averages",
           {p, p, p, p, s, s, s, s, p, p, s, s},
           {b1, b2, eps, wd, 2},
           -1,
           1,
           positive}};
}

}  // namespace

AdamResult adam(Expr p, Expr m, Expr v, Expr g, Expr rate, Expr c1, Expr c2, Expr gradient_scale,
                std::span<const Expr> averages, std::span<const Expr> keeps, const AdamArgs& args,
                Where where) {
  std::vector<Expr> operands{p, m, v, g, rate, c1, c2, gradient_scale};
  operands.insert(operands.end(), averages.begin(), averages.end());
  operands.insert(operands.end(), keeps.begin(), keeps.end());
  std::int64_t a[] = {double_to_bits(args.beta1), double_to_bits(args.beta2),
                      double_to_bits(args.eps), double_to_bits(args.weight_decay),
                      std::int64_t(averages.size())};
  Expr first = graph_of(Op::adam, operands, where).put(Op::adam, operands, a, where);
  AdamResult result{first, {first.graph, first.node, 1}, {first.graph, first.node, 2}, {}};
  for (std::size_t i = 0; i < averages.size(); ++i) {
    result.averages.push_back({first.graph, first.node, std::uint32_t(3 + i)});
  }
  return result;
}

void optimizer_rows(OpRow* t) {
  t[int(Op::adam)] = {.name = "adam",
                      .min_operands = 8,
                      .max_operands = 64,
                      .differentiable = true,
                      .types = adam_types,
                      .decompose = adam_decompose,
                      .cost = pass_cost<12>,
                      .samples = adam_samples};
}

}  // namespace atelier
