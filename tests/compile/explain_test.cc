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

// A convolution with its norm, attention over the pixels, a classifier, Adam.
Graph picture_graph() {
  Graph g;
  auto slot = [&](const char* label, Shape shape) { return g.slot(label, {DType::f32, shape}); };
  Expr x = g.input("x", DType::f32, {2, 8, 8, 3}), labels = g.input("labels", DType::i32, {2});
  Expr kernel = slot("kernel", {3, 3, 3, 16}), gain = slot("gain", {16}), w = slot("w", {16, 5});
  Expr y = conv(x, kernel, {.stride = {2, 2}, .pad = {1, 1, 1, 1}});
  y = silu(batch_norm(y, gain, slot("shift", {16}), 1e-5).y);
  Expr heads = reshape(y, {2, 16, 2, 8});
  y = reshape(attention(heads, heads, heads, {}), {2, 16, 16});
  Expr logits = matmul(reshape(mean(y, {1}), {2, 16}), w);
  Expr loss = reshape(mean(cross_entropy(logits, labels)), {});
  std::vector<Expr> params{kernel, w};
  std::vector<Expr> grads = gradient(loss, params);
  Expr one = g.constant(1);
  AdamResult next = adam(kernel, slot("m", kernel.shape()), slot("v", kernel.shape()), grads[0],
                         g.constant(0.01), one, one, one, {}, {}, {});
  g.update(kernel, next.p);
  g.update(slot("m", kernel.shape()), next.m);
  g.update(slot("v", kernel.shape()), next.v);
  g.update(w, w - 0.1 * grads[1]);
  g.output("loss", loss);
  return g;
}

// Without the call sites, which move whenever this file is edited.
std::string explained(const Graph& graph, const LowerOptions& options) {
  Program p = lower(graph, options);
  layout(p, 2);
  return std::regex_replace(explain(p),
                            std::regex(" *\\((gradient of )?[a-z_]+\\.(cc|h):[0-9]+\\)"), "");
}

}  // namespace

TEST_CASE("the table of a training step says what is run, on what, and how large it is") {
  std::string reference = explained(training_graph(), {});
  CHECK(
      reference ==
      R"(level avx2, 13 steps and 1 packs, 1.114 kflop, 5.223 KiB read and written; arena 1472 bytes (live peak 1472), packed 768 bytes
      kernel                           result                    kflop      KiB  reads -> writes
pack  pack                             f32[8,4]                      0    0.844  w -> packed w
   0  matmul                           f32[8,4]                  0.384     1.06  @0, packed w -> @192
   1  tile: add tanh                   f32[8,4]                  0.064    0.266  @192, b -> @192
   2  tile: mul                        f32[8,4]                  0.032     0.25  @192 -> @384
   3  reduce                           f32[1,1]                  0.032    0.129  @384 -> @512
   4  tile: mul                        f32[1,1]                  0.001  0.00781  @512 -> @320
   5  tile: mul                        f32[1,1]                  0.001  0.00391   -> @512
   6  tile: mul                        f32[8,4]                  0.032    0.254  @192, @512 -> @192
   7  tile: add sub mul                f32[8,4]                  0.096    0.375  @192, @384 -> @192
   8  reduce                           f32[1,4]                  0.032    0.141  @192 -> @384
   9  pack                             f32[6,4]                      0     1.12  @192 -> @448
  10  matmul                           f32[6,4]                  0.384     1.28  @0, @448 -> @192
  11  tile: mul sub                    f32[6,4]                  0.048    0.281  w, @192 -> w (in place)
  12  tile: mul sub                    f32[4]                    0.008   0.0469  b, @384 -> b (in place)
)");
  for (Level level : {Level::avx512, Level::avx512bf16, Level::amx}) {
    std::string here = explained(training_graph(), {.level = level}),
                head = "level " + std::string(name(level));
    CHECK(here.starts_with(head + ", "));
    CHECK(here.substr(head.size()) == reference.substr(std::string("level avx2").size()));
  }
}

