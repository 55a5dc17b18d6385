#!/bin/bash
# Adversarial networks whose generator looks two updates of the discriminator ahead, with three updates
# of the discriminator to one of the generator, class-conditional, averaged, judged and drawn, each run
# stopped once at a random instant by SIGTERM, SIGUSR1 or SIGKILL and resumed with other thread counts:
# the bytes of an uninterrupted run. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 -o shapes.h5
recipe=(gan-train shapes.h5 --net dcgan --base-channels 8 --latent-dim 8 --loss minimax --discriminator-norm layer
  --discriminator-steps 3 --unroll-steps 2 --batch-size 16 --ema-decay '0.9,0.99' --hflip --instance-noise 0.1
  --val-split 0.2 --val-every 20 --sample-every 15 --sample-grid 4x4 --save-every 4 --log-every 1)
straight_runs 30 "${recipe[@]}"
random_stops 10 2 "${recipe[@]}"
