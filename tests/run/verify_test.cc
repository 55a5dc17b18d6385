// Verification names the step whose argument or instruction was spoiled.
#include <doctest/doctest.h>

#include <cstddef>
#include <functional>

#include "base/memory.h"
#include "run/executor.h"
#include "run/support.h"

using namespace atelier;

namespace {

// Padded and joined pictures, a norm with three results, a product, Adam with as many averages as
// asked.
Graph sample_graph(int averages) {
  Graph g;
  auto slot = [&](const std::string& label, Shape shape) {
    return g.slot(label, {DType::f32, shape});
  };
  Expr x = g.input("x", DType::f32, {6, 5});
  std::vector<Expr> pieces{pad(x, 1, 1, 2), x * 2.0};
  Expr joined = concat(pieces, 1);
  Normed normed = layer_norm(joined, slot("gain", {13}), slot("shift", {13}), 1e-3);
  Expr w = slot("w", {13, 4}), y = matmul(normed.y, w);
  Expr loss = reshape(mean(square(y)), {});
  g.output("loss", loss);
  g.output("mean", normed.mean);
  g.output("rstd", normed.variance_or_rstd);
  std::vector<Expr> slots, keeps;
  for (int i = 0; i < averages; ++i) {
    slots.push_back(slot("average" + std::to_string(i), {13, 4}));
    keeps.push_back(g.constant(0.5 + 0.1 * i));
  }
  Expr one = g.constant(1), m = slot("m", {13, 4}), v = slot("v", {13, 4});
  AdamResult next =
      adam(w, m, v, gradient(loss, w), g.constant(0.01), one, one, one, slots, keeps, {});
  g.update(w, next.p);
  g.update(m, next.m);
  g.update(v, next.v);
  for (std::size_t i = 0; i < slots.size(); ++i) g.update(slots[i], next.averages[i]);
  // Each takes the other's value: these are copied at the end.
  Expr left = slot("left", {6}), right = slot("right", {6});
  g.update(left, right);
  g.update(right, left);
  return g;
}

// What verification says of the program after `spoil` has had its way; empty: nothing.
std::string verdict(int averages, const std::function<void(Program&)>& spoil) {
  LowerOptions options{.fuse = false};
  Graph graph = prepared(sample_graph(averages), options);
  Program program = lower(graph, options);
  layout(program, num_threads(), false);
  spoil(program);
  std::vector<Buffer> slots;
  Buffer arena(std::size_t(program.arena_bytes)), packed(std::size_t(program.packed_bytes));
  auto fill = [](std::byte* data, std::int64_t bytes, std::uint64_t stream) {
    RandomStream random(7, stream);
    for (std::int64_t i = 0; i < bytes / 4; ++i)
      reinterpret_cast<float*>(data)[i] = 0.5f + float(random.uniform());
  };
  for (const ProgramSlot& slot : program.slots) {
    slots.emplace_back(std::size_t(slot.type.bytes()));
    fill(slots.back().data(), slot.type.bytes(), slots.size());
  }
  auto address = [&](TensorId id) -> std::byte* {
    const ProgramTensor& t = program.tensors[id];
    if (t.in_slot_of != kNoTensor) return slots[program.tensors[t.in_slot_of].slot].data();
    if (t.home == Home::slot) return slots[t.slot].data();
    return (t.home == Home::packed ? packed : arena).data() + t.offset;
  };
  for (const ProgramPort& port : program.inputs) fill(address(port.tensor), port.type.bytes(), 100);
  Executor executor;
  executor.aim(program, address, num_threads());
  executor.run_prologue();
  try {
    verify_run(program, graph, executor, address);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// The n-th step of a kernel.
std::size_t step_of(const Program& p, KernelId kernel, int n = 0) {
  for (std::size_t i = 0; i < p.steps.size(); ++i) {
    if (p.steps[i].kernel == kernel && n-- == 0) return i;
  }
  FAIL("no such step");
  return 0;
}

template <class Args>
Args& args_of(Step& step) {
  return *reinterpret_cast<Args*>(step.args.data());
}

// Spoils one step and expects its number and what it is.
void expect_named(int averages, const std::function<std::size_t(Program&)>& spoil,
                  const std::string& rest) {
  std::size_t index = 0;
  std::string said = verdict(averages, [&](Program& p) { index = spoil(p); });
  INFO("said: ", said);
  CHECK(said.starts_with("verify: step " + std::to_string(index) + " ("));
  CHECK(said.find(rest) != std::string::npos);
}

// Exchanges the memory of two results.
void exchange(Step& step, int a, int b) {
  std::vector<Pointer*> writes;
  for (Pointer& q : step.pointers) {
    if (q.write) writes.push_back(&q);
  }
  std::swap(writes.at(std::size_t(a))->field, writes.at(std::size_t(b))->field);
}

}  // namespace

TEST_CASE("verification says nothing of sound programs, expanded composites among them") {
  CHECK(verdict(2, [](Program&) {}) == "");
  CHECK(verdict(kMaxAverages + 1, [](Program&) {}) == "");
}

TEST_CASE("a spoiled instruction is named, in a decomposed composite too") {
  auto spoil = [](Program& p) {
    for (std::size_t i = 0; i < p.steps.size(); ++i) {
      for (TileInsn& insn : p.steps[i].code) {
        if (insn.op != tile_op("sqrt")) continue;
        insn.op = *tile_op("tanh");
        return i;
      }
    }
    return p.steps.size();
  };
  expect_named(kMaxAverages + 1, spoil, "tile: tanh f32[13,4]");
}

TEST_CASE("an immediate that is off by a tenth of a thousandth is found") {
  auto spoil = [](Program& p) {
    for (std::size_t i = 0; i < p.steps.size(); ++i) {
      for (TileInsn& insn : p.steps[i].code) {
        if (insn.op != TileOp::constant ||
            insn.c_or_immediate != std::bit_cast<std::uint32_t>(2.0f))
          continue;
        insn.c_or_immediate = std::bit_cast<std::uint32_t>(2.0002f);
        return i;
      }
    }
    return p.steps.size();
  };
  expect_named(0, spoil, "tile: mul f32[6,5]");
}

TEST_CASE("steps that end in a copy are compared: padding, joining, commits") {
  auto copied = [](int n) {
    return [n](Program& p) {
      std::size_t i = step_of(p, KernelId::copy, n);
      ++args_of<CopyArgs>(p.steps[i]).src_stride[0];
      return i;
    };
  };
  expect_named(0, copied(0), "copy f32[6,8]");
  expect_named(0, copied(2), "copy f32[6,13]");
  auto commit = [](Program& p) {
    std::size_t last = p.steps.size() - 1;
    args_of<CopyArgs>(p.steps[last]).extent[0] = 5;
    return last;
  };
  expect_named(0, commit, "copy f32[6]");
}

TEST_CASE("all results of a step are compared, not the first alone") {
  auto norm = [](Program& p) {
    std::size_t i = step_of(p, KernelId::layer_norm);
    exchange(p.steps[i], 1, 2);
    return i;
  };
  expect_named(0, norm, "of result 1");
  auto averages = [](Program& p) {
    std::size_t i = step_of(p, KernelId::adam);
    exchange(p.steps[i], 3, 4);
    return i;
  };
  expect_named(2, averages, "of result 3");
}

TEST_CASE("a product that leaves out the last of its terms is named") {
  auto spoil = [](Program& p) {
    std::size_t i = step_of(p, KernelId::matmul);
    --args_of<MatmulArgs>(p.steps[i]).k;
    return i;
  };
  expect_named(0, spoil, "matmul f32[6,4]");
}
