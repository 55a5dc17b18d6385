#!/bin/bash
# Every adjoint of the op table, and every output of a composite's decomposition, made wrong by 1 %
# in a scratch copy, one at a time: the tests of the graph must fail each time. Goes on where it
# was interrupted unless the sources have changed since.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
digest=$(cd "$source_dir" && find lib/base lib/tensor lib/graph tests/graph -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-16)
[ "$(cat digest 2>/dev/null)" = "$digest" ] || rm -f rows
echo "$digest" >digest
touch rows

(cd "$source_dir" && tar cf - CMakeLists.txt lib/base lib/tensor lib/graph tests/graph tests/support tests/tests.cmake tests/floors.txt) | tar xf - -C "$scratch"
# A busy machine must not count as a fault found.
rm -f "$scratch/tests/graph/speed_test.cc"

# spoil KIND OP INDEX: which function of which row is wrong, and in which of its results.
spoil() {
  cat >"$scratch/lib/graph/spoiled.h" <<H
#pragma once
#include "graph/rows.h"
namespace atelier {
enum class Kind { none, vjp, decompose };
inline constexpr Kind kKind = Kind::$1;
inline constexpr Op kSpoiled = Op::$2;
inline constexpr std::size_t kResult = $3;
inline OpRow right;
inline std::vector<Expr> wrong(std::vector<Expr> list) {
  if (kResult < list.size() && list[kResult]) list[kResult] = list[kResult] * 1.01;
  return list;
}
inline void spoil(OpRow* table) {
  OpRow& row = table[int(kSpoiled)];
  right = row;
  if (kKind == Kind::vjp) {
    row.vjp = [](Graph& g, std::span<const Expr> x, std::span<const Expr> self,
                 std::span<const Expr> dy, std::span<const std::int64_t> a) {
      return wrong(right.vjp(g, x, self, dy, a));
    };
  }
  if (kKind == Kind::decompose) {
    row.decompose = [](Graph& g, std::span<const Expr> x, std::span<const std::int64_t> a) {
      return wrong(right.decompose(g, x, a));
    };
  }
}
}  // namespace atelier
H
}
sed -i -e 's|^#include "graph/rows.h"$|&\n#include "graph/spoiled.h"|' -e 's|^    return rows;$|    spoil(rows.data());\n&|' "$scratch/lib/graph/table.cc"
[ "$(grep -c 'spoil' "$scratch/lib/graph/table.cc")" = 2 ] || { echo "lib/graph/table.cc: no place to spoil a row"; exit 1; }

# Lists what there is to spoil, as the samples show it: "vjp mul 1".
cat >"$scratch/tests/graph/list_test.cc" <<'C'
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>

#include "graph/ops.h"
#include "graph/op_table.h"

using namespace atelier;

namespace {
void list_sample(Op op, const Sample& sample, std::set<std::string>& found) {
  const OpRow& r = row(op);
  Graph g;
  std::vector<Expr> x, self;
  for (std::size_t k = 0; k < sample.operands.size(); ++k) {
    x.push_back(g.input(fmt::format("x{}", k), sample.operands[k].dtype, sample.operands[k].shape));
  }
  NodeId id = g.put(op, x, sample.attributes).node;
  for (std::uint16_t part = 0; part < g.node(id).parts; ++part) self.push_back(g.expr({id, part}));
  std::vector<Expr> dy(self.size());
  dy[0] = g.input("dy", self[0].dtype(), self[0].shape());
  for (std::size_t k = 0; r.decompose && k < self.size(); ++k) {
    found.insert(fmt::format("decompose {} {}", r.name, k));
  }
  if (!r.differentiable || !r.vjp) return;
  std::vector<Expr> in = r.vjp(g, x, self, dy, sample.attributes);
  for (std::size_t k = 0; k < in.size(); ++k) {
    if (in[k]) found.insert(fmt::format("vjp {} {}", r.name, k));
  }
}
}  // namespace

TEST_CASE("list") {
  std::set<std::string> found;
  for (int i = 0; i < kNumOps; ++i) {
    for (const Sample& sample : row(Op(i)).samples()) list_sample(Op(i), sample, found);
  }
  for (const std::string& line : found) fmt::print("spoil: {}\n", line);
}
C
rebuild() { ninja -C "$scratch/build" graph_test >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log" >&2; exit 1; }; }
spoil none exp 0
cmake -S "$scratch" -B "$scratch/build" -G Ninja >/dev/null
rebuild
"$scratch/build/graph_test" >"$scratch/said" 2>&1 || { tail -n 30 "$scratch/said" >&2; echo "the tests fail without a fault"; exit 1; }
"$scratch/build/graph_test" -tc=list | sed -n 's/^spoil: //p' >"$scratch/list"
[ -s "$scratch/list" ] || { echo "nothing to spoil"; exit 1; }

cat rows
while read -r kind op index; do
  grep -q "^$kind of $op, result $index: " rows && continue
  spoil "$kind" "$op" "$index"
  rebuild </dev/null
  if "$scratch/build/graph_test" >"$scratch/said" 2>&1 </dev/null; then
    verdict="NOT FOUND"
  else
    verdict="found by $(grep -c '^TEST CASE: ' "$scratch/said" || true) tests"
  fi
  echo "$kind of $op, result $index: $verdict" | tee -a rows
done <"$scratch/list"
lost=$(grep -c 'NOT FOUND' rows || true)
echo "$(wc -l <rows) faults planted, $lost not found"
[ "$lost" = 0 ]
