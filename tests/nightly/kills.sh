#!/bin/bash
# A training of a large network that saves after every update, killed by SIGKILL 100 times at
# random instants, at least 30 times inside a save. SEED: of the instants.
# shellcheck source=tests/nightly/common.sh
. "${0%/*}/common.sh"
# shellcheck source=tests/support/interrupt.sh
. "$source_dir/tests/support/interrupt.sh"
RANDOM=${SEED:-1}
data-pack -q --synthetic shapes --synthetic-count 600 --image-size 16 -o shapes.h5
random_kills 100 30 400 vae-train shapes.h5 --net fc --hidden-dim 2048 --latent-dim 32 --likelihood gaussian --batch-size 16
