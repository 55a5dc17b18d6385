#!/bin/bash
# Runs of CLIP with gradient caching in four slices, dropout, clauses left out, flips, an average and
# validation, each stopped once at a random instant by SIGTERM, SIGUSR1 or SIGKILL and resumed with
# other thread counts: the bytes of an uninterrupted run. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 -o shapes.h5
recipe=(clip-train shapes.h5 --patch-size 4 --embed-dim 32 --depth 2 --num-heads 2 --text-embed-dim 32 --text-depth 2
  --text-num-heads 2 --projection-dim 16 --vocab-size 320 --context-length 24 --batch-size 128 --grad-accum-steps 4
  --dropout 0.1 --patch-dropout 0.2 --caption-drop 0.5 --hflip --ema-decay 0.9 --val-split 0.2 --val-every 20
  --save-every 30 --log-every 1)
straight_runs 30 "${recipe[@]}"
random_stops 10 0 "${recipe[@]}"