TEST_CASE("the table of a step of convolution, norm, attention and Adam") {
  CHECK(
      explained(picture_graph(), {}) ==
      R"(level avx2, 30 steps and 3 packs, 173.9 kflop, 102.9 KiB read and written; arena 91776 bytes (live peak 90432), packed 6144 bytes
      kernel                           result                    kflop      KiB  reads -> writes
pack  pack                             f32[2,4,4,16]                 0     5.06  kernel -> packed kernel
pack  pack                             f32[2,5]                      0     2.31  w -> packed w
pack  pack                             f32[2,16]                     0    0.938  w -> packed w
   0  conv                             f32[2,4,4,16]              27.6     6.88  @0, packed kernel -> @7808
   1  batch_norm                       f32[2,4,4,16]               4.1     4.25  @7808, gain, shift -> @4416, @4288, @4352
   2  tile: sigmoid                    f32[2,4,4,16]             0.512        4  @4416 -> @1984
   3  tile: mul                        f32[2,4,4,16]             0.512        6  @4416, @1984 -> @85632
   4  attention                        f32[2,16,2,8]              32.8     8.25  @85632, @85632, @85632 -> @87680, @4032
   5  reduce                           f32[2,1,16]               0.512     2.12  @87680 -> @6848
   6  tile: mul                        f32[2,1,16]               0.032     0.25  @6848 -> @6848
   7  matmul                           f32[2,5]                   0.32     2.16  @6848, packed w -> @1664
   8  cross_entropy                    f32[2]                     0.01   0.0625  @1664, @1536 -> @1856, @1728
   9  reduce                           f32[1]                    0.002   0.0117  @1856 -> @1792
  10  tile: mul                        f32[1]                    0.001  0.00781  @1792 -> @1600
  11  tile: mul                        f32[1]                    0.001  0.00391   -> @1856
  12  copy                             f32[2]                        0   0.0117  @1856 -> @1792
  13  iota                             i32[2,5]                      0   0.0391   -> @1856
  14  tile: sub exp mul i32_equal where sub f32[2,5]                   0.06    0.141  @1664, @1728, @1792, @1536, @1856 -> @1664
  15  matmul                           f32[2,16]                  0.32    0.789  @1664, packed w -> @6464
  16  pack                             f32[16,5]                     0    0.289  @1664 -> @6592
  17  matmul                           f32[16,5]                  0.32    0.688  @6848, @6592 -> @1664
  18  tile: mul                        f32[2,1,16]               0.032     0.25  @6464 -> @6464
  19  copy                             f32[2,16,16]                  0     2.12  @6464 -> @89728
  20  attention_grad                   f32[2,16,2,8]              65.5     16.2  @85632, @85632, @85632, @87680, @4032, @89728 -> @11904, @13952, @9856
  21  tile: add add                    f32[2,16,2,8]              1.02        8  @9856, @11904, @13952 -> @9856
  22  tile: mul mul sub mul mul add    f32[2,4,4,16]              3.07        8  @1984, @9856, @4416 -> @1984
  23  batch_norm_grad                  f32[2,4,4,16]               4.1     6.31  @7808, gain, @4288, @4352, @1984 -> @7808, @4416, @4480
  24  pack                             f32[3,3,3,16]                 0        6  @7808 -> @3712
  25  conv_dw                          f32[3,3,3,16]              27.6     7.19  @0, @3712 -> @1984
  26  fill                             f32[]                         0  0.00391   -> @3712
  27  fill                             f32[]                         0  0.00391   -> @3776
  28  adam                             f32[3,3,3,16]              5.18     11.8  kernel, m, v, @1984, @3712, @3776, @3776, @3776 -> kernel (in place), m (in place), v (in place)
  29  tile: mul sub                    f32[16,5]                  0.16    0.938  w, @1664 -> w (in place)
)");
}

TEST_CASE("a step's work is the sum of its nodes', its bytes those of operands and results") {
  Graph g;
  Expr x = g.input("x", DType::f32, {100, 40}), b = g.input("b", DType::f32, {40});
  g.output("y", exp(x + b) * 2.0);
  Program p = lower(g, {});
  REQUIRE(p.steps.size() == 1);
  CHECK(p.steps[0].flops == 3 * 4000);
  CHECK(p.steps[0].bytes == 4 * (4000 + 40 + 4000));
  Graph h;
  Expr a = h.input("a", DType::f32, {10, 30}), w = h.input("w", DType::f32, {30, 33});
  h.output("y", matmul(a, w));
  Program q = lower(h, {});
  const Step& product = q.steps.back();
  CHECK(product.flops == 2.0 * 10 * 30 * 33);
  CHECK(product.bytes == 4 * (10 * 30 + 64 * 30 + 10 * 33));  // panels of 32 columns
}
