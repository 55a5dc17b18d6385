#!/bin/bash
# A diffusion model with a learned variance, whose timesteps are drawn by the history of their losses, by
# class with dropout of the class, averaged, accumulated, judged and drawn, each run stopped once at a
# random instant by SIGTERM, SIGUSR1 or SIGKILL and resumed with other thread counts: the bytes of an
# uninterrupted run. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
seq 600 | awk '{ print $1 % 3 }' >labels.txt
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 --labels labels.txt -o shapes.h5
recipe=(ddpm-train shapes.h5 --net unet --base-channels 8 --channel-mult '1,2' --class-conditional --beta-schedule cosine
  --num-timesteps 100 --variance-type learned-range --loss hybrid --timestep-sampler loss-second-moment --dropout 0.1
  --batch-size 16 --ema-decay '0.9,0.99' --hflip --val-split 0.2 --val-every 20 --sample-every 30 --sample-grid 4x4
  --save-every 5 --log-every 1)
straight_runs 30 "${recipe[@]}"
random_stops 10 2 "${recipe[@]}"
