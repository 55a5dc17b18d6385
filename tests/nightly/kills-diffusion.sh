#!/bin/bash
# A diffusion model as kills.sh has the autoencoder, with the history of losses that its timesteps are
# drawn by once it has ten of each, as it soon has of 25: 50 kills. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 -o shapes.h5
random_kills 50 15 300 ddpm-train shapes.h5 --net unet --base-channels 32 --num-timesteps 25 --timestep-sampler loss-second-moment --batch-size 4 --ema-decay 0.9
