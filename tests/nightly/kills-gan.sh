#!/bin/bash
# The adversarial networks as kills.sh has the autoencoder, with two updates of the discriminator to
# one of the generator: 50 kills. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 -o shapes.h5
random_kills 50 15 300 gan-train shapes.h5 --net dcgan --base-channels 64 --discriminator-steps 2 --batch-size 8 --ema-decay 0.9
