// The step table of a small training step, word for word, at every level on any host.
#include <doctest/doctest.h>

#include <regex>

#include "compile/program.h"
#include "graph/ops.h"

using namespace atelier;

namespace {

Graph training_graph() {
  Graph g;
  Expr x = g.input("x", DType::f32, {8, 6});
  Expr w = g.slot("w", {DType::f32, {6, 4}}), b = g.slot("b", {DType::f32, {4}});
  Expr y = tanh(matmul(x, w) + b);
  Expr loss = reshape(mean(square(y)), {});
  std::vector<Expr> params{w, b};
  std::vector<Expr> grads = gradient(loss, params);
  g.update(w, w - 0.1 * grads[0]);
  g.update(b, b - 0.1 * grads[1]);
  g.output("loss", loss);
  return g;
}

// Without the call sites, which move whenever this file is edited.
std::string explained(Level level) {
  Program p = lower(training_graph(), {.level = level});
  layout(p, 2);
  return std::regex_replace(explain(p),
                            std::regex(" *\\((gradient of )?[a-z_]+\\.(cc|h):[0-9]+\\)"), "");
}

}  // namespace

TEST_CASE("the table of a training step says what is run, on what, and how large it is") {
  std::string reference = explained(Level::avx2);
  CHECK(
      reference ==
      R"(level avx2, 13 steps and 1 packs, 0.000768 Mflop; arena 1472 bytes (live peak 1472), packed 768 bytes
pack  pack                             f32[8,4]               w -> packed w
   0  matmul                           f32[8,4]               @0, packed w -> @192  0.000384 Mflop
   1  tile: add tanh                   f32[8,4]               @192, b -> @192
   2  tile: mul                        f32[8,4]               @192 -> @384
   3  reduce                           f32[1,1]               @384 -> @512
   4  tile: mul                        f32[1,1]               @512 -> @320
   5  tile: mul                        f32[1,1]                -> @512
   6  tile: mul                        f32[8,4]               @192, @512 -> @192
   7  tile: add sub mul                f32[8,4]               @192, @384 -> @192
   8  reduce                           f32[1,4]               @192 -> @384
   9  pack                             f32[6,4]               @192 -> @448
  10  matmul                           f32[6,4]               @0, @448 -> @192  0.000384 Mflop
  11  tile: mul sub                    f32[6,4]               w, @192 -> w (in place)
  12  tile: mul sub                    f32[4]                 b, @384 -> b (in place)
)");
  for (Level level : {Level::avx512, Level::avx512bf16, Level::amx}) {
    std::string here = explained(level), head = "level " + std::string(name(level));
    CHECK(here.starts_with(head + ", "));
    CHECK(here.substr(head.size()) == reference.substr(std::string("level avx2").size()));
  }
}
