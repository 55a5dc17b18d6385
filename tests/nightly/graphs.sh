#!/bin/bash
# Ten thousand random graphs as plans against the oracle, in portions that are kept when it is
# interrupted: 1 and 3 threads, poisoned memory, every level of this host, the checker. Each op is
# in at least 1,000 places that some output needs.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -x "$build/run_test" ] || cmake --build "$build" --target run_test >&2
for portion in $(seq 0 9); do
  [ -e "portion-$portion" ] && continue
  ATELIER_RANDOM_GRAPHS=$((100000 + portion * 1000)):1000 "$build/run_test" -tc='plans of random graphs*' >said || {
    cat said
    exit 1
  }
  mv said "portion-$portion"
done
grep -h '^summary' portion-*
cat portion-* | sed -n 's/^nodes by op: //p' | awk '
  { for (i = 1; i < NF; i += 2) count[$i] += $(i + 1) }
  END { for (op in count) print count[op], op }' | sort -n >counts
echo "ops: $(wc -l <counts)"
awk '{ line = line (NR == 1 ? "nodes by op: " : ", ") $2 " " $1 } END { print line }' counts
at_least "nodes of the rarest op" "$(head -1 counts | cut -d' ' -f1)" 1000
[ "$misses" = 0 ]
