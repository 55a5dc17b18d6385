#!/bin/bash
# Runs of a batch-norm VAE with accumulation, two averages, augmentation, validation with
# importance samples, grids and frequent saves, each stopped once at a random instant by SIGTERM,
# SIGUSR1 or SIGKILL and resumed with other thread counts: the bytes of an uninterrupted run. At
# least 20 stops, at least 5 of them inside a save, a validation or a grid. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 -o shapes.h5
recipe=(vae-train shapes.h5 --net conv --channels '8,16' --latent-dim 8 --likelihood gaussian --batch-size 16
  --grad-accum-steps 2 --ema-decay '0.9,0.99' --hflip --crop-padding 1 --val-split 0.2 --val-every 10
  --val-importance-samples 8 --sample-every 15 --sample-grid 16x16 --save-every 4 --log-every 1)
straight_runs 30 "${recipe[@]}"
random_stops 20 5 "${recipe[@]}"
