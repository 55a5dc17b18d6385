// Identities with a meaning for passes, the mean over ranks, and packing.
#include "graph/rows.h"

namespace atelier {
using namespace rows;
namespace {
using Grads = std::vector<Expr>;

std::vector<Type> first_type(const NodeView& n) { return {n.operands[0]}; }
void same_oracle(const NodeView&, Ins in, Outs out) { out[0].v = in[0].v; }
Grads after_vjp(Graph&, Exprs, Exprs, Exprs dy, Attrs) { return {dy[0], Expr{}}; }
Grads all_reduce_vjp(Graph&, Exprs, Exprs, Exprs dy, Attrs) { return {all_reduce(dy[0])}; }
// {elements}: a weight laid out in panels; only kernels know how, so it has no oracle of its own.
std::vector<Type> pack_types(const NodeView& n) {
  return {{n.operands[0].dtype, {n.attributes[0]}}};
}
std::vector<Sample> matrix() { return {{"a matrix", {f64({3, 5})}, {}, -1, 1, {}}}; }

}  // namespace

void control_rows(OpRow* t) {
  t[int(Op::stop_gradient)] = {.name = "stop_gradient",
                               .min_operands = 1,
                               .max_operands = 1,
                               .types = first_type,
                               .oracle = same_oracle,
                               .cost = pass_cost<0>,
                               .samples = matrix};
  t[int(Op::after)] = {
      .name = "after",
      .min_operands = 2,
      .max_operands = 2,
      .differentiable = true,
      .types = first_type,
      .vjp = after_vjp,
      .oracle = same_oracle,
      .cost = pass_cost<0>,
      .samples = [] {
        return std::vector<Sample>{{"two tensors", {f64({3, 5}), f64({2})}, {}, -1, 1, {}}};
      }};
  t[int(Op::all_reduce)] = {.name = "all_reduce",
                            .min_operands = 1,
                            .max_operands = 1,
                            .differentiable = true,
                            .types = first_type,
                            .vjp = all_reduce_vjp,
                            .oracle = same_oracle,
                            .cost = pass_cost<0>,
                            .samples = matrix};
  t[int(Op::pack)] = {.name = "pack",
                      .min_operands = 1,
                      .max_operands = 1,
                      .types = pack_types,
                      .cost = pass_cost<0>,
                      .samples = [] {
                        return std::vector<Sample>{{"a matrix", {f64({3, 5})}, {96}, -1, 1, {}}};
                      }};
}

}  // namespace atelier
