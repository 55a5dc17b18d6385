#!/bin/bash
# Gradient caching: CLIP of preset small-64 with batches of 1024 in 8 slices needs the memory of a
# batch of 128 and what belongs to the whole batch: its pictures as floats and words, the features of
# both towers with their gradients, and the similarities of all pairs with theirs. And a process that
# may hold no more than that ends in the same bytes as one without a bound.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
[ -e shapes.h5 ] || data-pack -q --synthetic shapes --synthetic-count 2048 --image-size 64 -o shapes.h5
recipe=(clip-train shapes.h5 --preset small-64 --steps 3 --log-every 1 -j 2)
# peak NAME OPTION...: MiB that the process held at most.
peak() {
  local name=$1
  shift
  "${recipe[@]}" "$@" --metrics "$name.jsonl" -o "$name.h5"
  python3 -c 'import json, sys; print(round(json.loads(open(sys.argv[1]).readlines()[-1])["rss_mib"], 1))' "$name.jsonl"
}
planned() { "${recipe[@]}" "$@" --dry-run | sed -n 's/^memory of a step: //p'; }
small=$(peak small --batch-size 128)
sliced=$(peak sliced --batch-size 1024 --grad-accum-steps 8)
width=$(model-info sliced.h5 | sed -n 's/^config.projection_dim: //p')
length=$(model-info sliced.h5 | sed -n 's/^config.context_length: //p')
whole_batch=$(awk "BEGIN { printf \"%.1f\", 1024 * (4 * 64 * 64 * 3 + 4 * $length + 4 * 4 * $width + 2 * 4 * 1024) / 1048576 }")
echo "batch  128 whole:       $small MiB at most; a step by the plan $(planned --batch-size 128)"
echo "batch 1024 in 8 slices: $sliced MiB at most; a step by the plan $(planned --batch-size 1024 --grad-accum-steps 8)"
echo "batch 1024 whole:       a step by the plan $(planned --batch-size 1024)"
echo "of the whole batch:     $whole_batch MiB (pictures, words, features and similarities with gradients)"
at_most 'batch 1024 in 8 slices above batch 128, MiB' "$(awk "BEGIN { printf \"%.1f\", $sliced - $small }")" "$whole_batch"
bound=$(awk "BEGIN { printf \"%d\", ($sliced + 64) * 1024 }")
(
  ulimit -d "$bound"
  "${recipe[@]}" --batch-size 1024 --grad-accum-steps 8 -o bounded.h5
)
cmp sliced.h5 bounded.h5
echo "with $((bound / 1024)) MiB of memory for data at most: the same bytes"
[ "$misses" = 0 ]
