// The generator of random graphs.
#include "run/random_graphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "run/random_operations.h"

namespace atelier::testing {

int operations_of(std::uint64_t seed) {
  RandomStream random(seed, stream_of("operations"));
  return 4 + int(random.below(20));
}

RandomGraph random_graph(std::uint64_t seed, int operations) {
  Maker maker(seed, seed % 3 == 0);
  for (int i = 0; i < operations; ++i) maker.apply();
  return maker.finish();
}

std::vector<std::int64_t> live_counts(const Graph& graph) {
  std::vector<bool> live(graph.size(), false);
  for (const NamedValue& o : graph.outputs()) live[o.value.node] = true;
  for (const Update& u : graph.updates()) live[u.next.node] = live[u.slot.node] = true;
  std::vector<std::int64_t> counts(std::size_t(kNumOps), 0);
  for (NodeId id = graph.size(); id-- > 0;) {
    if (!live[id]) continue;
    ++counts[std::size_t(graph.node(id).op)];
    for (Value v : graph.operands(id)) live[v.node] = true;
  }
  return counts;
}

// ---- values

Maker::Maker(std::uint64_t seed, bool large)
    : random_(seed, stream_of("graphs")), large_(large), graph_(std::make_unique<Graph>()) {
  const Shape big[] = {{70, 67}, {4099}, {3, 1500}, {131, 33}, {2, 65, 41}};
  int inputs = 2 + int(pick(3));
  for (int i = 0; i < inputs; ++i)
    leaf(i == 0 && large ? big[pick(5)] : some_shape(1 + int(pick(4))), pick(4) == 0);
}

std::int64_t Maker::pick(std::int64_t n) { return std::int64_t(random_.below(std::uint32_t(n))); }
bool Maker::chance() { return pick(2) == 1; }

Shape Maker::some_shape(int rank) {
  const std::int64_t extents[] = {1, 2, 3, 4, 5, 7, 8, 16, 17, 31, 33};
  Shape shape;
  std::int64_t count = 1;
  for (int i = 0; i < rank; ++i) {
    std::int64_t extent = extents[pick(rank > 2 ? 7 : 11)];
    if (count * extent > 2000) extent = 1;
    shape = shape.insert(i, extent);
    count *= extent;
  }
  return shape;
}

// An input, or a slot, of values in -2..2 that f32 holds exactly.
Expr Maker::leaf(const Shape& shape, bool slot) {
  std::string label = fmt::format("{}{}", slot ? "s" : "x", serial_++);
  Dense dense{{DType::f32, shape}, std::vector<double>(std::size_t(shape.count()))};
  for (double& v : dense.v) v = double(float(4 * random_.uniform() - 2));
  Expr e = slot ? graph_->slot(label, dense.type) : graph_->input(label, DType::f32, shape);
  (slot ? result_.state.slots : result_.state.inputs)[label] = dense;
  pool_.push_back({e, 2, true});
  leaves_.push_back(e);
  if (slot) slots_.push_back({label, e});
  return e;
}

Expr Maker::integers(const Shape& shape, std::int64_t low, std::int64_t high) {
  std::string label = fmt::format("i{}", serial_++);
  Dense dense{{DType::i32, shape}, std::vector<double>(std::size_t(shape.count()))};
  for (double& v : dense.v) v = double(low + pick(high - low));
  result_.state.inputs[label] = dense;
  return graph_->input(label, DType::i32, shape);
}

Expr Maker::clock() {
  if (!graph_clock_) graph_clock_ = integers({3}, 0, 1000);
  return graph_clock_;
}

const Maker::Entry& Maker::entry(bool exact) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    const Entry& e = pool_[std::size_t(pick(std::int64_t(pool_.size())))];
    if (!exact || e.exact) return e;
  }
  return pool_[0];
}

Expr Maker::any() { return entry(false).e; }

// A value cut or repeated to a shape: movement only, so that exact values stay exact.
Expr Maker::fit(Expr e, const Shape& shape) {
  std::int64_t have = e.shape().count(), want = shape.count();
  if (e.shape() == shape) return e;
  Expr flat = reshape(e, {have});
  if (have < want) {
    std::int64_t times = (want + have - 1) / have;
    flat = reshape(broadcast(reshape(flat, {1, have}), {times, have}), {times * have});
    have *= times;
  }
  if (have > want) {
    std::int64_t lo = pick(have - want + 1);
    flat = slice(flat, 0, lo, lo + want);
  }
  return reshape(flat, shape);
}
Expr Maker::any(const Shape& shape) { return fit(any(), shape); }
Expr Maker::exact(const Shape& shape) { return fit(entry(true).e, shape); }

void Maker::push(Expr e, double bound, bool is_exact) {
  if (bound > 8) {
    e = e * (2 / bound);
    bound = 2;
    is_exact = false;
  }
  pool_.push_back({e, bound, is_exact});
}

// ---- the end: whatever nobody reads becomes an output

RandomGraph Maker::finish() {
  Graph& g = *graph_;
  for (const auto& [label, slot] : slots_) {
    if (pick(3) == 0) continue;
    g.update(slot, any(slot.shape()));
    result_.updated.push_back(label);
  }
  std::vector<bool> read(g.size(), false);
  for (NodeId id = 0; id < g.size(); ++id) {
    for (Value v : g.operands(id)) read[v.node] = true;
  }
  int outputs = 0;
  for (const Entry& e : pool_) {
    if (!read[e.e.node] || &e == &pool_.back()) g.output(fmt::format("y{}", outputs++), e.e);
  }
  for (std::size_t i = 0; i < gradients_.size(); ++i)
    g.output(fmt::format("g{}", i), gradients_[i]);
  for (NodeId id = 0; id < g.size(); ++id)
    result_.large = result_.large || g.type({id, 0}).shape.count() > 4096;
  result_.graph = std::move(graph_);
  return std::move(result_);
}

}  // namespace atelier::testing
