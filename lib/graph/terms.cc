// Sums of adjoints: windows become concats, products over time become one, the rest a tree.
#include "graph/terms.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "graph/ops.h"

namespace atelier {
namespace {

// From so many products on, joining them is thought of as a recurrence's weight gradient.
constexpr std::size_t kFewestProducts = 4;

Expr balanced(std::span<const Expr> list) {
  if (list.size() == 1) return list[0];
  std::size_t half = (list.size() + 1) / 2;
  return balanced(list.first(half)) + balanced(list.subspan(half));
}

void drop_absent(std::vector<Expr>& list) {
  std::erase_if(list, [](const Expr& e) { return !e; });
}

}  // namespace

bool Terms::any(NodeId id) const {
  for (std::uint16_t part = 0; part < graph_.node(id).parts; ++part) {
    if (lists_.count(key({id, part}))) return true;
  }
  return false;
}

Expr Terms::total(Value value) {
  auto found = lists_.find(key(value));
  if (found == lists_.end()) return {};
  std::vector<Expr> list = std::move(found->second);
  lists_.erase(found);
  if (list.size() > 1) join_windows(list);
  if (list.size() >= kFewestProducts) join_products(list);
  return balanced(list);
}

// The axis that a term is padded along if it is a plain pad (no gaps) of one axis; else -1.
int Terms::padded_axis(Expr term) const {
  if (graph_.node(term.node).op != Op::pad) return -1;
  auto a = graph_.attributes(term.node);
  int axis = -1;
  for (std::size_t i = 0; i < a.size() / 3; ++i) {
    if (a[3 * i + 2] != 0) return -1;
    if (a[3 * i] == 0 && a[3 * i + 1] == 0) continue;
    if (axis >= 0) return -1;
    axis = int(i);
  }
  return axis;
}

// Windows that overlap go to different layers, as few as can be: the adjoints of sliding windows
// of k elements become k concats.
void Terms::join_windows(std::vector<Expr>& list) {
  std::map<int, std::vector<Window>> by_axis;
  for (std::size_t i = 0; i < list.size(); ++i) {
    int axis = padded_axis(list[i]);
    if (axis < 0) continue;
    Expr inner = graph_.expr(graph_.operands(list[i].node)[0]);
    std::int64_t lo = graph_.attributes(list[i].node)[std::size_t(3 * axis)];
    by_axis[axis].push_back({lo, lo + inner.shape()[axis], inner, i});
  }
  for (auto& [axis, windows] : by_axis) {
    std::stable_sort(windows.begin(), windows.end(),
                     [](const Window& a, const Window& b) { return a.lo < b.lo; });
    std::vector<std::vector<Window>> layers;
    std::multimap<std::int64_t, std::size_t> free_from;  // end of a layer -> its number
    for (const Window& w : windows) {
      auto layer = free_from.begin();
      if (layer == free_from.end() || layer->first > w.lo) {
        layer = free_from.emplace(0, layers.size());
        layers.emplace_back();
      }
      layers[layer->second].push_back(w);
      free_from.emplace(w.hi, layer->second);
      free_from.erase(layer);
    }
    for (const auto& layer : layers) {
      if (layer.size() < 2) continue;
      Expr whole = joined(axis, layer, list[layer[0].place]);
      for (const Window& w : layer) list[w.place] = {};
      list[layer[0].place] = whole;
    }
  }
  drop_absent(list);
}

Expr Terms::joined(int axis, const std::vector<Window>& windows, Expr like) {
  const Type type = like.type();
  std::vector<Expr> pieces;
  std::int64_t at = 0;
  auto gap = [&](std::int64_t extent) {
    if (extent <= 0) return;
    pieces.push_back(broadcast(graph_.constant(0, type.dtype), type.shape.with(axis, extent)));
  };
  for (const Window& w : windows) {
    gap(w.lo - at);
    pieces.push_back(w.inner);
    at = w.hi;
  }
  gap(type.shape[axis] - at);
  return concat(pieces, axis);
}

// Pieces joined along an axis; neighbouring windows of one tensor are one window of it.
Expr Terms::end_to_end(const std::vector<Expr>& pieces, int axis) {
  std::vector<Expr> merged;
  std::size_t a = std::size_t(3 * axis);
  for (Expr piece : pieces) {
    const Node& node = graph_.node(piece.node);
    if (!merged.empty() && node.op == Op::slice) {
      Expr last = merged.back();
      auto now = graph_.attributes(piece.node), before = graph_.attributes(last.node);
      if (graph_.node(last.node).op == Op::slice &&
          graph_.operands(last.node)[0] == graph_.operands(piece.node)[0] &&
          before[a + 1] == now[a] && before[a + 2] == 1 && now[a + 2] == 1) {
        std::vector<std::int64_t> wide(before.begin(), before.end()), rest(now.begin(), now.end());
        wide[a + 1] = now[a + 1];
        rest[a] = wide[a], rest[a + 1] = wide[a + 1];
        if (wide == rest) {  // the other axes agree
          Expr whole = graph_.expr(graph_.operands(piece.node)[0]);
          merged.back() = graph_.put(Op::slice, {&whole, 1}, wide);
          continue;
        }
      }
    }
    merged.push_back(piece);
  }
  // A window of everything is the tensor itself.
  if (merged.size() == 1 && graph_.node(merged[0].node).op == Op::slice) {
    Expr whole = graph_.expr(graph_.operands(merged[0].node)[0]);
    if (whole.shape() == merged[0].shape()) return whole;
  }
  return concat(merged, axis);
}

// sum_t A_t B_t of matrices = [A_1 A_2 ..] [B_1; B_2; ..]: joined along the inner axes, if that
// moves fewer elements than writing and adding the products would.
void Terms::join_products(std::vector<Expr>& list) {
  using Flags = std::pair<std::int64_t, std::int64_t>;
  std::map<Flags, std::vector<std::size_t>> by_flags;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (graph_.node(list[i].node).op != Op::matmul || list[i].shape().rank() != 2) continue;
    auto a = graph_.attributes(list[i].node);
    by_flags[{a[0], a[1]}].push_back(i);
  }
  for (const auto& [flags, places] : by_flags) {
    if (places.size() < kFewestProducts) continue;
    std::vector<Expr> left, right;
    std::int64_t moved = 0, added = 0;
    // The last step's product arrived first: backwards, windows follow one another.
    for (std::size_t i : std::vector(places.rbegin(), places.rend())) {
      auto operands = graph_.operands(list[i].node);
      left.push_back(graph_.expr(operands[0]));
      right.push_back(graph_.expr(operands[1]));
      moved += left.back().shape().count() + right.back().shape().count();
      added += 2 * list[i].shape().count();
    }
    if (moved > added) continue;
    Expr whole = matmul(end_to_end(left, flags.first ? 0 : 1),
                        end_to_end(right, flags.second ? 1 : 0), flags.first, flags.second);
    for (std::size_t i : places) list[i] = {};
    list[places[0]] = whole;
  }
  drop_absent(list);
}

}  // namespace atelier
