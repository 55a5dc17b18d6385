// The independent checker finds nothing wrong with real programs, and every fault planted in them.
#include "run/checker.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "run/support.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

// Two layers with a norm and Adam, whose updates happen in place, and a copied running mean.
Graph training_graph() {
  Graph g;
  auto slot = [&](const char* label, Shape shape) { return g.slot(label, {DType::f32, shape}); };
  Expr x = g.input("x", DType::f32, {20, 12});
  Expr labels = g.input("labels", DType::i32, {20});
  std::vector<Expr> w{slot("w0", {12, 16}), slot("w1", {16, 5}), slot("gain", {16}),
                      slot("shift", {16})};
  Normed normed = batch_norm(matmul(x, w[0]), w[2], w[3], 1e-5);
  Expr loss = reshape(mean(cross_entropy(matmul(silu(normed.y), w[1]), labels)), {});
  std::vector<Expr> grads = gradient(loss, w);
  Expr one = g.constant(1), rate = g.constant(0.01);
  for (std::size_t i = 0; i < w.size(); ++i) {
    Expr m = slot(("m" + std::to_string(i)).c_str(), w[i].shape());
    Expr v = slot(("v" + std::to_string(i)).c_str(), w[i].shape());
    AdamResult next = adam(w[i], m, v, grads[i], rate, one, one, one, {}, {}, {});
    g.update(w[i], next.p);
    g.update(m, next.m);
    g.update(v, next.v);
  }
  // Each takes the other's value: these cannot be written in place.
  Expr left = slot("left", {6}), right = slot("right", {6});
  g.update(left, right * 0.5);
  g.update(right, left + 1.0);
  g.output("loss", loss);
  return g;
}

Program placed() {
  Program p = lower(training_graph(), {});
  layout(p, 2);
  return p;
}

bool found(const Program& p, const std::string& kind) {
  auto faults = check_program(p);
  return std::any_of(faults.begin(), faults.end(),
                     [&](const std::string& f) { return f.starts_with(kind + ":"); });
}

}  // namespace

TEST_CASE("the checker has nothing to say about a placed training step") {
  for (int threads : {1, 3}) {
    for (bool reuse : {true, false}) {
      Program p = lower(training_graph(), {});
      layout(p, threads, reuse);
      auto faults = check_program(p);
      std::string first = faults.empty() ? "" : faults[0];
      INFO(first);
      CHECK(faults.empty());
      auto met = std::count_if(p.steps.begin(), p.steps.end(),
                               [](const Step& step) { return step.barrier; });
      CHECK(met < std::int64_t(p.steps.size()));  // some steps need no meeting
    }
  }
}

TEST_CASE("a tensor placed over one that is still to be read is found") {
  Program p = placed();
  int planted = 0;
  for (TensorId a = 0; a < p.tensors.size(); ++a) {
    ProgramTensor& t = p.tensors[a];
    if (t.home != Home::arena || t.in_slot_of != kNoTensor || t.whole_run || t.bytes == 0) continue;
    for (const ProgramTensor& u : p.tensors) {
      bool other = &u != &t && u.home == Home::arena && u.in_slot_of == kNoTensor && !u.whole_run;
      if (!other || u.offset < 0 || u.bytes == 0 || u.first >= t.first || u.last <= t.first)
        continue;
      std::int64_t right = t.offset;
      t.offset = u.offset;
      INFO("tensor ", a, " of ", t.bytes, " bytes, steps ", t.first, " to ", t.last,
           ", over one of ", u.bytes, ", steps ", u.first, " to ", u.last);
      CHECK(found(p, "lifetime"));
      ++planted;
      t.offset = right;
    }
  }
  CHECK(planted > 5);
  CHECK(check_program(p).empty());
}

TEST_CASE("a result over an operand that its kernel still reads is found") {
  Program p = placed();
  int planted = 0;
  for (Step& step : p.steps) {
    if (step.kernel != KernelId::matmul) continue;
    const Pointer* out = nullptr;
    for (const Pointer& q : step.pointers) out = q.write ? &q : out;
    for (const Pointer& in : step.pointers) {
      ProgramTensor &t = p.tensors[out->tensor], u = p.tensors[in.tensor];
      if (in.write || u.home != Home::arena || u.in_slot_of != kNoTensor) continue;
      std::int64_t right = t.offset;
      t.offset = u.offset;
      CHECK(found(p, "alias"));
      t.offset = right;
      ++planted;
    }
  }
  CHECK(planted > 0);
}

TEST_CASE("each barrier left out is found, since none is there without need") {
  Program p = placed();
  int planted = 0;
  for (std::size_t i = 0; i + 1 < p.steps.size(); ++i) {
    if (!p.steps[i].barrier) continue;
    p.steps[i].barrier = false;
    CHECK(found(p, "barrier"));
    p.steps[i].barrier = true;
    ++planted;
  }
  CHECK(planted > 5);
}

TEST_CASE("a stride that leaves its tensor is found") {
  Program p = placed();
  int planted = 0;
  for (Step& step : p.steps) {
    if (step.kernel != KernelId::tile) continue;
    auto* args = reinterpret_cast<TileArgs*>(step.args.data());
    for (int k = 0; k < args->num_operands; ++k) {
      for (int axis = 0; axis < args->rank; ++axis) {
        std::int64_t& stride = args->operand[k].stride[axis];
        if (args->extent[axis] < 2 || stride == 0) continue;
        stride += 1;
        CHECK(found(p, "stride"));
        stride -= 1;
        ++planted;
      }
    }
  }
  CHECK(planted > 5);
}

TEST_CASE("an update that is not performed is found") {
  Program whole = placed();
  int planted = 0;
  for (std::size_t i = 0; i < whole.steps.size(); ++i) {  // copied updates
    const Step& step = whole.steps[i];
    if (step.kernel != KernelId::copy || whole.tensors[step.pointers[0].tensor].home != Home::slot)
      continue;
    Program p = whole;
    p.steps.erase(p.steps.begin() + std::ptrdiff_t(i));
    CHECK(found(p, "update"));
    ++planted;
  }
  CHECK(planted >= 1);
  for (TensorId id = 0; id < whole.tensors.size(); ++id) {  // updates in place
    if (whole.tensors[id].in_slot_of == kNoTensor) continue;
    Program p = whole;
    p.tensors[id].in_slot_of = kNoTensor;
    p.tensors[id].offset = p.arena_bytes;
    CHECK(found(p, "update"));
    ++planted;
  }
  CHECK(planted > 10);
}

TEST_CASE("an update of another slot than the one meant is found") {
  Program p = placed();
  int planted = 0;
  for (TensorId a = 0; a < p.tensors.size(); ++a) {
    for (TensorId b = a + 1; b < p.tensors.size(); ++b) {
      TensorId &first = p.tensors[a].in_slot_of, &second = p.tensors[b].in_slot_of;
      if (first == kNoTensor || second == kNoTensor || p.tensors[a].bytes != p.tensors[b].bytes)
        continue;
      std::swap(first, second);
      CHECK(found(p, "update"));
      std::swap(first, second);
      ++planted;
    }
  }
  CHECK(planted > 5);
  for (Step& step : p.steps) {
    if (step.kernel != KernelId::copy || p.tensors[step.pointers[0].tensor].home != Home::slot)
      continue;
    TensorId right = step.pointers[0].tensor;
    for (TensorId slot : p.slot_tensors) {
      if (slot == right || p.tensors[slot].bytes != p.tensors[right].bytes) continue;
      step.pointers[0].tensor = slot;
      CHECK(found(p, "update"));
      step.pointers[0].tensor = right;
    }
  }
}
